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

// --- floating point and vectors. Q is bit 30, the elements' size bits 23-22.
constexpr u32 element_size(u32 word) { return part(word, 22, 2); }
constexpr bool is_128(u32 word) { return part(word, 30, 1) != 0; }
// A vector of one doubleword is a scalar's matter.
constexpr bool no_1d(u32 word) { return element_size(word) != 3 || is_128(word); }
constexpr bool no_1d_fp(u32 word) { return part(word, 22, 1) == 0 || is_128(word); }
constexpr bool no_1d_memory(u32 word) { return part(word, 10, 2) != 3 || is_128(word); }
constexpr bool no_d(u32 word) { return element_size(word) != 3; }
constexpr bool bytes(u32 word) { return element_size(word) == 0; }
constexpr bool bytes_or_halves(u32 word) { return element_size(word) < 2; }
constexpr bool half_or_word(u32 word) { return element_size(word) == 1 || element_size(word) == 2; }
// Reductions of two elements are pairwise operations.
constexpr bool across(u32 word) { return element_size(word) < 2 || (element_size(word) == 2 && is_128(word)); }
// A double of an element index has one bit; a vector of doubles has two of them.
constexpr bool fp_element_scalar(u32 word) { return part(word, 22, 1) == 0 || part(word, 21, 1) == 0; }
constexpr bool fp_element(u32 word) { return fp_element_scalar(word) && no_1d_fp(word); }
constexpr bool ext_index(u32 word) { return is_128(word) || part(word, 14, 1) == 0; }
// The lowest one of imm5 tells the size of what is copied.
constexpr bool copy_any(u32 word) { return part(word, 16, 4) != 0; }
constexpr bool copy_vector(u32 word) { return copy_any(word) && (part(word, 16, 4) != 8 || is_128(word)); }
constexpr bool copy_signed(u32 word) { return part(word, 16, is_128(word) ? 3 : 2) != 0; }
constexpr bool copy_unsigned(u32 word) { return is_128(word) ? part(word, 16, 4) == 8 : part(word, 16, 3) != 0; }
// The highest one of immh, bits 22-19, tells the size of what is shifted; none is another class.
constexpr bool shift_scalar(u32 word) { return part(word, 19, 4) != 0; }
constexpr bool shift_d(u32 word) { return part(word, 22, 1) != 0; }
constexpr bool shift_same(u32 word) { return shift_scalar(word) && (!shift_d(word) || is_128(word)); }
constexpr bool shift_narrow(u32 word) { return shift_scalar(word) && !shift_d(word); }
constexpr bool fixed_scalar(u32 word) { return part(word, 20, 3) != 0; }
constexpr bool fixed_vector(u32 word) { return fixed_scalar(word) && shift_same(word); }
constexpr bool vector_pair(u32 word) { return part(word, 30, 2) != 3; }
// A 32-bit integer has 32 fraction bits at most.
constexpr bool fraction_bits(u32 word) { return is_64(word) || part(word, 15, 1) != 0; }

}  // namespace pagoda::arm64::constraints
