// SPDX-License-Identifier: MIT
// Control transfer: RV32I 2.5. Without compressed instructions a destination must be a multiple of four.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::Builder;
using ir::Hint;
using ir::Value;

namespace {

// Registers that calls put their return address into by convention (table 3 of 2.5.1).
bool is_link(u32 reg) { return reg == 1 || reg == 5; }

// The block starts aligned where alignment matters, so that the offset alone tells.
bool misaligned(const Translator& t, i64 destination) { return !t.has(Extension::zca) && (destination & 2) != 0; }

void branch_if(Translator& t, const Insn& i, Value condition) {
  const i64 destination = t.offset() + i.immediate;
  if (misaligned(t, destination)) {
    t.b.trap_if(condition, t.b.pc(static_cast<u64>(destination)), static_cast<u64>(Cause::fetch_misaligned));
    t.b.jump(t.next_offset());
    return;
  }
  t.b.branch(condition, destination, t.next_offset());
}

}  // namespace

void jal(Translator& t, const Insn& i) {
  const i64 destination = t.offset() + i.immediate;
  if (misaligned(t, destination)) return t.raise(Cause::fetch_misaligned, t.b.pc(static_cast<u64>(destination)));
  if (i.rd != 0) t.set_x(i.rd, t.b.pc(static_cast<u64>(t.next_offset())));
  t.b.jump(destination, is_link(i.rd) ? Hint::call : Hint::none, is_link(i.rd) ? t.next_offset() : 0);
}

void jalr(Translator& t, const Insn& i) {
  const Value sum = t.x_plus(i.rs1, i.immediate);
  const Value destination = t.b.and_(sum, t.b.i64(~u64{1}));
  if (!t.has(Extension::zca)) {
    const Value bit1 = t.b.and_(destination, t.b.i64(2));
    t.b.trap_if(t.b.ne(bit1, t.b.i64(0)), destination, static_cast<u64>(Cause::fetch_misaligned));
  }
  if (i.rd != 0) t.set_x(i.rd, t.b.pc(static_cast<u64>(t.next_offset())));
  if (is_link(i.rd)) {
    t.b.jump_indirect(destination, Hint::call, t.next_offset());
  } else {
    t.b.jump_indirect(destination, is_link(i.rs1) ? Hint::ret : Hint::none);
  }
}

void beq(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::eq, t.registers(i))); }
void bne(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::ne, t.registers(i))); }
void blt(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::lt_s, t.registers(i))); }
void bge(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::le_s, t.registers_swapped(i))); }
void bltu(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::lt_u, t.registers(i))); }
void bgeu(Translator& t, const Insn& i) { branch_if(t, i, t.op(&Builder::le_u, t.registers_swapped(i))); }

}  // namespace pagoda::riscv64::translate
