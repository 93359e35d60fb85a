// SPDX-License-Identifier: MIT
// Vectors without arithmetic: logical operations, copies of elements, immediates, extraction (Arm ARM C3.9, the copy,
// modified immediate and extract groups). All of it is IR on whole vectors or on their doublewords.
#include <bit>

#include "cpu/arm64/translate/elements.h"
#include "cpu/arm64/translate/expand_immediate.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

void simd_logical(Translator& t, const Insn& i) {
  auto& b = t.b;
  const Value n = t.v(i.rn());
  const Value m = t.v(i.rm());
  // Bits of `yes` where the mask is set.
  const auto mixed = [&](Value mask, Value yes, Value no) { return b.xor_(b.and_(b.xor_(yes, no), mask), no); };
  switch (i.field(22, 2) | u32{i.bit(29)} << 2) {
    case 0:
      return set_sized(t, i, b.and_(n, m));
    case 1:
      return set_sized(t, i, b.and_(n, b.not_(m)));
    case 2:
      return set_sized(t, i, n.id == m.id ? n : b.or_(n, m));
    case 3:
      return set_sized(t, i, b.or_(n, b.not_(m)));
    case 4:
      return set_sized(t, i, b.xor_(n, m));
    case 5:
      return set_sized(t, i, mixed(t.v(i.rd()), n, m));
    case 6:
      return set_sized(t, i, mixed(m, n, t.v(i.rd())));
    default:
      return set_sized(t, i, mixed(m, t.v(i.rd()), n));
  }
}

namespace {

// imm5: the lowest one tells the size, what is above it the index.
struct Copied {
  u32 size, index;
};
Copied copied(const Insn& i) {
  const u32 imm5 = i.field(16, 5);
  const u32 size = static_cast<u32>(std::countr_zero(imm5));
  return {size, imm5 >> (size + 1)};
}
Value masked(Translator& t, Value value, u32 size) {
  return size == 3 ? value : t.b.and_(value, t.b.i64(element_mask(size)));
}

}  // namespace

// Bit 11: from a general register. Bit 28: to a scalar.
void simd_dup(Translator& t, const Insn& i) {
  const auto [size, index] = copied(i);
  const bool is_general = i.bit(11);
  const Value value = masked(t, is_general ? t.x(i.rn()) : extracted_element(t, i.rn(), size, index), size);
  if (i.bit(28)) return t.set_v_low(i.rd(), value);
  const Value all = replicated(t, value, size);
  t.set_v_pair(i.rd(), all, i.bit(30) ? all : t.b.i64(0));
}

// SMOV (bit 12 clear), UMOV
void simd_to_general(Translator& t, const Insn& i) {
  const auto [size, index] = copied(i);
  const Value bits = extracted_element(t, i.rn(), size, index);
  if (i.bit(12)) return t.set_x(i.rd(), masked(t, bits, size));
  constexpr Type types[] = {Type::i8, Type::i16, Type::i32};
  t.set_r(i.rd(), t.b.sext(t.b.trunc(bits, types[size]), Translator::width(i.bit(30))));
}

// Bit 29: from an element, whose index is in imm4.
void simd_insert(Translator& t, const Insn& i) {
  const auto [size, index] = copied(i);
  const Value from = i.bit(29) ? extracted_element(t, i.rn(), size, i.field(11, 4) >> size) : t.x(i.rn());
  insert_element(t, i.rd(), size, index, masked(t, from, size));
}

// AdvSIMDExpandImm: cmode, bits 15-12, and op, bit 29, say what becomes of a:h.
u64 expanded_vector_immediate(const Insn& i) {
  const u64 imm8 = i.field(16, 3) << 5 | i.field(5, 5);
  const u32 cmode = i.field(12, 4);
  constexpr u64 words = 0x0000000100000001, halves = 0x0001000100010001, bytes = 0x0101010101010101;
  if (cmode < 8) return (imm8 << 8 * (cmode >> 1)) * words;
  if (cmode < 12) return (imm8 << 8 * (cmode >> 1 & 1)) * halves;
  if (cmode < 14) return (cmode == 12 ? imm8 << 8 | 0xff : imm8 << 16 | 0xffff) * words;
  if (cmode == 14) {
    if (!i.bit(29)) return imm8 * bytes;
    u64 mask = 0;
    for (u32 bit = 0; bit < 8; ++bit) mask |= (imm8 >> bit & 1) * 0xff << 8 * bit;
    return mask;
  }
  const auto imm = static_cast<u32>(imm8);
  if (i.bit(29)) return expanded_immediate(imm, 1);
  return i.bit(11) ? expanded_immediate(imm, 3) * halves : expanded_immediate(imm, 0) * words;
}

// MOVI and MVNI write, ORR and BIC (odd cmode below 12) change.
void simd_immediate(Translator& t, const Insn& i) {
  const u32 cmode = i.field(12, 4);
  const Value zero = t.b.i64(0);
  u64 imm = expanded_vector_immediate(i);
  if (cmode < 12 && (cmode & 1) != 0) {
    const auto changed = [&](Value half) {
      return i.bit(29) ? t.b.and_(half, t.b.i64(~imm)) : t.b.or_(half, t.b.i64(imm));
    };
    const Value low = changed(t.v_low(i.rd()));
    return t.set_v_pair(i.rd(), low, i.bit(30) ? changed(t.v_high(i.rd())) : zero);
  }
  if (i.bit(29) && cmode < 14) imm = ~imm;
  const Value value = t.b.i64(imm);
  t.set_v_pair(i.rd(), value, i.bit(30) ? value : zero);
}

// Bytes from position imm4 on of Rm:Rn.
void simd_extract(Translator& t, const Insn& i) {
  const u32 position = i.field(11, 4);
  const Value n = t.v(i.rn());
  const Value m = t.v(i.rm());
  if (i.bit(30)) return t.set_v(i.rd(), t.b.vec(VecOp::align, m, n, {}, position));
  const Value both = t.b.vec_pair(t.b.vec_low(n), t.b.vec_low(m));
  t.set_v(i.rd(), low_half(t, t.b.vec(VecOp::shr_bytes, both, {}, {}, position)));
}

}  // namespace pagoda::arm64::translate
