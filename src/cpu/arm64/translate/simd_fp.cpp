// SPDX-License-Identifier: MIT
// Vectors of floating-point numbers in IR (Arm ARM C3.9): sums, products, quotients, roots and signs of singles and
// doubles. The rest is left to helpers, and so is all arithmetic in the less usual modes of FPCR.
#include "cpu/arm64/translate/elements.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Value;

namespace {

// Where Q is clear the upper lanes are made zeros, which raise no exception in sums and products.
Value lanes_of(Translator& t, const Insn& i, u32 reg) {
  const Value v = t.v(reg);
  return i.bit(30) ? v : low_half(t, v);
}

// Predicates of the host's comparisons: equal with quiet NaNs, the others with signalling ones, as here.
enum : u32 { kEqual = 0, kBelow = 1, kBelowOrEqual = 2, kOrdered = 7 };

// A vector, or a scalar (bit 28): its lane of the masks alone.
void set_compared(Translator& t, const Insn& i, u32 predicate, Value x, Value y) {
  const bool is_double = i.bit(22);
  if (!i.bit(28)) return set_sized(t, i, t.b.vec(of_vectors(VecOp::fcmp_ps, is_double), x, y, {}, predicate));
  const Value low = t.b.vec_low(t.b.vec(of_scalars(VecOp::fcmp_ps, is_double), x, y, {}, predicate));
  t.set_v_low(i.rd(), is_double ? low : t.b.and_(low, t.b.i64(0xffffffff)));
}

Value magnitudes(Translator& t, Value v, bool is_double) {
  return t.b.and_(v, all_of(t, is_double ? 0x7fffffffffffffff : 0x7fffffff7fffffff));
}

// Even and odd elements of two vectors, one behind the other; of the low halves where Q is clear.
struct Pairs {
  Value even, odd;
};
Pairs pairs_of(Translator& t, const Insn& i, bool is_double) {
  auto& b = t.b;
  const Value n = t.v(i.rn());
  const Value m = t.v(i.rm());
  if (is_double) return {b.vec(VecOp::zip_low_64, n, m), b.vec(VecOp::zip_high_64, n, m)};
  if (i.bit(30)) return {b.vec(VecOp::shuffle2_32, n, m, {}, 0x88), b.vec(VecOp::shuffle2_32, n, m, {}, 0xdd)};
  const Value both = b.vec(VecOp::zip_low_64, n, m);
  return {low_half(t, b.vec(VecOp::shuffle_32, both, {}, {}, 0b1000)),
          low_half(t, b.vec(VecOp::shuffle_32, both, {}, {}, 0b1101))};
}

// FRINT and conversions to integers by opcode and bit 23; the host's rounding, or none.
constexpr u32 kNoRounding = 16;
u32 rounding_of(u32 opcode, bool a, bool u) {
  switch (opcode) {
    case 0b11000:
      return u ? kNoRounding : a ? 8 | 2 : 8 | 0;
    case 0b11001:
      return u ? (a ? 8 | 4 : 4) : a ? 8 | 3 : 8 | 1;
    case 0b11010:
      return a ? 2 : 0;
    case 0b11011:
      return a ? 3 : 1;
    default:
      return kNoRounding;
  }
}

// Signed integers of singles: the host gives the least one for all it cannot convert. Rounding first says what is
// inexact; numbers too large for an integer have no fraction.
void convert_to_integers(Translator& t, const Insn& i, u32 rounding) {
  auto& b = t.b;
  Value n = lanes_of(t, i, i.rn());
  if (rounding != 3) n = b.vec(VecOp::fround_ps, n, n, {}, rounding);
  const Value integers = b.vec(VecOp::ps_to_i32_trunc, n);
  const Value above = b.vec(VecOp::fcmp_ps, all_of(t, 0x4f0000004f000000), n, {}, kBelowOrEqual);  // 2^31
  const Value numbers = b.vec(VecOp::fcmp_ps, n, n, {}, kOrdered);
  set_sized(t, i, b.and_(b.xor_(integers, above), numbers));
}

}  // namespace

bool fp_three_in_ir(Translator& t, const Insn& i) {
  if (!i.bit(21) || !has_arithmetic(t)) return false;
  const bool is_double = i.bit(22), u = i.bit(29), a = i.bit(23);
  const u32 opcode = i.field(11, 5);
  const auto operand = [&](u32 reg) { return i.bit(28) ? t.v(reg) : lanes_of(t, i, reg); };
  if (opcode == 0b11100 || (opcode == 0b11101 && u)) {  // FCMEQ, FCMGE, FCMGT, FACGE, FACGT
    if (!u && a) return false;
    Value n = operand(i.rn());
    Value m = operand(i.rm());
    if (opcode == 0b11101) {
      n = magnitudes(t, n, is_double);
      m = magnitudes(t, m, is_double);
    }
    set_compared(t, i, !u ? kEqual : a ? kBelow : kBelowOrEqual, m, n);
    return true;
  }
  if (i.bit(28)) return false;
  const auto binary = [&](VecOp ps) {
    const Value n = lanes_of(t, i, i.rn());
    set_sized(t, i, t.b.vec(of_vectors(ps, is_double), n, lanes_of(t, i, i.rm())));
    return true;
  };
  const auto of_pairs = [&](VecOp ps) {
    const Pairs pairs = pairs_of(t, i, is_double);
    set_sized(t, i, t.b.vec(of_vectors(ps, is_double), pairs.even, pairs.odd));
    return true;
  };
  switch (opcode) {
    case 0b11000: {
      const VecOp ps = a ? VecOp::pminnm_ps : VecOp::pmaxnm_ps;
      return u ? of_pairs(ps) : binary(ps);
    }
    case 0b11110: {
      const VecOp ps = a ? VecOp::pmin_ps : VecOp::pmax_ps;
      return u ? of_pairs(ps) : binary(ps);
    }
    case 0b11001: {
      Value n = lanes_of(t, i, i.rn());
      if (a) n = negated(t, n, is_double);
      const Value m = lanes_of(t, i, i.rm());
      set_sized(t, i, t.b.vec(of_vectors(VecOp::pfma_ps, is_double), n, m, lanes_of(t, i, i.rd())));
      return true;
    }
    case 0b11010:
      if (!u) return binary(a ? VecOp::psub_ps : VecOp::padd_ps);
      if (!a) return of_pairs(VecOp::padd_ps);
      {
        const Value n = lanes_of(t, i, i.rn());
        const Value difference = t.b.vec(of_vectors(VecOp::psub_ps, is_double), n, lanes_of(t, i, i.rm()));
        set_sized(t, i, magnitudes(t, difference, is_double));
        return true;
      }
    case 0b11011:
      return u && binary(VecOp::pmul_ps);
    case 0b11111:
      return u && i.bit(30) && binary(VecOp::pdiv_ps);
    default:
      return false;
  }
}

bool fp_two_in_ir(Translator& t, const Insn& i) {
  if (i.field(17, 5) == 0b11100) return false;
  const bool is_double = i.bit(22), u = i.bit(29), a = i.bit(23);
  const u32 opcode = i.field(12, 5);
  if (a && opcode >= 0b01100 && opcode <= 0b01110 && has_arithmetic(t)) {  // comparisons with zero
    if (u && opcode == 0b01110) return false;
    const Value n = i.bit(28) ? t.v(i.rn()) : lanes_of(t, i, i.rn());
    const Value zero = all_of(t, 0);
    const u32 predicate = opcode == 0b01101 && !u ? kEqual : (opcode == 0b01110 || !u) ? kBelow : kBelowOrEqual;
    opcode == 0b01100 ? set_compared(t, i, predicate, zero, n) : set_compared(t, i, predicate, n, zero);
    return true;
  }
  if (i.bit(28)) return false;
  if (const u32 rounding = rounding_of(opcode, a, u); rounding != kNoRounding && has_arithmetic(t)) {
    const bool to_integers = opcode >= 0b11010;
    if (to_integers && (u || is_double)) return false;
    if (to_integers) {
      convert_to_integers(t, i, rounding);
    } else {
      const Value n = lanes_of(t, i, i.rn());
      set_sized(t, i, t.b.vec(of_vectors(VecOp::fround_ps, is_double), n, n, {}, rounding));
    }
    return true;
  }
  if (opcode == 0b11101 && !a && !u && !is_double && has_arithmetic(t)) {  // SCVTF
    set_sized(t, i, t.b.vec(VecOp::i32_to_ps, lanes_of(t, i, i.rn())));
    return true;
  }
  if (!a) return false;
  switch (opcode) {
    case 0b01111: {
      const Value n = t.v(i.rn());
      set_sized(t, i, u ? negated(t, n, is_double) : magnitudes(t, n, is_double));
      return true;
    }
    case 0b11111:
      if (!u || !has_arithmetic(t)) return false;
      set_sized(t, i, t.b.vec(of_vectors(VecOp::psqrt_ps, is_double), lanes_of(t, i, i.rn())));
      return true;
    default:
      return false;
  }
}

bool fp_by_element_in_ir(Translator& t, const Insn& i) {
  if (i.bit(28) || !i.bit(23) || i.bit(29) || !has_arithmetic(t)) return false;
  const bool is_double = i.bit(22);
  const u32 h = i.bit(11), l = i.bit(21), size = is_double ? 3 : 2;
  Value value = extracted_element(t, i.rm(), size, is_double ? h : h << 1 | l);
  value = replicated(t, t.b.and_(value, t.b.i64(element_mask(size))), size);
  const Value m = t.b.vec_pair(value, i.bit(30) ? value : t.b.i64(0));
  Value n = lanes_of(t, i, i.rn());
  if (i.field(12, 4) == 0b1001) {
    set_sized(t, i, t.b.vec(of_vectors(VecOp::pmul_ps, is_double), n, m));
    return true;
  }
  if (i.bit(14)) n = negated(t, n, is_double);
  set_sized(t, i, t.b.vec(of_vectors(VecOp::pfma_ps, is_double), n, m, lanes_of(t, i, i.rd())));
  return true;
}

}  // namespace pagoda::arm64::translate
