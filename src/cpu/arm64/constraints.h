// SPDX-License-Identifier: MIT
// Constraints of the instruction tables: what the decode pseudocode of the manual rejects beyond fixed bits.
#pragma once

#include <bit>

#include "base/types.h"

namespace pagoda::arm64::constraints {

constexpr u32 part(u32 word, u32 low, u32 width) { return word >> low & ((1u << width) - 1); }
constexpr bool is_64(u32 word) { return word >> 31 != 0; }

inline constexpr bool (*any)(u32) = nullptr;
// N:immr:imms is a mask: not all ones within an element, and no 64-bit element in a 32-bit operation.
constexpr bool bit_mask(u32 word) {
  const u32 n = part(word, 22, 1), imms = part(word, 10, 6);
  const u32 selector = n << 6 | (~imms & 63);
  if (selector < 2 || (n == 1 && !is_64(word))) return false;
  const u32 element = 1u << (31 - std::countl_zero(selector));
  return (imms & (element - 1)) != element - 1;
}
constexpr bool wide_move(u32 word) { return is_64(word) || part(word, 22, 1) == 0; }
// N is sf; positions lie within the register.
constexpr bool bit_field(u32 word) {
  if (part(word, 22, 1) != u32{is_64(word)}) return false;
  // EXTR has a register where the others have immr.
  const bool is_extract = part(word, 23, 6) == 0b100111;
  return is_64(word) || (part(word, 10, 6) < 32 && (is_extract || part(word, 16, 6) < 32));
}
constexpr bool shift(u32 word) { return is_64(word) || part(word, 10, 6) < 32; }
// Sums have no rotation.
constexpr bool sum_shift(u32 word) { return shift(word) && part(word, 22, 2) != 3; }
constexpr bool extension(u32 word) { return part(word, 10, 3) <= 4; }
// A size that leaves bits of the result to extend into.
constexpr bool narrow(u32 word) { return part(word, 30, 2) != 3; }
// An index is a word or a doubleword, not narrower.
constexpr bool word_index(u32 word) { return part(word, 14, 1) != 0; }
constexpr bool narrow_index(u32 word) { return narrow(word) && word_index(word); }
// Rt 24 and up with other bits are of range prefetches.
constexpr bool prefetch_index(u32 word) { return word_index(word) && part(word, 3, 2) != 3; }
bool system_register(u32 word);

}  // namespace pagoda::arm64::constraints
