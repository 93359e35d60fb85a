// SPDX-License-Identifier: MIT
// Inputs: the one door through which anything from outside reaches a machine: clock, entropy, time of day, characters,
// network frames, block completions. It is what a replay log would record.
//
// In real-time mode input is delivered as it comes, on the main loop's thread. In deterministic mode (-icount) the
// virtual clock is the instruction count, entropy and the time of day are seeded, and everything else is delivered on
// the vcpu thread between blocks. Threading: now(), entropy() and wall_clock_ns() from any thread; post() from any
// thread.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/types.h"

namespace pagoda {

class Inputs {
 public:
  enum class Mode : u8 { realtime, deterministic };
  Inputs(Mode mode, u64 seed);

  Mode mode() const { return mode_; }
  // Before the machine runs: real time goes this many times slower than the host's.
  void set_clock_divisor(u32 divisor) { divisor_ = divisor; }
  u64 host_ns_of(u64 virtual_ns) const { return virtual_ns * divisor_; }
  // Virtual nanoseconds. Real time: host monotonic clock since construction, less the time spent stopped, divided.
  // Deterministic: what set_virtual_time() last said.
  u64 now() const;
  // Real time: virtual time stands still between the two. Called with the vcpus stopped; deterministic time stops with
  // them.
  void pause();
  void resume();
  void set_virtual_time(u64 ns) { virtual_time_.store(ns, std::memory_order_relaxed); }
  // Nanoseconds since 1970, the guest's real-time clock: the host's; deterministic: a fixed date plus virtual time.
  u64 wall_clock_ns() const;
  // Before the machine runs: another start of the real-time clock (seconds since 1970), or seconds to add to the host's
  // (a time zone); whether it goes by virtual time.
  void set_wall_clock(std::optional<i64> start_s, i64 add_s, bool is_virtual);
  // Random bytes: the host's; deterministic: a sequence that follows from the seed.
  void entropy(std::span<std::byte> out);

  // Hands an outside event to the machine: real time runs it through `dispatch` (the main loop), deterministic queues
  // it until deliver().
  void post(std::function<void()> event);
  void set_dispatch(std::function<void(std::function<void()>)> dispatch) { dispatch_ = std::move(dispatch); }
  // Deterministic mode: called by post(), on its thread, so that an idle vcpu wakes up and delivers.
  void set_wakeup(std::function<void()> wakeup) { wakeup_ = std::move(wakeup); }
  // Deterministic mode, vcpu thread between blocks: runs queued events in order.
  void deliver();
  bool has_pending() const { return pending_.load(std::memory_order_acquire); }

 private:
  Mode mode_;
  static constexpr u64 kRunning = ~u64{0};
  u32 divisor_ = 1;
  std::atomic<u64> start_ns_;             // host time at virtual time 0
  std::atomic<u64> paused_at_{kRunning};  // virtual time while paused
  std::atomic<u64> virtual_time_{0};
  std::atomic<bool> pending_{false};
  std::function<void(std::function<void()>)> dispatch_;
  std::function<void()> wakeup_;
  std::mutex mutex_;
  std::vector<std::function<void()>> events_;
  u64 random_state_;
  bool wall_is_virtual_ = false;
  u64 wall_offset_ns_ = 0;  // what the clock is ahead of the host's, or of virtual time
};

}  // namespace pagoda
