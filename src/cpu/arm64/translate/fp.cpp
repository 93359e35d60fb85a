// SPDX-License-Identifier: MIT
// Scalar floating point (Arm ARM C3.8): moves and selections as integers, arithmetic by helpers, whose operands and
// results are the low doublewords of registers.
#include "cpu/arm64/translate/expand_immediate.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

namespace {

// By the precision field, bits 23-22: single, double, -, half.
u64 mask_of(const Insn& i) {
  constexpr u64 masks[] = {0xffffffff, ~u64{0}, 0, 0xffff};
  return masks[i.field(22, 2)];
}
Value number(Translator& t, const Insn& i, u32 reg) {
  const Value low = t.v_low(reg);
  return i.field(22, 2) == 1 ? low : t.b.and_(low, t.b.i64(mask_of(i)));
}

}  // namespace

// FMOV, FABS, FNEG: bits 16-15
void fp_move(Translator& t, const Insn& i) {
  const Value value = number(t, i, i.rn());
  const u64 mask = mask_of(i), sign = mask ^ mask >> 1;
  switch (i.field(15, 2)) {
    case 0:
      return t.set_v_low(i.rd(), value);
    case 1:
      return t.set_v_low(i.rd(), t.b.and_(value, t.b.i64(mask >> 1)));
    default:
      return t.set_v_low(i.rd(), t.b.xor_(value, t.b.i64(sign)));
  }
}

// VFPExpandImm: sign, an exponent of three bits around that of one, four bits of fraction.
u64 expanded_immediate(u32 imm8, u32 precision) {
  const u64 sign = imm8 >> 7, low_exponent = imm8 >> 4 & 3, fraction = imm8 & 15;
  const bool high = (imm8 & 64) == 0;
  switch (precision) {
    case 0:
      return sign << 31 | (high ? u64{0x80} : u64{0x7c}) << 23 | low_exponent << 23 | fraction << 19;
    case 1:
      return sign << 63 | (high ? u64{0x400} : u64{0x3fc}) << 52 | low_exponent << 52 | fraction << 48;
    default:
      return sign << 15 | (high ? u64{0x10} : u64{0xc}) << 10 | low_exponent << 10 | fraction << 6;
  }
}

void fp_move_immediate(Translator& t, const Insn& i) {
  t.set_v_low(i.rd(), t.b.i64(expanded_immediate(i.field(13, 8), i.field(22, 2))));
}

// Bits 20-19 are 1 for the high doubleword of a vector.
void fp_move_to_general(Translator& t, const Insn& i) {
  if (i.field(19, 2) != 0) return t.set_x(i.rd(), t.v_high(i.rn()));
  t.set_x(i.rd(), number(t, i, i.rn()));
}
void fp_move_from_general(Translator& t, const Insn& i) {
  const Value value = t.x(i.rn());
  if (i.field(19, 2) != 0) return t.set_v_pair(i.rd(), t.v_low(i.rd()), value);
  t.set_v_low(i.rd(), i.field(22, 2) == 1 ? value : t.b.and_(value, t.b.i64(mask_of(i))));
}

namespace {

// Singles and doubles, in the usual modes: arithmetic is an op.
bool is_plain(const Translator& t, const Insn& i) { return i.field(22, 2) < 2 && has_arithmetic(t); }
VecOp kind_of(const Insn& i, VecOp ps) { return of_scalars(ps, i.bit(22)); }
Value negated_number(Translator& t, const Insn& i, Value v) {
  const u64 sign = i.bit(22) ? u64{1} << 63 : u64{1} << 31;
  return t.b.xor_(v, t.b.vec_pair(t.b.i64(sign), t.b.i64(0)));
}

}  // namespace

void fp_one(Translator& t, const Insn& i) {
  if (i.field(15, 6) == 0b000011 && is_plain(t, i)) {
    return t.set_v(i.rd(), t.b.vec(kind_of(i, VecOp::psqrt_ps), t.v(i.rn())));
  }
  // FRINT by the host's immediate: bit 3 keeps quiet about what is inexact. Ties away from zero it does not know.
  const u32 opcode = i.field(15, 6);
  if (opcode >> 3 == 1 && opcode != 0b001100 && is_plain(t, i)) {
    constexpr u32 rounds[] = {8, 8 | 2, 8 | 1, 8 | 3, 0, 0, 4, 8 | 4};
    const Value n = t.v(i.rn());
    const Value rounded = t.b.vec(kind_of(i, VecOp::fround_ps), n, n, {}, rounds[opcode & 7]);
    return t.set_v_low(i.rd(), t.b.and_(t.b.vec_low(rounded), t.b.i64(mask_of(i))));
  }
  if (opcode == 0b000101 && i.field(22, 2) == 0 && is_plain(t, i)) {
    const Value n = t.v(i.rn());
    return t.set_v_low(i.rd(), t.b.vec_low(t.b.vec(VecOp::ss_to_sd, n, n)));
  }
  t.set_v_low(i.rd(), t.call(HelperId::fp_one, Type::i64, i.bits, t.v_low(i.rn())));
}

// Opcode, bits 15-12: product, quotient, sum, difference, then minima and maxima, then the negated product.
void fp_two(Translator& t, const Insn& i) {
  constexpr VecOp kinds[] = {VecOp::pmul_ps, VecOp::pdiv_ps, VecOp::padd_ps, VecOp::psub_ps};
  const u32 opcode = i.field(12, 4);
  if (is_plain(t, i) && (opcode < 4 || opcode == 8)) {
    const Value n = t.v(i.rn());
    const Value result = t.b.vec(kind_of(i, kinds[opcode & 3]), n, t.v(i.rm()));
    return t.set_v(i.rd(), opcode == 8 ? negated_number(t, i, result) : result);
  }
  if (is_plain(t, i) && opcode < 8) {
    constexpr VecOp extremes[] = {VecOp::pmax_ps, VecOp::pmin_ps, VecOp::pmaxnm_ps, VecOp::pminnm_ps};
    const Value n = t.v(i.rn());
    return t.set_v(i.rd(), t.b.vec(kind_of(i, extremes[opcode & 3]), n, t.v(i.rm())));
  }
  const Value a = t.v_low(i.rn());
  const Value b = t.v_low(i.rm());
  t.set_v_low(i.rd(), t.call(HelperId::fp_two, Type::i64, i.bits, a, b));
}

// o1, bit 21, negates the whole, o0, bit 15, the product.
void fp_three(Translator& t, const Insn& i) {
  if (is_plain(t, i)) {
    Value n = t.v(i.rn());
    const Value m = t.v(i.rm());
    Value addend = t.v(i.ra());
    if (i.bit(21)) addend = negated_number(t, i, addend);
    if (i.bit(21) != i.bit(15)) n = negated_number(t, i, n);
    return t.set_v(i.rd(), t.b.vec(kind_of(i, VecOp::pfma_ps), n, m, addend));
  }
  const Value a = t.v_low(i.rn());
  const Value b = t.v_low(i.rm());
  const Value c = t.v_low(i.ra());
  t.set_v_low(i.rd(), t.call(HelperId::fp_three, Type::i64, i.bits, a, b, c));
}

namespace {

// NZCV by the host's answer, of which Z and C, brought together, tell greater, equal, less and unordered apart.
Value flags_of_comparison(Translator& t, Value answer) {
  constexpr auto bit = [](ir::Flag flag) { return u64{1} << static_cast<u32>(flag); };
  constexpr u64 greater = bit(ir::Flag::c), equal = bit(ir::Flag::z) | bit(ir::Flag::c), less = bit(ir::Flag::n),
                unordered = bit(ir::Flag::c) | bit(ir::Flag::v);
  static_assert(bit(ir::Flag::z) == 64 && bit(ir::Flag::c) == 1);
  constexpr u64 table = greater | less << 8 | equal << 16 | unordered << 24;
  const Value bits = t.b.vec_low(answer);
  const Value both = t.b.or_(t.b.shl(bits, t.b.i64(3)), t.b.shr(bits, t.b.i64(2)));
  const Value at = t.b.and_(both, t.b.i64(24));
  return t.b.flags_bits(t.b.trunc(t.b.shr(t.b.i64(table), at), Type::i8));
}

Value compared_by_host(Translator& t, const Insn& i, Value n, Value m) {
  constexpr VecOp kinds[2][2] = {{VecOp::ucompare_ss, VecOp::ucompare_sd}, {VecOp::compare_ss, VecOp::compare_sd}};
  return flags_of_comparison(t, t.b.vec(kinds[i.bit(4)][i.field(22, 1)], n, m));
}

// The helper looks for the signalling bit where FCCMP has it.
Value compared(Translator& t, u32 word, Value a, Value b) {
  return t.b.flags_bits(t.b.trunc(t.call(HelperId::fp_compare, Type::i64, word, a, b), Type::i8));
}

}  // namespace

void fp_compare(Translator& t, const Insn& i) {
  const bool with_zero = i.bit(3);
  if (is_plain(t, i)) {
    const Value n = t.v(i.rn());
    const Value m = with_zero ? all_of(t, 0) : t.v(i.rm());
    return t.set_nzcv(compared_by_host(t, i, n, m));
  }
  const Value a = t.v_low(i.rn());
  const Value b = with_zero ? t.b.i64(0) : t.v_low(i.rm());
  t.set_nzcv(compared(t, i.bits, a, b));
}

// Where the condition fails nothing is compared, so that no exception is raised: two ordinary numbers take its place.
void fp_conditional_compare(Translator& t, const Insn& i) {
  const Value holds = t.condition(i.field(12, 4));
  if (is_plain(t, i)) {
    const Value none = all_of(t, 0);
    const Value n = t.b.select(holds, t.v(i.rn()), none);
    const Value m = t.b.select(holds, t.v(i.rm()), none);
    return t.set_nzcv(t.b.select(holds, compared_by_host(t, i, n, m), t.flags_of_field(i.field(0, 4))));
  }
  const Value zero = t.b.i64(0);
  const Value a = t.b.select(holds, t.v_low(i.rn()), zero);
  const Value b = t.b.select(holds, t.v_low(i.rm()), zero);
  t.set_nzcv(t.b.select(holds, compared(t, i.bits, a, b), t.flags_of_field(i.field(0, 4))));
}

void fp_conditional_select(Translator& t, const Insn& i) {
  const Value holds = t.condition(i.field(12, 4));
  const Value yes = number(t, i, i.rn());
  const Value no = number(t, i, i.rm());
  t.set_v_low(i.rd(), t.b.select(holds, yes, no));
}

// Toward zero, as compilers convert; a NaN gives zero.
void fp_to_integer(Translator& t, const Insn& i) {
  if (is_plain(t, i) && i.bit(21) && i.field(19, 2) == 3) {
    const bool is_double = i.bit(22);
    Value number = t.v_low(i.rn());
    number = is_double ? t.b.bitcast(number, Type::f64) : t.b.bitcast(t.b.trunc(number, Type::i32), Type::f32);
    const Type type = Translator::width(i.is_64());
    const ir::Sign sign = i.bit(16) ? ir::Sign::is_unsigned : ir::Sign::is_signed;
    const Value integer = t.b.f_to_i(type, number, ir::Round::to_zero, sign);
    const Value is_number = t.b.fcmp(ir::FpCompare::eq_quiet, number, number);
    return t.set_r(i.rd(), t.b.select(is_number, integer, t.constant(i.is_64(), 0)));
  }
  t.set_x(i.rd(), t.call(HelperId::fp_to_integer, Type::i64, i.bits, t.v_low(i.rn())));
}

void fp_from_integer(Translator& t, const Insn& i) {
  if (is_plain(t, i) && i.bit(21)) {
    const ir::Sign sign = i.bit(16) ? ir::Sign::is_unsigned : ir::Sign::is_signed;
    const Value integer = t.r(i.rn(), i.is_64());
    if (i.bit(22)) {
      return t.set_v_low(i.rd(), t.b.bitcast(t.b.i_to_f(Type::f64, integer, ir::Round::mode, sign), Type::i64));
    }
    const Value bits = t.b.bitcast(t.b.i_to_f(Type::f32, integer, ir::Round::mode, sign), Type::i32);
    return t.set_v_low(i.rd(), t.b.zext(bits, Type::i64));
  }
  t.set_v_low(i.rd(), t.call(HelperId::fp_from_integer, Type::i64, i.bits, t.x(i.rn())));
}

}  // namespace pagoda::arm64::translate
