// SPDX-License-Identifier: MIT
// Single bits: Zbs, 29.4.4. Shifts take the bit number modulo 64 by themselves.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Value;

namespace {
Value bit(Translator& t, const Insn& i) { return t.b.shl(t.b.i64(1), t.x(i.rs2)); }
Value immediate_bit(Translator& t, const Insn& i) { return t.b.i64(u64{1} << i.immediate); }
}  // namespace

void bclr(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.and_(t.x(i.rs1), t.b.not_(bit(t, i)))); }
void bext(Translator& t, const Insn& i) {
  t.set_x(i.rd, t.b.and_(t.b.shr(t.x(i.rs1), t.x(i.rs2)), t.b.i64(1)));
}
void binv(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.xor_(t.x(i.rs1), bit(t, i))); }
void bset(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.or_(t.x(i.rs1), bit(t, i))); }
void bclri(Translator& t, const Insn& i) {
  t.set_x(i.rd, t.b.and_(t.x(i.rs1), t.b.i64(~(u64{1} << i.immediate))));
}
void bexti(Translator& t, const Insn& i) {
  t.set_x(i.rd, t.b.and_(t.b.shr(t.x(i.rs1), t.b.i64(static_cast<u64>(i.immediate))), t.b.i64(1)));
}
void binvi(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.xor_(t.x(i.rs1), immediate_bit(t, i))); }
void bseti(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.or_(t.x(i.rs1), immediate_bit(t, i))); }

}  // namespace pagoda::riscv64::translate
