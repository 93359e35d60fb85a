// SPDX-License-Identifier: MIT
// Block workers, and requests in virtual time.
#include "devices/storage/block_executor.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace pagoda {

WorkerExecutor::WorkerExecutor(u32 threads) {
  CHECK(threads > 0);
  for (u32 i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

WorkerExecutor::~WorkerExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

u64 WorkerExecutor::submit(BlockJob job, u64 /*deadline_ns*/) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    ++executing_;
    ++pending_;
  }
  work_.notify_one();
  return 0;
}

void WorkerExecutor::wait_executed() {
  std::unique_lock lock(mutex_);
  // The caller may hold the lock that workers need to complete what they have, so it executes the rest itself.
  for (;;) {
    const auto next =
        std::find_if(jobs_.begin(), jobs_.end(), [](const BlockJob& job) { return job.execute != nullptr; });
    if (next == jobs_.end()) break;
    BlockJob job = std::move(*next);
    jobs_.erase(next);
    lock.unlock();
    job.execute();
    job.execute = nullptr;
    lock.lock();
    --executing_;
    jobs_.push_back(std::move(job));
    work_.notify_one();
  }
  progress_.wait(lock, [this] { return executing_ == 0; });
}

void WorkerExecutor::wait_completed() {
  std::unique_lock lock(mutex_);
  progress_.wait(lock, [this] { return pending_ == 0; });
}

void WorkerExecutor::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    BlockJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (job.execute != nullptr) {
      job.execute();
      lock.lock();
      --executing_;
      progress_.notify_all();
      lock.unlock();
    }
    job.complete();
    job = BlockJob{};
    lock.lock();
    --pending_;
    progress_.notify_all();
  }
}

TimedExecutor::TimedExecutor(VirtualClock& clock, u64 latency_ns)
    : clock_(clock), latency_ns_(latency_ns), timer_(clock, [this] { expire(); }) {}

u64 TimedExecutor::submit(BlockJob job, u64 deadline_ns) {
  job.execute();
  if (deadline_ns == 0) deadline_ns = clock_.now() + latency_ns_;
  completions_.emplace(deadline_ns, std::move(job.complete));
  timer_.schedule(completions_.begin()->first);
  return deadline_ns;
}

void TimedExecutor::expire() {
  const u64 now = clock_.now();
  while (!completions_.empty() && completions_.begin()->first <= now) {
    const auto complete = std::move(completions_.begin()->second);
    completions_.erase(completions_.begin());
    complete();
  }
  if (!completions_.empty()) timer_.schedule(completions_.begin()->first);
}

}  // namespace pagoda
