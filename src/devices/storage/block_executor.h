// SPDX-License-Identifier: MIT
// BlockExecutor: on which thread, and when, a disk's requests are carried out and reported.
//
// Real time: worker threads of the disk's own, so that no vcpu waits for the host's disk, each request reported as it
// ends. Deterministic (-icount): carried out at once on the thread that submits, reported at a deadline in virtual
// time.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/types.h"
#include "devices/bus/clock.h"

namespace pagoda {

// One request. `execute` does the I/O and must not take the device's lock; it is called at most once.
struct BlockJob {
  u64 id = 0;
  std::function<void()> execute;
};

class BlockExecutor {
 public:
  // Told, once each, of jobs that were executed, in groups as they come. It may take the device's lock.
  using Complete = std::function<void(std::span<const u64> ids)>;

  virtual ~BlockExecutor() = default;
  // Before the first submit().
  void set_complete(Complete complete) { complete_ = std::move(complete); }
  // How many jobs are under way at once; more wait. 0: jobs end only when virtual time moves.
  virtual u32 width() const = 0;
  // `deadline_ns`: virtual time at which to complete, 0: the executor's choice. Returns the deadline, 0 if the job
  // completes whenever it is done. Called under the device's lock.
  virtual u64 submit(BlockJob job, u64 deadline_ns) = 0;
  // When this returns, execute of all jobs submitted before has ended. May be called under the device's lock.
  virtual void wait_executed() = 0;
  // When this returns, no job is under way except those with a deadline. Never call it under the device's lock.
  virtual void wait_completed() = 0;
  // When this returns nothing is executed or completed any more; jobs not begun are dropped. Not under the device's
  // lock.
  virtual void stop() = 0;

 protected:
  Complete complete_;
};

// Threading: submit and waits from any thread.
class WorkerExecutor final : public BlockExecutor {
 public:
  // One thread keeps requests in order; more serve a deep queue on a host disk with latency. What ends while others are
  // being completed is completed together.
  explicit WorkerExecutor(u32 threads = 1);
  ~WorkerExecutor() override { stop(); }
  u64 submit(BlockJob job, u64 deadline_ns) override;
  u32 width() const override { return width_; }
  void wait_executed() override;
  void wait_completed() override;
  void stop() override;

 private:
  void run();
  void complete_finished(std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable progress_;
  std::deque<BlockJob> jobs_;
  std::vector<u64> finished_;  // executed, not completed
  bool completing_ = false;    // a thread is at it
  u64 executing_ = 0;          // queued or in execute
  u64 pending_ = 0;            // queued, in execute or in complete
  bool stopping_ = false;
  const u32 width_;
  std::vector<std::thread> threads_;
};

// Threading: everything on the one thread that runs vcpus and timers.
class TimedExecutor final : public BlockExecutor {
 public:
  static constexpr u64 kDefaultLatencyNs = 100'000;
  explicit TimedExecutor(VirtualClock& clock, u64 latency_ns = kDefaultLatencyNs);
  u64 submit(BlockJob job, u64 deadline_ns) override;
  u32 width() const override { return 0; }
  void wait_executed() override {}
  void wait_completed() override {}
  void stop() override;

 private:
  void expire();

  VirtualClock& clock_;
  const u64 latency_ns_;
  std::multimap<u64, u64> completions_;  // by deadline; equal ones in order of submission
  Timer timer_;
};

}  // namespace pagoda
