// SPDX-License-Identifier: MIT
// Floating-point moves, sign injection and classification: F 21.7, 21.9, D 22.5, 22.7. No arithmetic, no flags.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

namespace {

enum class Sign : u8 { of_b, not_of_b, a_xor_b };

// Sign injection on integers of the format's width.
Value inject(Translator& t, Sign kind, Value a, Value b) {
  const u64 sign_bit = u64{1} << (type_bits(a.type) - 1);
  const Value mask = t.b.constant(a.type, sign_bit);
  if (kind == Sign::a_xor_b) return t.b.xor_(a, t.b.and_(b, mask));
  const Value sign = t.b.and_(kind == Sign::not_of_b ? t.b.not_(b) : b, mask);
  const Value magnitude = t.b.and_(a, t.b.constant(a.type, sign_bit - 1));
  return t.b.or_(magnitude, sign);
}

// fmv.s, fneg.s and fabs.s are the cases rs1 == rs2. A register that holds no boxed single counts as the canonical NaN.
void inject_single(Translator& t, const Insn& i, Sign kind) {
  if (!t.fp_on()) return;
  const Value a = t.f(Type::f32, i.rs1);
  if (i.rs1 == i.rs2 && kind == Sign::of_b) return t.set_f(i.rd, a);
  if (i.rs1 == i.rs2 && kind == Sign::not_of_b) return t.set_f(i.rd, t.b.fneg(a));
  const Value b = t.f(Type::f32, i.rs2);
  const Value a_bits = t.b.bitcast(a, Type::i32);
  t.set_f(i.rd, t.b.bitcast(inject(t, kind, a_bits, t.b.bitcast(b, Type::i32)), Type::f32));
}

void inject_double(Translator& t, const Insn& i, Sign kind) {
  if (!t.fp_on()) return;
  const Value a = t.f_bits(i.rs1);
  if (i.rs1 == i.rs2 && kind == Sign::of_b) return t.set_f_bits(i.rd, a);
  if (i.rs1 == i.rs2 && kind == Sign::not_of_b) return t.set_f(i.rd, t.b.fneg(t.f(Type::f64, i.rs1)));
  t.set_f_bits(i.rd, inject(t, kind, a, t.f_bits(i.rs2)));
}

void classify(Translator& t, const Insn& i, Type type) {
  if (!t.fp_on()) return;
  t.set_x(i.rd, t.b.fclass(t.f(type, i.rs1)));
}

}  // namespace

void fsgnj_s(Translator& t, const Insn& i) { inject_single(t, i, Sign::of_b); }
void fsgnjn_s(Translator& t, const Insn& i) { inject_single(t, i, Sign::not_of_b); }
void fsgnjx_s(Translator& t, const Insn& i) { inject_single(t, i, Sign::a_xor_b); }
void fsgnj_d(Translator& t, const Insn& i) { inject_double(t, i, Sign::of_b); }
void fsgnjn_d(Translator& t, const Insn& i) { inject_double(t, i, Sign::not_of_b); }
void fsgnjx_d(Translator& t, const Insn& i) { inject_double(t, i, Sign::a_xor_b); }

void fclass_s(Translator& t, const Insn& i) { classify(t, i, Type::f32); }
void fclass_d(Translator& t, const Insn& i) { classify(t, i, Type::f64); }

// Moves transfer bits, boxed or not.
void fmv_x_w(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_x_sext(i.rd, t.b.trunc(t.f_bits(i.rs1), Type::i32));
}
void fmv_w_x(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  const Value a = t.x(i.rs1);
  t.set_f_bits(i.rd, t.b.or_(a, t.b.i64(0xffffffff00000000)));
}
void fmv_x_d(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_x(i.rd, t.f_bits(i.rs1));
}
void fmv_d_x(Translator& t, const Insn& i) {
  if (!t.fp_on()) return;
  t.set_f_bits(i.rd, t.x(i.rs1));
}

}  // namespace pagoda::riscv64::translate
