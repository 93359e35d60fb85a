// SPDX-License-Identifier: MIT
// Linux futexes, private to the process.
#include "base/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace pagoda {

static_assert(sizeof(std::atomic<u32>) == sizeof(u32));

bool futex_wait(std::atomic<u32>& word, u32 expected, u32 nanoseconds) {
  constexpr u32 kSecond = 1'000'000'000;
  const timespec limit = {.tv_sec = nanoseconds / kSecond, .tv_nsec = nanoseconds % kSecond};
  const long result = syscall(SYS_futex, reinterpret_cast<u32*>(&word), FUTEX_WAIT_PRIVATE, expected,
                              nanoseconds != 0 ? &limit : nullptr, nullptr, 0);
  return result == 0 || errno != ETIMEDOUT;
}

void futex_wake_one(std::atomic<u32>& word) {
  syscall(SYS_futex, reinterpret_cast<u32*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace pagoda
