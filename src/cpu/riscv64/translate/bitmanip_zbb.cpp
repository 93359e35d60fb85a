// SPDX-License-Identifier: MIT
// Basic bit manipulation: Zbb, 29.4.2.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

// Logic with negate
void andn(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.and_(t.x(i.rs1), t.b.not_(t.x(i.rs2)))); }
void orn(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.or_(t.x(i.rs1), t.b.not_(t.x(i.rs2)))); }
void xnor(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.not_(t.b.xor_(t.x(i.rs1), t.x(i.rs2)))); }

// Counting
void clz(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.clz(t.x(i.rs1))); }
void ctz(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.ctz(t.x(i.rs1))); }
void cpop(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.popcnt(t.x(i.rs1))); }
void clzw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.clz(t.w(i.rs1))); }
void ctzw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.ctz(t.w(i.rs1))); }
void cpopw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.popcnt(t.w(i.rs1))); }

// Minimum and maximum
void max(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.max_s(t.x(i.rs1), t.x(i.rs2))); }
void maxu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.max_u(t.x(i.rs1), t.x(i.rs2))); }
void min(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.min_s(t.x(i.rs1), t.x(i.rs2))); }
void minu(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.min_u(t.x(i.rs1), t.x(i.rs2))); }

// Extension
void sext_b(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.trunc(t.x(i.rs1), Type::i8)); }
void sext_h(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.trunc(t.x(i.rs1), Type::i16)); }
void zext_h(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.and_(t.x(i.rs1), t.b.i64(0xffff))); }

// Rotation
void rol(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.rotl(t.x(i.rs1), t.x(i.rs2))); }
void ror(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.rotr(t.x(i.rs1), t.x(i.rs2))); }
void rori(Translator& t, const Insn& i) {
  t.set_x(i.rd, t.b.rotr(t.x(i.rs1), t.b.i64(static_cast<u64>(i.immediate))));
}
void rolw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.rotl(t.w(i.rs1), t.w(i.rs2))); }
void rorw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.rotr(t.w(i.rs1), t.w(i.rs2))); }
void roriw(Translator& t, const Insn& i) {
  t.set_x_sext(i.rd, t.b.rotr(t.w(i.rs1), t.b.i32(static_cast<u32>(i.immediate))));
}

// Bytes. A byte plus 0x7f carries into bit 7 unless its low bits are 0; each bit 7 then spreads over its byte.
void orc_b(Translator& t, const Insn& i) {
  const Value low_bits = t.b.i64(0x7f7f7f7f7f7f7f7f);
  const Value a = t.x(i.rs1);
  const Value carried = t.b.or_(t.b.add(t.b.and_(a, low_bits), low_bits), a);
  const Value ones = t.b.shr(t.b.and_(carried, t.b.i64(0x8080808080808080)), t.b.i64(7));
  t.set_x(i.rd, t.b.mul(ones, t.b.i64(0xff)));
}
void rev8(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.bswap(t.x(i.rs1))); }

}  // namespace pagoda::riscv64::translate
