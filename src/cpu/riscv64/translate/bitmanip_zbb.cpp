// SPDX-License-Identifier: MIT
// Basic bit manipulation: Zbb, 29.4.2; what Zcb (27.3) adds to its extensions.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::Type;
using ir::Value;

// Logic with negate
void andn(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.b.and_(a, t.b.not_(b)));
}
void orn(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.b.or_(a, t.b.not_(b)));
}
void xnor(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.not_(t.op(&Builder::xor_, t.registers(i)))); }

// Counting
void clz(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.clz(t.x(i.rs1))); }
void ctz(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.ctz(t.x(i.rs1))); }
void cpop(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.popcnt(t.x(i.rs1))); }
void clzw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.clz(t.w(i.rs1))); }
void ctzw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.ctz(t.w(i.rs1))); }
void cpopw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.popcnt(t.w(i.rs1))); }

// Minimum and maximum
void max(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::max_s, t.registers(i))); }
void maxu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::max_u, t.registers(i))); }
void min(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::min_s, t.registers(i))); }
void minu(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::min_u, t.registers(i))); }

// Extension
void sext_b(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.trunc(t.x(i.rs1), Type::i8)); }
void zext_b(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  t.set_x(i.rd, t.b.and_(a, t.b.i64(0xff)));
}
void zext_w(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  t.set_x(i.rd, t.b.and_(a, t.b.i64(0xffffffff)));
}
void not_(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.not_(t.x(i.rs1))); }
void sext_h(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.trunc(t.x(i.rs1), Type::i16)); }
void zext_h(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  t.set_x(i.rd, t.b.and_(a, t.b.i64(0xffff)));
}

// Rotation
void rol(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::rotl, t.registers(i))); }
void ror(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::rotr, t.registers(i))); }
void rori(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::rotr, t.immediate(i))); }
void rolw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::rotl, t.words(i))); }
void rorw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::rotr, t.words(i))); }
void roriw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::rotr, t.word_immediate(i))); }

// Bytes. A byte plus 0x7f carries into bit 7 unless its low bits are 0; each bit 7 then spreads over its byte.
void orc_b(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  const Value low_bits = t.b.i64(0x7f7f7f7f7f7f7f7f);
  const Value carried = t.b.or_(t.b.add(t.b.and_(a, low_bits), low_bits), a);
  const Value high_bits = t.b.and_(carried, t.b.i64(0x8080808080808080));
  const Value ones = t.b.shr(high_bits, t.b.i64(7));
  t.set_x(i.rd, t.b.mul(ones, t.b.i64(0xff)));
}
void rev8(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.bswap(t.x(i.rs1))); }

}  // namespace pagoda::riscv64::translate
