// SPDX-License-Identifier: MIT
// Multiplication and division: M 13.1, 13.2. Division by zero and overflow have the IR's own results.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
void mul(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::mul, t.registers(i))); }
void mulh(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::mulh_s, t.registers(i))); }
void mulhsu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::mulh_su, t.registers(i))); }
void mulhu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::mulh_u, t.registers(i))); }
void div(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::div_s, t.registers(i))); }
void divu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::div_u, t.registers(i))); }
void rem(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::rem_s, t.registers(i))); }
void remu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::rem_u, t.registers(i))); }

void mulw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::mul, t.words(i))); }
void divw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::div_s, t.words(i))); }
void divuw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::div_u, t.words(i))); }
void remw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::rem_s, t.words(i))); }
void remuw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::rem_u, t.words(i))); }

}  // namespace pagoda::riscv64::translate
