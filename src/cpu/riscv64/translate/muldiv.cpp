// SPDX-License-Identifier: MIT
// Multiplication and division: M 13.1, 13.2. Division by zero and overflow have the IR's own results.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

void mul(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.mul(t.x(i.rs1), t.x(i.rs2))); }
void mulh(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.mulh_s(t.x(i.rs1), t.x(i.rs2))); }
void mulhsu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.mulh_su(t.x(i.rs1), t.x(i.rs2))); }
void mulhu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.mulh_u(t.x(i.rs1), t.x(i.rs2))); }
void div(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.div_s(t.x(i.rs1), t.x(i.rs2))); }
void divu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.div_u(t.x(i.rs1), t.x(i.rs2))); }
void rem(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.rem_s(t.x(i.rs1), t.x(i.rs2))); }
void remu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.rem_u(t.x(i.rs1), t.x(i.rs2))); }

void mulw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.mul(t.w(i.rs1), t.w(i.rs2))); }
void divw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.div_s(t.w(i.rs1), t.w(i.rs2))); }
void divuw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.div_u(t.w(i.rs1), t.w(i.rs2))); }
void remw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.rem_s(t.w(i.rs1), t.w(i.rs2))); }
void remuw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.rem_u(t.w(i.rs1), t.w(i.rs2))); }

}  // namespace pagoda::riscv64::translate
