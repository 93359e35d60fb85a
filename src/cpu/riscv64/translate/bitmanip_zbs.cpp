// SPDX-License-Identifier: MIT
// Single bits: Zbs, 29.4.4. Shifts take the bit number modulo 64 by themselves.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Value;

namespace {

// rs1 and a word with only the bit chosen by rs2 or the immediate.
struct BitOperands {
  Value a, bit;
};
BitOperands register_bit(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  return {a, t.b.shl(t.b.i64(1), b)};
}
BitOperands immediate_bit(Translator& t, const Insn& i) { return {t.x(i.rs1), t.b.i64(u64{1} << i.immediate)}; }

void extract(Translator& t, const Insn& i, Translator::Pair operands) {
  const Value shifted = t.b.shr(operands.a, operands.b);
  t.set_x(i.rd, t.b.and_(shifted, t.b.i64(1)));
}
void clear(Translator& t, const Insn& i, BitOperands o) { t.set_x(i.rd, t.b.and_(o.a, t.b.not_(o.bit))); }
void invert(Translator& t, const Insn& i, BitOperands o) { t.set_x(i.rd, t.b.xor_(o.a, o.bit)); }
void set(Translator& t, const Insn& i, BitOperands o) { t.set_x(i.rd, t.b.or_(o.a, o.bit)); }

}  // namespace

void bclr(Translator& t, const Insn& i) { clear(t, i, register_bit(t, i)); }
void bclri(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  t.set_x(i.rd, t.b.and_(a, t.b.i64(~(u64{1} << i.immediate))));
}
void bext(Translator& t, const Insn& i) { extract(t, i, t.registers(i)); }
void bexti(Translator& t, const Insn& i) { extract(t, i, t.immediate(i)); }
void binv(Translator& t, const Insn& i) { invert(t, i, register_bit(t, i)); }
void binvi(Translator& t, const Insn& i) { invert(t, i, immediate_bit(t, i)); }
void bset(Translator& t, const Insn& i) { set(t, i, register_bit(t, i)); }
void bseti(Translator& t, const Insn& i) { set(t, i, immediate_bit(t, i)); }

}  // namespace pagoda::riscv64::translate
