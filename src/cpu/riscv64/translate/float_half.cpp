// SPDX-License-Identifier: MIT
// Half precision: Zfhmin and Zfh, chapter 24.
//
// Computed in double precision and rounded twice, with the same mode, which changes no result and no flag: sums,
// products and conversions are exact in double; quotients and roots are never so close to a half, or to the middle of
// two, that 53 bits could not tell (twice 11 bits and two suffice); and a fused sum that 53 bits cannot hold is either
// beyond the range of halves or a half with a product far below its last bit, which is not near a middle either.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::FpCompare;
using ir::Round;
using ir::Sign;
using ir::Type;
using ir::Value;

namespace {

Value half(Translator& t, u32 reg) { return t.b.f16_widen(Type::f64, t.half_bits(reg)); }
Translator::Pair halves(Translator& t, const Insn& i) { return {half(t, i.rs1), half(t, i.rs2)}; }
void set_half(Translator& t, u32 reg, Value value, Round round) { t.set_half_bits(reg, t.b.f16_narrow(value, round)); }

using Rounded = Value (Builder::*)(Value, Value, Round);
void arithmetic(Translator& t, const Insn& i, Rounded op) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  const auto [a, b] = halves(t, i);
  set_half(t, i.rd, (t.b.*op)(a, b, *round), *round);
}

void fused(Translator& t, const Insn& i, bool negate_product, bool negate_addend) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  auto [a, b] = halves(t, i);
  Value c = half(t, i.rs3);
  if (negate_product) a = t.b.fneg(a);
  if (negate_addend) c = t.b.fneg(c);
  set_half(t, i.rd, t.b.fma(a, b, c, *round), *round);
}

void min_max(Translator& t, const Insn& i, Value (Builder::*op)(Value, Value)) {
  if (!t.fp_on()) return;
  const auto [a, b] = halves(t, i);
  set_half(t, i.rd, (t.b.*op)(a, b), Round::nearest_even);
}

void compare(Translator& t, const Insn& i, FpCompare kind) {
  if (!t.fp_on()) return;
  const auto [a, b] = halves(t, i);
  t.set_x_bool(i.rd, t.b.fcmp(kind, a, b));
  t.fp_changes();
}

// The sign of the result, from the signs of both operands.
using SignOf = Value (*)(Builder&, Value a, Value b);
void inject(Translator& t, const Insn& i, SignOf sign_of) {
  if (!t.fp_on()) return;
  const Value a = t.half_bits(i.rs1), b = t.half_bits(i.rs2);
  const Value sign_bit = t.b.constant(Type::i16, 0x8000);
  const Value sign = t.b.and_(sign_of(t.b, a, b), sign_bit);
  t.set_half_bits(i.rd, t.b.or_(t.b.and_(a, t.b.constant(Type::i16, 0x7fff)), sign));
}

void to_integer(Translator& t, const Insn& i, Type to, Sign sign) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  t.set_x_sext(i.rd, t.b.f_to_i(to, half(t, i.rs1), *round, sign));
  t.fp_changes();
}

// What a double cannot hold is beyond the range of halves.
void from_integer(Translator& t, const Insn& i, Type from, Sign sign) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  const Value a = from == Type::i32 ? t.w(i.rs1) : t.x(i.rs1);
  set_half(t, i.rd, t.b.i_to_f(Type::f64, a, *round, sign), *round);
}

void widen(Translator& t, const Insn& i, Type to) {
  if (!t.fp_round(i.rm)) return;
  t.set_f(i.rd, t.b.f16_widen(to, t.half_bits(i.rs1)));
}
void narrow(Translator& t, const Insn& i, Type from) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  set_half(t, i.rd, t.f(from, i.rs1), *round);
}

}  // namespace

void fadd_h(Translator& t, const Insn& i) { arithmetic(t, i, &Builder::fadd); }
void fsub_h(Translator& t, const Insn& i) { arithmetic(t, i, &Builder::fsub); }
void fmul_h(Translator& t, const Insn& i) { arithmetic(t, i, &Builder::fmul); }
void fdiv_h(Translator& t, const Insn& i) { arithmetic(t, i, &Builder::fdiv); }
void fsqrt_h(Translator& t, const Insn& i) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  set_half(t, i.rd, t.b.fsqrt(half(t, i.rs1), *round), *round);
}
void fmadd_h(Translator& t, const Insn& i) { fused(t, i, false, false); }
void fmsub_h(Translator& t, const Insn& i) { fused(t, i, false, true); }
void fnmsub_h(Translator& t, const Insn& i) { fused(t, i, true, false); }
void fnmadd_h(Translator& t, const Insn& i) { fused(t, i, true, true); }
void fmin_h(Translator& t, const Insn& i) { min_max(t, i, &Builder::fmin); }
void fmax_h(Translator& t, const Insn& i) { min_max(t, i, &Builder::fmax); }
void feq_h(Translator& t, const Insn& i) { compare(t, i, FpCompare::eq_quiet); }
void flt_h(Translator& t, const Insn& i) { compare(t, i, FpCompare::lt_signal); }
void fle_h(Translator& t, const Insn& i) { compare(t, i, FpCompare::le_signal); }

void fsgnj_h(Translator& t, const Insn& i) {
  inject(t, i, [](Builder&, Value, Value b) { return b; });
}
void fsgnjn_h(Translator& t, const Insn& i) {
  inject(t, i, [](Builder& builder, Value, Value b) { return builder.not_(b); });
}
void fsgnjx_h(Translator& t, const Insn& i) {
  inject(t, i, [](Builder& builder, Value a, Value b) { return builder.xor_(a, b); });
}
void fclass_h(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_x(i.rd, t.call(HelperId::fclass_h, Type::i64, 0, t.half_bits(i.rs1)));
}

void fcvt_w_h(Translator& t, const Insn& i) { to_integer(t, i, Type::i32, Sign::is_signed); }
void fcvt_wu_h(Translator& t, const Insn& i) { to_integer(t, i, Type::i32, Sign::is_unsigned); }
void fcvt_l_h(Translator& t, const Insn& i) { to_integer(t, i, Type::i64, Sign::is_signed); }
void fcvt_lu_h(Translator& t, const Insn& i) { to_integer(t, i, Type::i64, Sign::is_unsigned); }
void fcvt_h_w(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Sign::is_signed); }
void fcvt_h_wu(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Sign::is_unsigned); }
void fcvt_h_l(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Sign::is_signed); }
void fcvt_h_lu(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Sign::is_unsigned); }
void fcvt_s_h(Translator& t, const Insn& i) { widen(t, i, Type::f32); }
void fcvt_d_h(Translator& t, const Insn& i) { widen(t, i, Type::f64); }
void fcvt_h_s(Translator& t, const Insn& i) { narrow(t, i, Type::f32); }
void fcvt_h_d(Translator& t, const Insn& i) { narrow(t, i, Type::f64); }

// Moves transfer bits, boxed or not.
void fmv_x_h(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_x_sext(i.rd, t.b.trunc(t.f_bits(i.rs1), Type::i16));
}
void fmv_h_x(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_half_bits(i.rd, t.b.trunc(t.x(i.rs1), Type::i16));
}

}  // namespace pagoda::riscv64::translate
