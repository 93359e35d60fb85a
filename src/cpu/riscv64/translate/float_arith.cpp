// SPDX-License-Identifier: MIT
// Floating-point computation and comparison: F 21.6, 21.8, D 22.4, 22.6. Results that are NaN are canonical by the IR.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::FpCompare;
using ir::Round;
using ir::Type;
using ir::Value;

namespace {

using Rounded = Value (Builder::*)(Value, Value, Round);
void arithmetic(Translator& t, const Insn& i, Type type, Rounded op) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  const auto [a, b] = t.floats(type, i);
  t.set_f(i.rd, (t.b.*op)(a, b, *round));
}

void square_root(Translator& t, const Insn& i, Type type) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  t.set_f(i.rd, t.b.fsqrt(t.f(type, i.rs1), *round));
}

// (negate_product ? -(rs1 * rs2) : rs1 * rs2) + (negate_addend ? -rs3 : rs3), rounded once
void fused(Translator& t, const Insn& i, Type type, bool negate_product, bool negate_addend) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  auto [a, b] = t.floats(type, i);
  Value c = t.f(type, i.rs3);
  if (negate_product) a = t.b.fneg(a);
  if (negate_addend) c = t.b.fneg(c);
  t.set_f(i.rd, t.b.fma(a, b, c, *round));
}

using Exact = Value (Builder::*)(Value, Value);
void min_max(Translator& t, const Insn& i, Type type, Exact op) {
  if (!t.fp_on()) return;
  const auto [a, b] = t.floats(type, i);
  t.set_f(i.rd, (t.b.*op)(a, b));
}

void compare(Translator& t, const Insn& i, Type type, FpCompare kind) {
  if (!t.fp_on()) return;
  const auto [a, b] = t.floats(type, i);
  t.set_x_bool(i.rd, t.b.fcmp(kind, a, b));
  t.fp_changes();
}

}  // namespace

void fadd_s(Translator& t, const Insn& i) { arithmetic(t, i, Type::f32, &Builder::fadd); }
void fsub_s(Translator& t, const Insn& i) { arithmetic(t, i, Type::f32, &Builder::fsub); }
void fmul_s(Translator& t, const Insn& i) { arithmetic(t, i, Type::f32, &Builder::fmul); }
void fdiv_s(Translator& t, const Insn& i) { arithmetic(t, i, Type::f32, &Builder::fdiv); }
void fsqrt_s(Translator& t, const Insn& i) { square_root(t, i, Type::f32); }
void fmadd_s(Translator& t, const Insn& i) { fused(t, i, Type::f32, false, false); }
void fmsub_s(Translator& t, const Insn& i) { fused(t, i, Type::f32, false, true); }
void fnmsub_s(Translator& t, const Insn& i) { fused(t, i, Type::f32, true, false); }
void fnmadd_s(Translator& t, const Insn& i) { fused(t, i, Type::f32, true, true); }
void fmin_s(Translator& t, const Insn& i) { min_max(t, i, Type::f32, &Builder::fmin); }
void fmax_s(Translator& t, const Insn& i) { min_max(t, i, Type::f32, &Builder::fmax); }
void feq_s(Translator& t, const Insn& i) { compare(t, i, Type::f32, FpCompare::eq_quiet); }
void flt_s(Translator& t, const Insn& i) { compare(t, i, Type::f32, FpCompare::lt_signal); }
void fle_s(Translator& t, const Insn& i) { compare(t, i, Type::f32, FpCompare::le_signal); }

void fadd_d(Translator& t, const Insn& i) { arithmetic(t, i, Type::f64, &Builder::fadd); }
void fsub_d(Translator& t, const Insn& i) { arithmetic(t, i, Type::f64, &Builder::fsub); }
void fmul_d(Translator& t, const Insn& i) { arithmetic(t, i, Type::f64, &Builder::fmul); }
void fdiv_d(Translator& t, const Insn& i) { arithmetic(t, i, Type::f64, &Builder::fdiv); }
void fsqrt_d(Translator& t, const Insn& i) { square_root(t, i, Type::f64); }
void fmadd_d(Translator& t, const Insn& i) { fused(t, i, Type::f64, false, false); }
void fmsub_d(Translator& t, const Insn& i) { fused(t, i, Type::f64, false, true); }
void fnmsub_d(Translator& t, const Insn& i) { fused(t, i, Type::f64, true, false); }
void fnmadd_d(Translator& t, const Insn& i) { fused(t, i, Type::f64, true, true); }
void fmin_d(Translator& t, const Insn& i) { min_max(t, i, Type::f64, &Builder::fmin); }
void fmax_d(Translator& t, const Insn& i) { min_max(t, i, Type::f64, &Builder::fmax); }
void feq_d(Translator& t, const Insn& i) { compare(t, i, Type::f64, FpCompare::eq_quiet); }
void flt_d(Translator& t, const Insn& i) { compare(t, i, Type::f64, FpCompare::lt_signal); }
void fle_d(Translator& t, const Insn& i) { compare(t, i, Type::f64, FpCompare::le_signal); }

}  // namespace pagoda::riscv64::translate
