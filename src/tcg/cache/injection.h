// SPDX-License-Identifier: MIT
// Fault injection: makes chosen steps of the translator fail, to test that the guest goes on one tier lower.
//
// A step is an allocation of unit memory or code memory, or the compilation of a unit; they are counted together, in
// the order in which they happen, from arm() on. For tests and -accel fail-every=; off, it costs one load a step.
// Threading: arm() while nothing is translated.
#pragma once

#include <atomic>

#include "base/types.h"

namespace pagoda::injection {

namespace detail {
inline std::atomic<u64> at{0}, every{0}, steps{0}, fired{0};
}  // namespace detail

// Step number `at` fails, from 1 (0: none does), and every `every`-th one (0: none).
inline void arm(u64 at, u64 every) {
  detail::steps.store(0);
  detail::fired.store(0);
  detail::every.store(every);
  detail::at.store(at);
}
// How many failed since arm().
inline u64 fired() { return detail::fired.load(); }

// Counts a step; true: it is to fail.
inline bool step_fails() {
  const u64 at = detail::at.load(std::memory_order_relaxed), every = detail::every.load(std::memory_order_relaxed);
  if ((at | every) == 0) [[likely]]
    return false;
  const u64 step = 1 + detail::steps.fetch_add(1, std::memory_order_relaxed);
  const bool fails = step == at || (every != 0 && step % every == 0);
  if (fails) detail::fired.fetch_add(1, std::memory_order_relaxed);
  return fails;
}

}  // namespace pagoda::injection
