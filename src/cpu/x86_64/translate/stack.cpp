// SPDX-License-Identifier: MIT
// push, pop, enter, leave.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {

using ir::Type;
using ir::Value;

// The operand is what it was before rsp changes: push rsp stores the old value.
void push(Translator& t, const Insn& i) {
  const Value value = t.read(i, 0);
  const i64 bytes = i.operand_size;
  t.store(t.stack(-bytes), value);
  t.move_stack(-bytes);
}

// A memory operand's address is computed with rsp already past the element (SDM volume 2, POP); pop rsp keeps what it
// read.
void pop(Translator& t, const Insn& i) {
  const Value value = t.load(int_type(i.operand_size), t.stack(0));
  if (Translator::is_memory(i, 0)) {
    t.store(t.address(i, i.operand_size), value);
    return t.move_stack(i.operand_size);
  }
  t.move_stack(i.operand_size);
  t.write(i, 0, value);
}

// SDM volume 2, ENTER. With 66, frames are 16 bits wide. The new top of the stack must be writable: a step that adds no
// bits to what is there finds out. Nested frames are a helper's: so many accesses in one instruction are too much for a
// block.
void enter(Translator& t, const Insn& i) {
  const u32 bytes = i.operand_size;
  const u64 allocated = i.operands[0].value, level = i.operands[1].value & 31;
  if (level != 0) {
    t.call(HelperId::enter_nested, Type::none, level | u64{bytes} << 8 | allocated << 16);
    return;
  }
  const Type type = int_type(bytes);
  const Value frame = t.b.sub(t.gpr64(kRsp), t.b.i64(bytes));
  const Value top = t.b.sub(frame, t.b.i64(allocated));
  t.store(frame, t.gpr(kRbp, bytes));
  t.b.atomic_rmw(ir::Rmw::or_, top, t.b.constant(type, 0), Translator::access(bytes));
  t.set_gpr(kRbp, t.b.trunc(frame, type));
  t.set_slot(Slot::rsp, top);
}

void leave(Translator& t, const Insn& i) {
  const Value rbp = t.gpr64(kRbp);
  const Value value = t.load(int_type(i.operand_size), rbp);
  t.set_slot(Slot::rsp, t.b.add(rbp, t.b.i64(i.operand_size)));
  t.set_gpr(kRbp, value);
}

}  // namespace pagoda::x86_64::op
