// SPDX-License-Identifier: MIT
// Virtual time and timers.
//
// Virtual time is nanoseconds since the machine started: the host's monotonic clock while the machine runs, or exactly
// the instruction count under -icount. All device timers are kept in it.
// Threading: now() and schedule/cancel from any thread. Callbacks run on the main loop's thread (under -icount on the
// single vcpu thread, between blocks), never under the queue's lock.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>

#include "base/types.h"

namespace pagoda {

class VirtualClock;

// A one-shot timer; re-arm it from its callback for a periodic one. Destruction cancels it (do not destroy it from
// another thread while its callback may run).
class Timer {
 public:
  Timer(VirtualClock& clock, std::function<void()> callback);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // Fires once virtual time is at or past `deadline_ns`; replaces an earlier deadline.
  void schedule(u64 deadline_ns);
  void cancel();
  bool armed() const;
  std::optional<u64> deadline() const;

 private:
  friend class VirtualClock;
  VirtualClock& clock_;
  std::function<void()> callback_;
  std::multimap<u64, Timer*>::iterator position_;
  bool armed_ = false;
};

class VirtualClock {
 public:
  // `source` returns virtual nanoseconds, monotonic; it is called from any thread.
  explicit VirtualClock(std::function<u64()> source) : source_(std::move(source)) {}
  u64 now() const { return source_(); }

  // Runs what is due; returns the next deadline, if any. For the owner of the clock (main loop or icount loop).
  std::optional<u64> run_due();
  std::optional<u64> next_deadline() const;
  // Called (on the scheduling thread) when the earliest deadline moved forward in time, so that a sleeper wakes.
  void set_wakeup(std::function<void()> wakeup) { wakeup_ = std::move(wakeup); }

 private:
  friend class Timer;
  std::function<u64()> source_;
  std::function<void()> wakeup_;
  mutable std::mutex mutex_;
  std::multimap<u64, Timer*> timers_;
};

}  // namespace pagoda
