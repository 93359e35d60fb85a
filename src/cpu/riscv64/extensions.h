// SPDX-License-Identifier: MIT
// Set of implemented extensions, from extensions.def.
#pragma once

#include "base/types.h"

namespace pagoda::riscv64 {

enum class Extension : u8 {
  i,
#define EXTENSION(id, name, in_rv64, meaning) id,
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
};

struct Extensions {
  u64 bits = 1;
  constexpr bool has(Extension extension) const { return (bits >> static_cast<u32>(extension) & 1) != 0; }
  constexpr void set(Extension extension, bool on) {
    const u64 bit = u64{1} << static_cast<u32>(extension);
    bits = on ? bits | bit : bits & ~bit;
  }
};

}  // namespace pagoda::riscv64
