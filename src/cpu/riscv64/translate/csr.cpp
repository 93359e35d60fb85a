// SPDX-License-Identifier: MIT
// CSR instructions: Zicsr chapter 7. The registers themselves are csr.cpp of the parent folder, behind two helpers.
#include "cpu/riscv64/csr.h"

#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

namespace {

// fflags, where the access can neither fault nor change the mode key.
void access_fflags(Translator& t, const Insn& i, CsrOp op, bool reads, bool writes, Value source) {
  const Value old = reads ? t.call(HelperId::read_fflags, Type::i64) : t.b.i64(0);
  if (writes) {
    const Value value = op == CsrOp::write ? source
                        : op == CsrOp::set ? t.b.or_(old, source)
                                           : t.b.and_(old, t.b.not_(source));
    t.call(HelperId::write_fflags, Type::none, 0, value);
  }
  t.set_x(i.rd, old);
}

// `writes`: csrrs and csrrc with x0 or 0 do not write at all; csrrw to x0 does not read.
void access(Translator& t, const Insn& i, CsrOp op, bool writes, Value source, u64 source_bits) {
  const auto number = static_cast<u32>(i.immediate);
  const bool reads = op != CsrOp::write || i.rd != 0;
  if (number == kFflags && (t.mode() & ModeKey::kFpOn) != 0 && t.has(Extension::f) && (!writes || t.fp_is_dirty()))
    return access_fflags(t, i, op, reads, writes, source);
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
