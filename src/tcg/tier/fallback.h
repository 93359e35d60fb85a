// SPDX-License-Identifier: MIT
// Guard: stands before a backend's engine: budgets, what happens to a unit whose compilation failed, and to a backend
// whose compilations keep failing.
//
// A unit that fails stays on its tier and may ask again after a cool-down, which doubles; after kMostTries it has asked
// for the last time. A backend that fails again and again, whatever the unit, is switched off; when its time is over
// the next compilation is a trial: one that succeeds switches it on for good, one that fails off for twice as long. A
// full code memory is nobody's failure. Time is in guest instructions of the vcpu that asks, which need not agree.
// Threading: any thread, also with different Heats at the same time.
#pragma once

#include <atomic>
#include <mutex>

#include "tcg/tier/backend.h"
#include "tcg/tier/policy.h"

namespace pagoda::tier {

inline constexpr u32 kCoolDown = 1000;                        // entries of a unit before it asks again, the first time
inline constexpr u8 kMostTries = 4;                           // of one unit
inline constexpr u32 kFailuresInARow = 16;                    // then a backend is switched off
inline constexpr u64 kOffInsns = 20'000'000;                  // the first time
inline constexpr u32 kMostOffDoublings = 6;                   // of that
inline constexpr u64 kAlertNs = 10'000'000;                   // a compilation that takes longer is reported
inline constexpr Budget kUnitBudget{50'000'000, 1 << 20};     // of the compilation of one unit
inline constexpr Budget kRegionBudget{100'000'000, 1 << 20};  // of one region

class Guard {
 public:
  explicit Guard(const Backend& backend, const Budget& budget = kUnitBudget) : backend_(backend), budget_(budget) {}

  struct Attempt {
    bool asked;       // false: the backend is switched off, there is no outcome
    Outcome outcome;  // done, or the unit stays on its tier
    u32 wait;         // entries before the unit may ask again; 0: never
  };
  // Compiles under the budget and takes note of how it went.
  Attempt compile(Engine& engine, u32 thread, Job& job, Heat& heat, u64 time);

  // The same in steps, for who compiles elsewhere: whether to ask at all, and then how it went.
  bool is_on(u64 time) const;
  bool may_try(const Heat& heat, u64 time);  // and not given up; who may not is counted
  Attempt note(Outcome outcome, Heat& heat, u64 ns, u64 time);
  void note_nothing(Heat& heat);  // it was asked, and there was nothing to compile
  const Backend& backend() const { return backend_; }
  const Budget& budget() const { return budget_; }

  struct Statistics {
    u64 failed = 0, over_budget = 0;
    u64 given_up = 0;      // units that may not ask again
    u64 turned_away = 0;   // that asked while the backend was off
    u64 switched_off = 0;  // how often
    u64 recovered = 0;     // how often a trial succeeded
    u64 slow = 0;          // longer than kAlertNs
    u64 slowest_ns = 0;
  };
  Statistics statistics() const;

 private:
  void note_time(u64 ns);
  const Backend& backend_;
  const Budget budget_;
  std::atomic<bool> is_off_{false};
  mutable std::mutex mutex_;
  u64 off_since_ = 0, off_for_ = 0;
  u32 in_a_row_ = 0, off_doublings_ = 0;
  Statistics statistics_;
};

}  // namespace pagoda::tier
