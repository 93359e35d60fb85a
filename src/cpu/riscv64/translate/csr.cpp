// SPDX-License-Identifier: MIT
// CSR instructions: Zicsr chapter 7. The registers themselves are csr.cpp of the parent folder, behind two helpers.
#include "cpu/riscv64/csr.h"

#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

namespace {

// `writes`: csrrs and csrrc with x0 or 0 do not write at all; csrrw to x0 does not read.
void access(Translator& t, const Insn& i, CsrOp op, bool writes, Value source, u64 source_bits) {
  const auto number = static_cast<u32>(i.immediate);
  const bool reads = op != CsrOp::write || i.rd != 0;
  const bool ends = csr_ends_block(number, op, writes, source_bits, t.mode());
  const u64 imm = number | static_cast<u64>(op) << 12 | u64{reads} << 14 | u64{writes} << 15 | u64{i.bits} << 32;
  const Value old =
      t.call(ends ? HelperId::csr_access : HelperId::csr_plain, Type::i64, imm, source, {}, t.b.i64(t.index()));
  t.set_x(i.rd, old);
  if (ends) t.end_block();
}

void from_register(Translator& t, const Insn& i, CsrOp op) {
  access(t, i, op, op == CsrOp::write || i.rs1 != 0, t.x(i.rs1), i.rs1 == 0 ? 0 : ~u64{0});
}
void from_immediate(Translator& t, const Insn& i, CsrOp op) {
  access(t, i, op, op == CsrOp::write || i.rs1 != 0, t.b.i64(i.rs1), i.rs1);
}

}  // namespace

void csrrw(Translator& t, const Insn& i) { from_register(t, i, CsrOp::write); }
void csrrs(Translator& t, const Insn& i) { from_register(t, i, CsrOp::set); }
void csrrc(Translator& t, const Insn& i) { from_register(t, i, CsrOp::clear); }
void csrrwi(Translator& t, const Insn& i) { from_immediate(t, i, CsrOp::write); }
void csrrsi(Translator& t, const Insn& i) { from_immediate(t, i, CsrOp::set); }
void csrrci(Translator& t, const Insn& i) { from_immediate(t, i, CsrOp::clear); }

}  // namespace pagoda::riscv64::translate
