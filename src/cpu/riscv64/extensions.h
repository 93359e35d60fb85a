// SPDX-License-Identifier: MIT
// Set of implemented extensions, from extensions.def, and what table rows ask of it.
#pragma once

#include "base/types.h"

namespace pagoda::riscv64 {

#define STATED(name, comes_with, meaning)
enum class Extension : u8 {
  i,
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) id,
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
};
inline constexpr u32 kExtensionCount = 1
#define EXTENSION(id, name, in_rv64, in_max, in_rva22, meaning) +1
#include "cpu/riscv64/extensions.def"
#undef EXTENSION
    ;
#undef STATED
static_assert(kExtensionCount <= 64, "Extensions is one word");

struct Extensions {
  u64 bits = 1;
  constexpr bool has(Extension extension) const { return (bits >> static_cast<u32>(extension) & 1) != 0; }
  constexpr void set(Extension extension, bool on) {
    const u64 bit = u64{1} << static_cast<u32>(extension);
    bits = on ? bits | bit : bits & ~bit;
  }
  constexpr bool operator==(const Extensions&) const = default;
};

// Name in the ISA string; "i" for the base.
const char* extension_name(Extension extension);

// What a row of an instruction table needs: all of one set of extensions or all of another. Written `a & b`, `a | b`.
struct Requirement {
  constexpr Requirement(Extension one) : first(one), all{bit(one), bit(one)} {}  // NOLINT: rows name one extension
  constexpr Requirement(Extension main, u64 a, u64 b) : first(main), all{a, b} {}
  constexpr bool met(Extensions e) const { return (e.bits & all[0]) == all[0] || (e.bits & all[1]) == all[1]; }
  static constexpr u64 bit(Extension extension) { return u64{1} << static_cast<u32>(extension); }

  Extension first;  // the row's own extension, where one is named: golden files, describe
  u64 all[2];
};
constexpr Requirement operator&(Extension a, Extension b) {
  const u64 both = Requirement::bit(a) | Requirement::bit(b);
  return {a, both, both};
}
constexpr Requirement operator|(Extension a, Extension b) { return {a, Requirement::bit(a), Requirement::bit(b)}; }

}  // namespace pagoda::riscv64
