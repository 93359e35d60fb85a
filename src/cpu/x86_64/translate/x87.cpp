// SPDX-License-Identifier: MIT
// x87: one helper call an instruction.
#include "cpu/x86_64/x87.h"

#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {

using ir::Type;

void x87_register(Translator& t, const Insn& i) {
  const X87Job job{i.opcode, i.modrm, i.row->kind};
  t.call(HelperId::x87_register, Type::none, job.pack());
}
void x87_memory(Translator& t, const Insn& i) {
  // Environments as 16-bit programs have them are not implemented.
  const u32 bytes = i.row->kind & kX87Bytes;
  if (i.operand_size == 2 && bytes >= 28) return t.raise(Vector::invalid_opcode);
  const X87Job job{i.opcode, static_cast<u8>(i.modrm >> 3 & 7), i.row->kind};
  t.call(HelperId::x87_memory, Type::none, job.pack(), t.address(i));
}
void fxsave(Translator& t, const Insn& i) { t.call(HelperId::fxsave, Type::none, 0, t.address(i)); }
void fxrstor(Translator& t, const Insn& i) { t.call(HelperId::fxrstor, Type::none, 0, t.address(i)); }

}  // namespace pagoda::x86_64::op
