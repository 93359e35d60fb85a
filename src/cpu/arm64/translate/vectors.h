// SPDX-License-Identifier: MIT
// Pieces that vector handlers share: kinds of op vec by element size, constants, results by width.
#pragma once

#include "cpu/arm64/translator.h"
#include "tcg/ir/vec.h"

namespace pagoda::arm64::translate {

using ir::VecOp;

// The kind for elements of 2^size bytes, where kinds follow one another from that of bytes (or of 16 bits) on.
constexpr VecOp of_size(VecOp of_bytes, u32 size) { return static_cast<VecOp>(static_cast<u32>(of_bytes) + size); }
constexpr VecOp from_16(VecOp of_halves, u32 size) { return of_size(of_halves, size - 1); }
static_assert(of_size(VecOp::add_8, 3) == VecOp::add_64 && of_size(VecOp::sub_8, 3) == VecOp::sub_64 &&
              of_size(VecOp::eq_8, 3) == VecOp::eq_64 && of_size(VecOp::gt_s8, 3) == VecOp::gt_s64 &&
              of_size(VecOp::min_s8, 2) == VecOp::min_s32 && of_size(VecOp::max_s8, 2) == VecOp::max_s32 &&
              of_size(VecOp::min_u8, 2) == VecOp::min_u32 && of_size(VecOp::max_u8, 2) == VecOp::max_u32 &&
              of_size(VecOp::abs_8, 2) == VecOp::abs_32 && of_size(VecOp::zip_low_8, 3) == VecOp::zip_low_64 &&
              of_size(VecOp::zip_high_8, 3) == VecOp::zip_high_64 && from_16(VecOp::shli_16, 3) == VecOp::shli_64 &&
              from_16(VecOp::shri_16, 3) == VecOp::shri_64 && from_16(VecOp::sari_16, 2) == VecOp::sari_32 &&
              from_16(VecOp::mul_16, 2) == VecOp::mul_32 && from_16(VecOp::hadd_16, 2) == VecOp::hadd_32);

// Every doubleword the same.
inline ir::Value all_of(Translator& t, u64 doubleword) {
  const ir::Value half = t.b.i64(doubleword);
  return t.b.vec_pair(half, half);
}
inline ir::Value inverted(Translator& t, ir::Value v) { return t.b.not_(v); }

inline ir::Value low_half(Translator& t, ir::Value v) { return t.b.vec_pair(t.b.vec_low(v), t.b.i64(0)); }
inline ir::Value high_half(Translator& t, ir::Value v) { return t.b.vec(VecOp::shr_bytes, v, {}, {}, 8); }

// By Q, bit 30: all of it, or the low half and zeros. A scalar (bit 28) is the low half: of doublewords only.
inline void set_sized(Translator& t, const Insn& i, ir::Value value) {
  t.set_v(i.rd(), i.bit(30) && !i.bit(28) ? value : low_half(t, value));
}
// What an instruction with a "2" reads, as the low half; what lies above does not count.
inline ir::Value read_half(Translator& t, const Insn& i, u32 reg) {
  const ir::Value v = t.v(reg);
  return i.bit(30) ? high_half(t, v) : v;
}
// What it writes: into the low half with zeros above, or into the upper half, the lower one kept.
inline void write_half(Translator& t, const Insn& i, ir::Value value) {
  const ir::Value low = t.b.vec_low(value);
  i.bit(30) ? t.set_v_pair(i.rd(), t.v_low(i.rd()), low) : t.set_v_pair(i.rd(), low, t.b.i64(0));
}
// The low elements of 2^size bytes as elements of twice that.
inline ir::Value widened(Translator& t, ir::Value v, u32 size, bool is_unsigned) {
  constexpr VecOp kinds[2][3] = {{VecOp::sx_8_16, VecOp::sx_16_32, VecOp::sx_32_64},
                                 {VecOp::zx_8_16, VecOp::zx_16_32, VecOp::zx_32_64}};
  return t.b.vec(kinds[is_unsigned][size], v);
}
// Doubles of elements of 2^size bytes to elements, in the low half.
ir::Value narrowed(Translator& t, ir::Value v, u32 size);

// The kind of arithmetic for an operand form, from the row of kinds that begins with `ps`: vectors of singles, of
// doubles, a single, a double. Nothing where FPCR makes it another arithmetic.
inline bool has_arithmetic(const Translator& t) { return (t.mode & kModeSlowFp) == 0; }
constexpr VecOp of_vectors(VecOp ps, bool is_double) { return of_size(ps, is_double); }
constexpr VecOp of_scalars(VecOp ps, bool is_double) { return of_size(ps, 2u + is_double); }
static_assert(of_scalars(VecOp::padd_ps, true) == VecOp::padd_sd &&
              of_scalars(VecOp::pfma_ps, false) == VecOp::pfma_ss);
// With the signs of all singles or doubles inverted.
inline ir::Value negated(Translator& t, ir::Value v, bool is_double) {
  return t.b.xor_(v, all_of(t, is_double ? 0x8000000000000000 : 0x8000000080000000));
}

// What of a group IR says; false: it is left to the group's helper.
bool three_same_in_ir(Translator& t, const Insn& i);
bool three_different_in_ir(Translator& t, const Insn& i);
bool by_element_in_ir(Translator& t, const Insn& i);
bool two_misc_in_ir(Translator& t, const Insn& i);
bool shift_in_ir(Translator& t, const Insn& i);
bool permute_in_ir(Translator& t, const Insn& i);
bool saturating_three_in_ir(Translator& t, const Insn& i);
bool saturating_by_element_in_ir(Translator& t, const Insn& i);
bool saturating_two_in_ir(Translator& t, const Insn& i);
bool saturating_shift_in_ir(Translator& t, const Insn& i);
bool fp_three_in_ir(Translator& t, const Insn& i);
bool fp_two_in_ir(Translator& t, const Insn& i);
bool fp_by_element_in_ir(Translator& t, const Insn& i);

}  // namespace pagoda::arm64::translate
