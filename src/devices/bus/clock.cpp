// SPDX-License-Identifier: MIT
// The timer queue.
#include "devices/bus/clock.h"

namespace pagoda {

Timer::Timer(VirtualClock& clock, std::function<void()> callback) : clock_(clock), callback_(std::move(callback)) {}
Timer::~Timer() { cancel(); }

void Timer::schedule(u64 deadline_ns) {
  bool is_earliest = false;
  {
    const std::lock_guard lock(clock_.mutex_);
    if (armed_) clock_.timers_.erase(position_);
    position_ = clock_.timers_.emplace(deadline_ns, this);
    armed_ = true;
    is_earliest = position_ == clock_.timers_.begin();
  }
  if (is_earliest && clock_.wakeup_) clock_.wakeup_();
}

void Timer::cancel() {
  const std::lock_guard lock(clock_.mutex_);
  if (armed_) clock_.timers_.erase(position_);
  armed_ = false;
}

bool Timer::armed() const {
  const std::lock_guard lock(clock_.mutex_);
  return armed_;
}

std::optional<u64> Timer::deadline() const {
  const std::lock_guard lock(clock_.mutex_);
  return armed_ ? std::optional(position_->first) : std::nullopt;
}

std::optional<u64> VirtualClock::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return timers_.empty() ? std::nullopt : std::optional(timers_.begin()->first);
}

std::optional<u64> VirtualClock::run_due() {
  const u64 now = source_();
  for (;;) {
    Timer* timer = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (timers_.empty()) return std::nullopt;
      const auto first = timers_.begin();
      if (first->first > now) return first->first;
      timer = first->second;
      timer->armed_ = false;
      timers_.erase(first);
    }
    timer->callback_();
  }
}

}  // namespace pagoda
