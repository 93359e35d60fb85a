// SPDX-License-Identifier: MIT
// What a failure costs the unit and its backend.
#include "tcg/tier/fallback.h"

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace pagoda::tier {
namespace {

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

}  // namespace

bool Guard::is_on(u64 time) const {
  if (!is_off_.load(std::memory_order_relaxed)) [[likely]]
    return true;
  const std::lock_guard lock(mutex_);
  // A vcpu that is behind the one that switched it off waits for that one's time.
  return time >= off_since_ + off_for_;
}

bool Guard::may_try(const Heat& heat, u64 time) {
  const bool on = is_on(time);
  const std::lock_guard lock(mutex_);
  if (heat.failures >= kMostTries) return false;
  if (!on) ++statistics_.turned_away;
  return on;
}

Guard::Attempt Guard::compile(Engine& engine, u32 thread, Job& job, Heat& heat, u64 time) {
  if (!is_on(time)) {
    const std::lock_guard lock(mutex_);
    ++statistics_.turned_away;
    return {.asked = false, .outcome = Outcome::failed, .wait = kCoolDown};
  }
  job.budget = budget_;
  const u64 start = now_ns();
  const Outcome outcome = engine.compile(thread, job);
  return note(outcome, heat, now_ns() - start, time);
}

void Guard::note_time(u64 ns) {
  statistics_.slowest_ns = std::max(statistics_.slowest_ns, ns);
  if (ns <= kAlertNs) return;
  ++statistics_.slow;
  log(Log::tier, "{}: a compilation took {:.1f} ms", backend_.name, static_cast<double>(ns) / 1e6);
}

Guard::Attempt Guard::note(Outcome outcome, Heat& heat, u64 ns, u64 time) {
  const std::lock_guard lock(mutex_);
  note_time(ns);
  switch (outcome) {
    case Outcome::done:
      in_a_row_ = 0;
      heat.is_due = false;
      if (is_off_.load(std::memory_order_relaxed)) {
        is_off_.store(false, std::memory_order_relaxed);
        off_doublings_ = 0;
        ++statistics_.recovered;
        log(Log::tier, "{}: works again", backend_.name);
      }
      return {true, outcome, 0};
    case Outcome::no_room:
      return {true, outcome, kCoolDown};
    case Outcome::refused:
      heat.failures = kMostTries;
      return {true, outcome, 0};
    case Outcome::failed:
      ++statistics_.failed;
      break;
    case Outcome::over_budget:
      ++statistics_.over_budget;
      break;
  }
  if (++in_a_row_ >= kFailuresInARow || is_off_.load(std::memory_order_relaxed)) {
    off_for_ = kOffInsns << off_doublings_;
    off_since_ = time;
    off_doublings_ = std::min(off_doublings_ + 1, kMostOffDoublings);
    in_a_row_ = 0;
    is_off_.store(true, std::memory_order_relaxed);
    ++statistics_.switched_off;
    log(Log::tier, "{}: switched off for {} instructions, its compilations fail", backend_.name, off_for_);
  }
  const u32 wait = kCoolDown << heat.failures;
  if (heat.failures < kMostTries && ++heat.failures < kMostTries) return {true, outcome, wait};
  ++statistics_.given_up;
  return {true, outcome, 0};
}

void Guard::note_nothing(Heat& heat) {
  const std::lock_guard lock(mutex_);
  if (heat.failures < kMostTries && ++heat.failures == kMostTries) ++statistics_.given_up;
}

Guard::Statistics Guard::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace pagoda::tier
