// SPDX-License-Identifier: MIT
// Additional floating-point instructions: Zfa, chapter 25.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"
#include "tcg/host/fp.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::FpCompare;
using ir::Round;
using ir::Type;
using ir::Value;

namespace {

// Where the numbers of a row are computed: halves in double precision, where all of this is exact.
struct Precision {
  Type type;
  bool is_half = false;
};
constexpr Precision kHalf{Type::f64, true}, kSingle{Type::f32}, kDouble{Type::f64};

Value read(Translator& t, u32 reg, Precision p) {
  return p.is_half ? t.b.f16_widen(Type::f64, t.half_bits(reg)) : t.f(p.type, reg);
}
void write(Translator& t, u32 reg, Value value, Precision p) {
  if (p.is_half) return t.set_half_bits(reg, t.b.f16_narrow(value, Round::nearest_even));
  t.set_f(reg, value);
}

// --- fli: (1 + quarters / 4) * 2^exponent; numbers 0 and 1, 30 and 31 are -1, the least normal, infinity and NaN.
struct Constant {
  int exponent;
  u32 quarters;
};
constexpr Constant kConstants[32] = {{0, 0},  {0, 0},  {-16, 0}, {-15, 0}, {-8, 0}, {-7, 0}, {-4, 0}, {-3, 0},
                                     {-2, 0}, {-2, 1}, {-2, 2},  {-2, 3},  {-1, 0}, {-1, 1}, {-1, 2}, {-1, 3},
                                     {0, 0},  {0, 1},  {0, 2},   {0, 3},   {1, 0},  {1, 1},  {1, 2},  {2, 0},
                                     {3, 0},  {4, 0},  {7, 0},   {8, 0},   {15, 0}, {16, 0}, {0, 0},  {0, 0}};

template <class T>
u64 constant_bits(u32 number) {
  using F = fp::Format<T>;
  constexpr u32 kMinusOne = 0, kLeastNormal = 1, kInfinity = 30, kNan = 31;
  if (number == kInfinity) return F::kInf;
  if (number == kNan) return F::kNan;
  const Constant c = number == kLeastNormal ? Constant{F::kMinExponent, 0} : kConstants[number];
  if (c.exponent > F::kMaxExponent) return F::kInf;
  const u64 one = u64{1} << (F::kPrecision - 1);
  if (c.exponent < F::kMinExponent) return one >> (F::kMinExponent - c.exponent);  // a power of two, subnormal
  const u64 bits = static_cast<u64>(c.exponent + F::kMaxExponent) * one + c.quarters * (one / 4);
  return number == kMinusOne ? bits | F::kSign : bits;
}

// NaN if either operand is one; fmin and fmax themselves would prefer the number.
void min_max(Translator& t, const Insn& i, Precision p, Value (Builder::*op)(Value, Value)) {
  if (!t.fp_on()) return;
  const Value a = read(t, i.rs1, p), b = read(t, i.rs2, p);
  const Value a_is_number = t.b.fcmp(FpCompare::eq_quiet, a, a), b_is_number = t.b.fcmp(FpCompare::eq_quiet, b, b);
  const u64 nan_bits = p.type == Type::f32 ? u64{fp::Format<u32>::kNan} : fp::Format<u64>::kNan;
  const Value nan = t.b.bitcast(t.b.constant(p.type == Type::f32 ? Type::i32 : Type::i64, nan_bits), p.type);
  const Value number = (t.b.*op)(a, b);
  write(t, i.rd, t.b.select(t.b.and_(a_is_number, b_is_number), number, nan), p);
}

void round_integral(Translator& t, const Insn& i, Precision p, Value (Builder::*op)(Value, Round)) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  write(t, i.rd, (t.b.*op)(read(t, i.rs1, p), *round), p);
}

void compare(Translator& t, const Insn& i, Precision p, FpCompare kind) {
  if (!t.fp_on()) return;
  const Value a = read(t, i.rs1, p), b = read(t, i.rs2, p);
  t.set_x_bool(i.rd, t.b.fcmp(kind, a, b));
  t.fp_changes();
}

}  // namespace

void fli_h(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_half_bits(i.rd, t.b.constant(Type::i16, constant_bits<u16>(i.rs1)));
}
void fli_s(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_f_bits(i.rd, t.b.i64(fp::f32_box(static_cast<u32>(constant_bits<u32>(i.rs1)))));
}
void fli_d(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_f_bits(i.rd, t.b.i64(constant_bits<u64>(i.rs1)));
}

void fminm_h(Translator& t, const Insn& i) { min_max(t, i, kHalf, &Builder::fmin); }
void fminm_s(Translator& t, const Insn& i) { min_max(t, i, kSingle, &Builder::fmin); }
void fminm_d(Translator& t, const Insn& i) { min_max(t, i, kDouble, &Builder::fmin); }
void fmaxm_h(Translator& t, const Insn& i) { min_max(t, i, kHalf, &Builder::fmax); }
void fmaxm_s(Translator& t, const Insn& i) { min_max(t, i, kSingle, &Builder::fmax); }
void fmaxm_d(Translator& t, const Insn& i) { min_max(t, i, kDouble, &Builder::fmax); }
void fround_h(Translator& t, const Insn& i) { round_integral(t, i, kHalf, &Builder::fround); }
void fround_s(Translator& t, const Insn& i) { round_integral(t, i, kSingle, &Builder::fround); }
void fround_d(Translator& t, const Insn& i) { round_integral(t, i, kDouble, &Builder::fround); }
void froundnx_h(Translator& t, const Insn& i) { round_integral(t, i, kHalf, &Builder::froundx); }
void froundnx_s(Translator& t, const Insn& i) { round_integral(t, i, kSingle, &Builder::froundx); }
void froundnx_d(Translator& t, const Insn& i) { round_integral(t, i, kDouble, &Builder::froundx); }
void fleq_h(Translator& t, const Insn& i) { compare(t, i, kHalf, FpCompare::le_quiet); }
void fleq_s(Translator& t, const Insn& i) { compare(t, i, kSingle, FpCompare::le_quiet); }
void fleq_d(Translator& t, const Insn& i) { compare(t, i, kDouble, FpCompare::le_quiet); }
void fltq_h(Translator& t, const Insn& i) { compare(t, i, kHalf, FpCompare::lt_quiet); }
void fltq_s(Translator& t, const Insn& i) { compare(t, i, kSingle, FpCompare::lt_quiet); }
void fltq_d(Translator& t, const Insn& i) { compare(t, i, kDouble, FpCompare::lt_quiet); }

void fcvtmod_w_d(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_x(i.rd, t.call(HelperId::fcvtmod_w_d, Type::i64, 0, t.f_bits(i.rs1)));
  t.fp_changes();
}

}  // namespace pagoda::riscv64::translate
