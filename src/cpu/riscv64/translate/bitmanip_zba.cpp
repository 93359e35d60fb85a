// SPDX-License-Identifier: MIT
// Address generation: Zba, 29.4.1.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Value;

namespace {
// The low word of rs1, zero-extended.
Value unsigned_word(Translator& t, const Insn& i) {
  const Value a = t.x(i.rs1);
  return t.b.and_(a, t.b.i64(0xffffffff));
}
void shift_add(Translator& t, const Insn& i, Value index, u32 shift) {
  const Value base = t.x(i.rs2);
  t.set_x(i.rd, t.b.add(base, t.b.shl(index, t.b.i64(shift))));
}
}  // namespace

void add_uw(Translator& t, const Insn& i) { shift_add(t, i, unsigned_word(t, i), 0); }
void sh1add(Translator& t, const Insn& i) { shift_add(t, i, t.x(i.rs1), 1); }
void sh2add(Translator& t, const Insn& i) { shift_add(t, i, t.x(i.rs1), 2); }
void sh3add(Translator& t, const Insn& i) { shift_add(t, i, t.x(i.rs1), 3); }
void sh1add_uw(Translator& t, const Insn& i) { shift_add(t, i, unsigned_word(t, i), 1); }
void sh2add_uw(Translator& t, const Insn& i) { shift_add(t, i, unsigned_word(t, i), 2); }
void sh3add_uw(Translator& t, const Insn& i) { shift_add(t, i, unsigned_word(t, i), 3); }
void slli_uw(Translator& t, const Insn& i) {
  const Value a = unsigned_word(t, i);
  t.set_x(i.rd, t.b.shl(a, t.b.i64(static_cast<u64>(i.immediate))));
}

}  // namespace pagoda::riscv64::translate
