// SPDX-License-Identifier: MIT
// CMPXCHG16B (Intel SDM volume 2; every x86-64 host that Linux supports today has it).
#pragma once

#include "base/types.h"

namespace pagoda {

// If the 16 bytes at `memory` (aligned) equal `expected`, they become `desired`; `expected` becomes what they were. One
// sequentially consistent step; true if it stored.
inline bool host_compare_exchange_16(void* memory, u64 expected[2], const u64 desired[2]) {
  struct Bytes {
    u64 words[2];
  };
  bool stored;
  asm volatile("lock cmpxchg16b %1"
               : "=@ccz"(stored), "+m"(*static_cast<Bytes*>(memory)), "+a"(expected[0]), "+d"(expected[1])
               : "b"(desired[0]), "c"(desired[1])
               : "memory");
  return stored;
}

}  // namespace pagoda
