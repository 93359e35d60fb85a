// SPDX-License-Identifier: MIT
// Integer computation: RV32I 2.4, RV64I 4.2.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Type;
using ir::Value;

namespace {
Value immediate(Translator& t, const Insn& i) { return t.b.i64(static_cast<u64>(i.immediate)); }
Value word_immediate(Translator& t, const Insn& i) { return t.b.i32(static_cast<u32>(i.immediate)); }
}  // namespace

// Encodings that the manual reserves: the decoder does not hand them out.
void reserved(Translator& t, const Insn& i) { t.illegal(i.bits); }

void lui(Translator& t, const Insn& i) { t.set_x(i.rd, immediate(t, i)); }
void auipc(Translator& t, const Insn& i) {
  if (i.rd != 0) t.set_x(i.rd, t.b.pc(static_cast<u64>(t.offset() + i.immediate)));
}

void addi(Translator& t, const Insn& i) {
  if (i.rd != 0) t.set_x(i.rd, t.x_plus(i.rs1, i.immediate));
}
void slti(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.b.lt_s(t.x(i.rs1), immediate(t, i))); }
void sltiu(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.b.lt_u(t.x(i.rs1), immediate(t, i))); }
void xori(Translator& t, const Insn& i) {
  t.set_x(i.rd, i.immediate == -1 ? t.b.not_(t.x(i.rs1)) : t.b.xor_(t.x(i.rs1), immediate(t, i)));
}
void ori(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.or_(t.x(i.rs1), immediate(t, i))); }
void andi(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.and_(t.x(i.rs1), immediate(t, i))); }
void slli(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.shl(t.x(i.rs1), immediate(t, i))); }
void srli(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.shr(t.x(i.rs1), immediate(t, i))); }
void srai(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.sar(t.x(i.rs1), immediate(t, i))); }

void add(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.add(t.x(i.rs1), t.x(i.rs2))); }
void sub(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.sub(t.x(i.rs1), t.x(i.rs2))); }
void sll(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.shl(t.x(i.rs1), t.x(i.rs2))); }
void slt(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.b.lt_s(t.x(i.rs1), t.x(i.rs2))); }
void sltu(Translator& t, const Insn& i) { t.set_x_bool(i.rd, t.b.lt_u(t.x(i.rs1), t.x(i.rs2))); }
void xor_(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.xor_(t.x(i.rs1), t.x(i.rs2))); }
void srl(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.shr(t.x(i.rs1), t.x(i.rs2))); }
void sra(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.sar(t.x(i.rs1), t.x(i.rs2))); }
void or_(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.or_(t.x(i.rs1), t.x(i.rs2))); }
void and_(Translator& t, const Insn& i) { t.set_x(i.rd, t.b.and_(t.x(i.rs1), t.x(i.rs2))); }

void addiw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.add(t.w(i.rs1), word_immediate(t, i))); }
void slliw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.shl(t.w(i.rs1), word_immediate(t, i))); }
void srliw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.shr(t.w(i.rs1), word_immediate(t, i))); }
void sraiw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.sar(t.w(i.rs1), word_immediate(t, i))); }
void addw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.add(t.w(i.rs1), t.w(i.rs2))); }
void subw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.sub(t.w(i.rs1), t.w(i.rs2))); }
void sllw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.shl(t.w(i.rs1), t.w(i.rs2))); }
void srlw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.shr(t.w(i.rs1), t.w(i.rs2))); }
void sraw(Translator& t, const Insn& i) { t.set_x_sext(i.rd, t.b.sar(t.w(i.rs1), t.w(i.rs2))); }

}  // namespace pagoda::riscv64::translate
