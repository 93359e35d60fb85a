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

}  // namespace

bool fp_three_in_ir(Translator& t, const Insn& i) {
  if (!i.bit(21) || i.bit(28) || !has_arithmetic(t)) return false;
  const bool is_double = i.bit(22), u = i.bit(29), a = i.bit(23);
  const auto binary = [&](VecOp ps) {
    const Value n = lanes_of(t, i, i.rn());
    set_sized(t, i, t.b.vec(of_vectors(ps, is_double), n, lanes_of(t, i, i.rm())));
    return true;
  };
  switch (i.field(11, 5)) {
    case 0b11001: {
      Value n = lanes_of(t, i, i.rn());
      if (a) n = negated(t, n, is_double);
      const Value m = lanes_of(t, i, i.rm());
      set_sized(t, i, t.b.vec(of_vectors(VecOp::pfma_ps, is_double), n, m, lanes_of(t, i, i.rd())));
      return true;
    }
    case 0b11010:
      return !u && binary(a ? VecOp::psub_ps : VecOp::padd_ps);
    case 0b11011:
      return u && binary(VecOp::pmul_ps);
    case 0b11111:
      return u && i.bit(30) && binary(VecOp::pdiv_ps);
    default:
      return false;
  }
}

bool fp_two_in_ir(Translator& t, const Insn& i) {
  if (i.bit(28) || !i.bit(23) || i.field(17, 5) == 0b11100) return false;
  const bool is_double = i.bit(22), u = i.bit(29);
  switch (i.field(12, 5)) {
    case 0b01111: {
      const Value n = t.v(i.rn());
      const Value magnitudes = all_of(t, is_double ? 0x7fffffffffffffff : 0x7fffffff7fffffff);
      set_sized(t, i, u ? negated(t, n, is_double) : t.b.and_(n, magnitudes));
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
