// SPDX-License-Identifier: MIT
// Conditional zero: Zicond, chapter 12; may-be-operations: Zimop, chapter 11, which are defined to write zero.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::Value;

namespace {
void zero_if(Translator& t, const Insn& i, Value (Builder::*compare)(Value, Value)) {
  const auto [a, b] = t.registers(i);
  const Value zero = t.b.i64(0);
  t.set_x(i.rd, t.b.select((t.b.*compare)(b, zero), zero, a));
}
}  // namespace

void czero_eqz(Translator& t, const Insn& i) { zero_if(t, i, &Builder::eq); }
void czero_nez(Translator& t, const Insn& i) { zero_if(t, i, &Builder::ne); }

void mop(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.i64(0)); }

}  // namespace pagoda::riscv64::translate
