// SPDX-License-Identifier: MIT
// Waiting: sleep on a word with a time limit, which std::atomic::wait does not have.
//
// Threading: any thread.
#pragma once

#include <atomic>

#include "base/types.h"

namespace pagoda {

// Sleeps while `word` is `expected`, at most `nanoseconds` (0: without end). False: the time is over. May return true
// for no reason.
bool futex_wait(std::atomic<u32>& word, u32 expected, u32 nanoseconds);
void futex_wake_one(std::atomic<u32>& word);

// One round of a short wait without sleeping.
inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace pagoda
