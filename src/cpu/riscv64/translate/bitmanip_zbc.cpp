// SPDX-License-Identifier: MIT
// Carry-less multiplication and the bit manipulation of cryptography: Zbc, 29.4.3; Zbkb, Zbkc, Zbkx, 31.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::Type;
using ir::Value;

void clmul(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::clmul, t.registers(i))); }
void clmulh(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::clmulh, t.registers(i))); }
// Bits 126..63 of the product of 127.
void clmulr(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  const Value one = t.b.i64(1);
  const Value high = t.b.shl(t.b.clmulh(a, b), one);
  const Value rest = t.b.i64(63);
  const Value low = t.b.shr(t.b.clmul(a, b), rest);
  t.set_x(i.rd, t.b.or_(high, low));
}

void pack(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  const Value low = t.b.and_(a, t.b.i64(0xffffffff));
  t.set_x(i.rd, t.b.or_(low, t.b.shl(b, t.b.i64(32))));
}
void packh(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  const Value low = t.b.and_(a, t.b.i64(0xff));
  const Value high = t.b.and_(b, t.b.i64(0xff));
  t.set_x(i.rd, t.b.or_(low, t.b.shl(high, t.b.i64(8))));
}
void packw(Translator& t, const Insn& i) {
  const auto [a, b] = t.words(i);
  const Value low = t.b.and_(a, t.b.i32(0xffff));
  t.set_x_sext(i.rd, t.b.or_(low, t.b.shl(b, t.b.i32(16))));
}

// Bits reversed in each byte: neighbours, pairs and nibbles change places.
void brev8(Translator& t, const Insn& i) {
  struct Step {
    u32 distance;
    u64 lower;
  };
  constexpr Step steps[] = {{1, 0x5555555555555555}, {2, 0x3333333333333333}, {4, 0x0f0f0f0f0f0f0f0f}};
  Value value = t.x(i.rs1);
  for (const Step& step : steps) {
    const Value distance = t.b.i64(step.distance), lower = t.b.i64(step.lower);
    const Value down = t.b.and_(t.b.shr(value, distance), lower);
    const Value up = t.b.shl(t.b.and_(value, lower), distance);
    value = t.b.or_(down, up);
  }
  t.set_x(i.rd, value);
}

void xperm4(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.call(HelperId::xperm4, Type::i64, 0, a, b));
}
void xperm8(Translator& t, const Insn& i) {
  const auto [a, b] = t.registers(i);
  t.set_x(i.rd, t.call(HelperId::xperm8, Type::i64, 0, a, b));
}

}  // namespace pagoda::riscv64::translate
