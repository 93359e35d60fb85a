// SPDX-License-Identifier: MIT
// Block workers, and requests in virtual time.
#include "devices/storage/block_executor.h"

#include <utility>

#include "base/check.h"

namespace pagoda {

WorkerExecutor::WorkerExecutor(u32 threads) : width_(threads) {
  CHECK(threads > 0);
  for (u32 i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

void WorkerExecutor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
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
  while (!jobs_.empty()) {
    BlockJob job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.execute();
    lock.lock();
    --executing_;
    finished_.push_back(job.id);
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
    work_.wait(lock, [this] { return stopping_ || !jobs_.empty() || (!finished_.empty() && !completing_); });
    if (stopping_) return;
    if (!jobs_.empty()) {
      BlockJob job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job.execute();
      lock.lock();
      finished_.push_back(job.id);
      if (--executing_ == 0) progress_.notify_all();
    }
    if (!completing_) complete_finished(lock);
  }
}

void WorkerExecutor::complete_finished(std::unique_lock<std::mutex>& lock) {
  completing_ = true;
  std::vector<u64> batch;
  while (!finished_.empty()) {
    batch.clear();
    batch.swap(finished_);
    lock.unlock();
    complete_(batch);
    lock.lock();
    pending_ -= batch.size();
  }
  completing_ = false;
  if (pending_ == 0) progress_.notify_all();
}

TimedExecutor::TimedExecutor(VirtualClock& clock, u64 latency_ns)
    : clock_(clock), latency_ns_(latency_ns), timer_(clock, [this] { expire(); }) {}

u64 TimedExecutor::submit(BlockJob job, u64 deadline_ns) {
  job.execute();
  if (deadline_ns == 0) deadline_ns = clock_.now() + latency_ns_;
  completions_.emplace(deadline_ns, job.id);
  timer_.schedule(completions_.begin()->first);
  return deadline_ns;
}

void TimedExecutor::stop() {
  completions_.clear();
  timer_.cancel();
}

void TimedExecutor::expire() {
  const u64 now = clock_.now();
  while (!completions_.empty() && completions_.begin()->first <= now) {
    const u64 id = completions_.begin()->second;
    completions_.erase(completions_.begin());
    complete_({&id, 1});
  }
  if (!completions_.empty()) timer_.schedule(completions_.begin()->first);
}

}  // namespace pagoda
