// SPDX-License-Identifier: MIT
// Jumps, calls, returns, conditional set and move, breakpoints.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Hint;
using ir::Type;
using ir::Value;

u32 code_of(const Insn& i) { return i.opcode & 15; }

void push_return_address(Translator& t) {
  t.store(t.stack(-8), t.b.pc(static_cast<u64>(t.next_offset())));
  t.move_stack(-8);
}

// loop and its like: rcx, or ecx, less one decides, and ZF if it is asked.
void loop_while(Translator& t, const Insn& i, Value also) {
  const Value rcx = t.shorten(i, t.b.sub(t.gpr64(kRcx), t.b.i64(1)));
  Value again = t.invert(t.is_zero(rcx));
  if (also) again = t.b.and_(again, also);
  t.set_slot(Slot::rcx, rcx);
  t.b.branch(again, t.branch_offset(i), t.next_offset());
}

}  // namespace

// Comparisons take a constant as their second operand: where it would be the first, the opposite condition goes the
// other way.
void jcc(Translator& t, const Insn& i) {
  const u32 code = code_of(i);
  const Value holds = t.condition(code);
  const ir::Inst& made = t.b.inst(holds);
  const bool compares = made.op >= ir::Op::lt_s && made.op <= ir::Op::le_u;
  if (compares && t.b.inst(t.b.value(made.args[0])).op == ir::Op::constant) {
    return t.b.branch(t.condition(code ^ 1), t.next_offset(), t.branch_offset(i));
  }
  t.b.branch(holds, t.branch_offset(i), t.next_offset());
}

void setcc(Translator& t, const Insn& i) { t.write(i, 0, t.b.zext(t.condition(code_of(i)), Type::i8)); }

// A memory operand is read whether the condition holds or not, and a 32-bit destination is cleared above in any case.
void cmovcc(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  const Value old = t.read(i, 0);
  t.write(i, 0, t.b.select(t.condition(code_of(i)), from, old));
}

void jmp(Translator& t, const Insn& i) { t.b.jump(t.branch_offset(i)); }
void jmp_indirect(Translator& t, const Insn& i) { t.b.jump_indirect(t.read(i, 0), Hint::none); }

void call(Translator& t, const Insn& i) {
  push_return_address(t);
  t.b.jump(t.branch_offset(i), Hint::call, t.next_offset());
}

void call_indirect(Translator& t, const Insn& i) {
  const Value to = t.read(i, 0);
  push_return_address(t);
  t.b.jump_indirect(to, Hint::call, t.next_offset());
}

void ret(Translator& t, const Insn& i) {
  const Value to = t.load(Type::i64, t.stack(0));
  const u64 dropped = i.operand_count != 0 ? i.operands[0].value : 0;
  t.move_stack(static_cast<i64>(8 + dropped));
  t.b.jump_indirect(to, Hint::ret);
}

void jrcxz(Translator& t, const Insn& i) {
  const Value rcx = t.shorten(i, t.gpr64(kRcx));
  t.b.branch(t.is_zero(rcx), t.branch_offset(i), t.next_offset());
}
void loop(Translator& t, const Insn& i) { loop_while(t, i, {}); }
void loope(Translator& t, const Insn& i) { loop_while(t, i, t.condition(4)); }
void loopne(Translator& t, const Insn& i) { loop_while(t, i, t.condition(5)); }

void int3(Translator& t, const Insn&) { t.raise(Vector::breakpoint); }
void ud2(Translator& t, const Insn&) { t.raise(Vector::invalid_opcode); }

}  // namespace pagoda::x86_64::op
