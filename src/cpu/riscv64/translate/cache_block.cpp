// SPDX-License-Identifier: MIT
// Cache blocks: Zicbom, Zicboz, Zicbop, chapter 20. There are no caches to manage; permissions and faults are real.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

namespace {
void cache_block(Translator& t, const Insn& i) {
  const u64 operation = i.bits >> 20;  // 0 inval, 1 clean, 2 flush, 4 zero
  t.call(HelperId::cbo, ir::Type::none, operation | u64{i.bits} << 32, t.x(i.rs1));
}
}  // namespace

void cbo_inval(Translator& t, const Insn& i) { cache_block(t, i); }
void cbo_clean(Translator& t, const Insn& i) { cache_block(t, i); }
void cbo_flush(Translator& t, const Insn& i) { cache_block(t, i); }
void cbo_zero(Translator& t, const Insn& i) { cache_block(t, i); }
// Hints never fault.
void prefetch(Translator&, const Insn&) {}

}  // namespace pagoda::riscv64::translate
