// SPDX-License-Identifier: MIT
// Conversions between integers and precisions: F 21.7, D 22.5. 32-bit results are sign-extended, unsigned ones too.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Sign;
using ir::Type;

namespace {

void to_integer(Translator& t, const Insn& i, Type from, Type to, Sign sign) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  t.set_x_sext(i.rd, t.b.f_to_i(to, t.f(from, i.rs1), *round, sign));
  t.fp_changes();
}

void from_integer(Translator& t, const Insn& i, Type from, Type to, Sign sign) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  t.set_f(i.rd, t.b.i_to_f(to, from == Type::i32 ? t.w(i.rs1) : t.x(i.rs1), *round, sign));
}

void change_precision(Translator& t, const Insn& i, Type from, Type to) {
  const auto round = t.fp_round(i.rm);
  if (!round) return;
  t.set_f(i.rd, t.b.f_to_f(to, t.f(from, i.rs1), *round));
}

}  // namespace

void fcvt_w_s(Translator& t, const Insn& i) { to_integer(t, i, Type::f32, Type::i32, Sign::is_signed); }
void fcvt_wu_s(Translator& t, const Insn& i) { to_integer(t, i, Type::f32, Type::i32, Sign::is_unsigned); }
void fcvt_l_s(Translator& t, const Insn& i) { to_integer(t, i, Type::f32, Type::i64, Sign::is_signed); }
void fcvt_lu_s(Translator& t, const Insn& i) { to_integer(t, i, Type::f32, Type::i64, Sign::is_unsigned); }
void fcvt_w_d(Translator& t, const Insn& i) { to_integer(t, i, Type::f64, Type::i32, Sign::is_signed); }
void fcvt_wu_d(Translator& t, const Insn& i) { to_integer(t, i, Type::f64, Type::i32, Sign::is_unsigned); }
void fcvt_l_d(Translator& t, const Insn& i) { to_integer(t, i, Type::f64, Type::i64, Sign::is_signed); }
void fcvt_lu_d(Translator& t, const Insn& i) { to_integer(t, i, Type::f64, Type::i64, Sign::is_unsigned); }

void fcvt_s_w(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Type::f32, Sign::is_signed); }
void fcvt_s_wu(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Type::f32, Sign::is_unsigned); }
void fcvt_s_l(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Type::f32, Sign::is_signed); }
void fcvt_s_lu(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Type::f32, Sign::is_unsigned); }
void fcvt_d_w(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Type::f64, Sign::is_signed); }
void fcvt_d_wu(Translator& t, const Insn& i) { from_integer(t, i, Type::i32, Type::f64, Sign::is_unsigned); }
void fcvt_d_l(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Type::f64, Sign::is_signed); }
void fcvt_d_lu(Translator& t, const Insn& i) { from_integer(t, i, Type::i64, Type::f64, Sign::is_unsigned); }

void fcvt_s_d(Translator& t, const Insn& i) { change_precision(t, i, Type::f64, Type::f32); }
void fcvt_d_s(Translator& t, const Insn& i) { change_precision(t, i, Type::f32, Type::f64); }

}  // namespace pagoda::riscv64::translate
