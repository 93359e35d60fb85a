// SPDX-License-Identifier: MIT
// Integer computation: RV32I 2.4, RV64I 4.2.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::Type;
using ir::Value;

// Encodings that the manual reserves: the decoder does not hand them out.
void reserved(Translator& t, const Insn& i) { t.illegal(i.bits); }

void lui(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.i64(static_cast<u64>(i.immediate))); }
void auipc(Translator& t, const Insn& i) {
  if (i.rd != 0) t.set_x(i.rd, t.b.pc(static_cast<u64>(t.offset() + i.immediate)));
}

void addi(Translator& t, const Insn& i) {
  if (i.rd != 0) t.set_x(i.rd, t.x_plus(i.rs1, i.immediate));
}
void slti(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.op(&Builder::lt_s, t.immediate(i))); }
void sltiu(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.op(&Builder::lt_u, t.immediate(i))); }
void xori(Translator& t, const Insn& i) {
  if (i.immediate == -1) return t.set_x(i.rd, t.b.not_(t.x(i.rs1)));
  t.set_x(i.rd, t.op(&Builder::xor_, t.immediate(i)));
}
void ori(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::or_, t.immediate(i))); }
void andi(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::and_, t.immediate(i))); }
void slli(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::shl, t.immediate(i))); }
void srli(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::shr, t.immediate(i))); }
void srai(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::sar, t.immediate(i))); }

void add(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::add, t.registers(i))); }
void sub(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::sub, t.registers(i))); }
void sll(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::shl, t.registers(i))); }
void slt(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.op(&Builder::lt_s, t.registers(i))); }
void sltu(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.op(&Builder::lt_u, t.registers(i))); }
void xor_(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::xor_, t.registers(i))); }
void srl(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::shr, t.registers(i))); }
void sra(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::sar, t.registers(i))); }
void or_(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::or_, t.registers(i))); }
void and_(Translator& t, const Insn& i) { t.set_x(i.rd, t.op(&Builder::and_, t.registers(i))); }

void addiw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::add, t.word_immediate(i))); }
void slliw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::shl, t.word_immediate(i))); }
void srliw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::shr, t.word_immediate(i))); }
void sraiw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::sar, t.word_immediate(i))); }
void addw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::add, t.words(i))); }
void subw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::sub, t.words(i))); }
void sllw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::shl, t.words(i))); }
void srlw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::shr, t.words(i))); }
void sraw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.op(&Builder::sar, t.words(i))); }

}  // namespace pagoda::riscv64::translate
