// SPDX-License-Identifier: MIT
// Reversal and counting of bits (Arm ARM C3.6.7, "Data-processing (1 source)").
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Value;

namespace {

// Exchanges neighbouring groups of `distance` bits; `low` has the lower group of each pair set.
Value exchange(Translator& t, Value value, bool wide, u32 distance, u64 low) {
  const Value mask = t.constant(wide, low);
  const Value amount = t.constant(wide, distance);
  const Value down = t.b.and_(t.b.shr(value, amount), mask);
  return t.b.or_(down, t.b.shl(t.b.and_(value, mask), amount));
}

}  // namespace

void rbit(Translator& t, const Insn& i) {
  Value value = t.b.bswap(t.r(i.rn(), i.is_64()));
  value = exchange(t, value, i.is_64(), 4, 0x0f0f0f0f0f0f0f0f);
  value = exchange(t, value, i.is_64(), 2, 0x3333333333333333);
  t.set_r(i.rd(), exchange(t, value, i.is_64(), 1, 0x5555555555555555));
}

void rev16(Translator& t, const Insn& i) {
  t.set_r(i.rd(), exchange(t, t.r(i.rn(), i.is_64()), i.is_64(), 8, 0x00ff00ff00ff00ff));
}
void rev32(Translator& t, const Insn& i) { t.set_x(i.rd(), t.b.rotl(t.b.bswap(t.x(i.rn())), t.b.i64(32))); }
void rev(Translator& t, const Insn& i) { t.set_r(i.rd(), t.b.bswap(t.r(i.rn(), i.is_64()))); }

void clz(Translator& t, const Insn& i) { t.set_r(i.rd(), t.b.clz(t.r(i.rn(), i.is_64()))); }

// Copies of the sign below it: where a bit differs from its upper neighbour there is a one.
void cls(Translator& t, const Insn& i) {
  const Value value = t.r(i.rn(), i.is_64());
  const Value one = t.constant(i.is_64(), 1);
  const Value changes = t.b.xor_(value, t.b.sar(value, one));
  t.set_r(i.rd(), t.b.sub(t.b.clz(changes), one));
}

}  // namespace pagoda::arm64::translate
