// SPDX-License-Identifier: MIT
// Backward over the block: what each op fuses with, which values are used and how long they live.
#include <algorithm>

#include "tcg/interp/lower_work.h"

namespace pagoda::interp {

ValueId Lowering::Work::root_of_view(ValueId value) const {
  if (!on(Fusion::view)) return value;
  for (;;) {
    const Inst& op = inst(value);
    const bool is_view = (op.op == Op::trunc && op.type != Type::i1) ||
                         (op.op == Op::bitcast && type_bits(op.type) <= 64 && block->type_of(op.args[0]) != Type::i1) ||
                         (op.op == Op::zext && type_bits(op.type) <= 64 &&
                          (block->type_of(op.args[0]) == Type::i1 || has_clean_top(inst(op.args[0]))));
    if (!is_view) return value;
    value = op.args[0];
  }
}

void Lowering::Work::use(ValueId value, u16 at) {
  if (value == ir::kNoValue) return;
  const ValueId bits = root(value);
  if (bits != value) count(Fusion::view);
  ValueInfo& info = values[bits];
  if (info.uses++ == 0 || info.last_use < at) info.last_use = at;
}

void Lowering::Work::decide_two_operand(u16 at, const Inst& op) {
  ValueInfo& info = values[at];
  const ValueId a = op.args[0];
  const ValueId b = op.args[1];
  if (on(Fusion::const_operand) && type_bits(op.type) <= 64 &&
      (is_constant(b) || (has_trait(op.op, kCommutes) && is_constant(a)))) {
    info.form = Form::immediate;
    info.swapped = !is_constant(b);
    return use(info.swapped ? b : a, at);
  }
  if (on(Fusion::shift_add) && op.op == Op::add && op.type == Type::i64) {
    for (u32 side = 0; side < 2; ++side) {
      const Inst& shift = inst(op.args[side]);
      if (shift.op != Op::shl || !is_constant(shift.args[1])) continue;
      info.form = Form::shift_add;
      info.swapped = side == 1;
      use(shift.args[0], at);
      return use(op.args[1 - side], at);
    }
  }
  use(a, at);
  use(b, at);
}

// Guest state has to be exact at what may fault or leave, and at helpers that look at it.
bool Lowering::Work::looks_at_state(const Inst& op) const {
  if (!has_trait(op.op, kMayLook)) return false;
  return op.op != Op::call ||
         (helpers.helpers[op.extra].effects &
          (ir::kReadState | ir::kWriteState | ir::kMayFault | ir::kReadMem | ir::kWriteMem | ir::kEndsBlock)) != 0;
}

// A slow path or helper before the op may ask to leave behind their guest instruction, where state is exact, too.
bool Lowering::Work::may_leave_behind(u16 at) const {
  for (u16 before = at; inst(--before).op != Op::insn;) {
    if (looks_at_state(inst(before))) return true;
  }
  return false;
}

void Lowering::Work::decide(u16 at) {
  const Inst& op = inst(at);
  ValueInfo& info = values[at];
  if (info.uses == 0 && has_trait(op.op, kRemovable) && on(Fusion::dead_code)) return;
  switch (op.op) {
    case Op::load:
    case Op::store: {
      const ir::MemOp mem = ir::MemOp::unpack(op.extra);
      const Inst& address = inst(op.args[0]);
      if (on(Fusion::address_offset) && mem.mode == 0 && !mem.big_endian && address.op == Op::add &&
          is_constant(address.args[1])) {
        info.form = Form::address;
        use(address.args[0], at);
      } else {
        use(op.args[0], at);
      }
      return use(op.args[1], at);
    }
    case Op::sext: {
      const Inst& inner = inst(op.args[0]);
      if (on(Fusion::sext_result) && op.type == Type::i64 && inner.type == Type::i32 &&
          sext32_handler(inner.op) != Handler::count) {
        const bool immediate = on(Fusion::const_operand) && is_constant(inner.args[1]);
        info.form = immediate ? Form::sext_imm : Form::sext;
        use(inner.args[0], at);
        if (!immediate) use(inner.args[1], at);
        return;
      }
      return use(op.args[0], at);
    }
    case Op::select: {
      const Inst& compare = inst(root(op.args[0]));
      if (!on(Fusion::compare_select) || type_bits(op.type) > 64 || !is_compare(compare.op) ||
          select_handler(compare.op, compare.type) == Handler::count) {
        for (u32 i = 0; i < 3; ++i) use(op.args[i], at);
        return;
      }
      const bool immediate = on(Fusion::const_operand) && is_constant(compare.args[1]);
      info.form = immediate ? Form::compare_imm : Form::compare;
      use(compare.args[0], at);
      if (!immediate) use(compare.args[1], at);
      use(op.args[1], at);
      return use(op.args[2], at);
    }
    case Op::flags_merge:
      // Its second operand stands right before it: it has no other user if none was seen.
      if (on(Fusion::step_flags) && on(Fusion::dead_code) && values[op.args[1]].uses == 0 && is_step(at)) {
        info.form = Form::step;
        use(op.args[0], at);
        return use(inst(op.args[1]).args[0], at);
      }
      use(op.args[0], at);
      return use(op.args[1], at);
    case Op::call:
      for (const ValueId value : op.args) use(value, at);
      if ((helpers.helpers[op.extra].effects & ir::kWriteState) != 0) {
        for (NextUse& next : slot_next) next.write = at;
      }
      return;
    default:
      if (has_trait(op.op, kTwoOperand)) return decide_two_operand(at, op);
      for (u32 i = 0; i < 4 && op.args[i] != ir::kNoValue; ++i) use(op.args[i], at);
      return;
  }
}

void Lowering::Work::backward() {
  const u16 end = terminal_index();
  if (values.size() <= end) values.resize(end + 1u);
  std::fill_n(values.data(), end + 1u, fresh);
  slot_next.assign(slots.count, {});
  next_look = end;
  const bool has_flags = !flags_slots.empty() && on(Fusion::dead_flags);
  if (has_flags) start_flags();
  fused_branch = false;
  const ir::Terminal& terminal = block->terminal;
  if (terminal.kind == ir::Terminal::Kind::branch) {
    const Inst& compare = inst(root(terminal.value));
    if (on(Fusion::compare_branch) && is_compare(compare.op) &&
        branch_handler(compare.op, compare.type) != Handler::count) {
      fused_branch = true;
      values[end].form = Form::plain;
      use(compare.args[0], end);
      if (on(Fusion::const_operand) && is_constant(compare.args[1])) {
        values[end].form = Form::immediate;
      } else {
        use(compare.args[1], end);
      }
    } else {
      use(terminal.value, end);
    }
  } else if (terminal.kind == ir::Terminal::Kind::jump_indirect) {
    // Of the address all bits but the lowest: part of the jump.
    const Inst& mask = inst(terminal.value);
    if (on(Fusion::const_operand) && mask.op == Op::and_ && mask.type == Type::i64 && is_constant(mask.args[1]) &&
        static_cast<i64>(inst(mask.args[1]).imm) == static_cast<i32>(inst(mask.args[1]).imm)) {
      values[end].form = Form::immediate;
      use(mask.args[0], end);
    } else {
      use(terminal.value, end);
    }
  }
  for (u16 at = end; at-- > 0;) {  // what most ops are is done here
    const Inst& op = inst(at);
    switch (op.op) {
      case Op::insn:
        next_marker = at;
        break;
      case Op::constant:
        break;
      case Op::get_slot:
        if (has_flags && op.type == Type::flags) flags_slot(op.extra).read = true;
        values[at].next_write = slot_next[op.extra].write;
        slot_next[op.extra].read = at;
        break;
      case Op::put_slot:
        if (has_flags && op.type == Type::flags) {
          if (sink_flags(at, op)) break;
        } else if (const auto [next, read] = slot_next[op.extra];
                   next < next_look && read >= next && on(Fusion::dead_put) && !may_leave_behind(at)) {
          values[at].is_dead = true;
          values[at].next_write = slot_next[op.extra].write;
          // Nobody sees the register, which makes it a good place for the value, if that has no other.
          ValueInfo& value = values[root(op.args[0])];
          if (on(Fusion::slot_result) && value.put == kNever) value.put = at;
          break;
        }
        use(op.args[0], at);
        values[at].next_write = slot_next[op.extra].write;
        slot_next[op.extra].write = at;
        if (on(Fusion::slot_result)) values[root(op.args[0])].put = at;
        break;
      default:
        if (looks_at_state(op)) {
          next_look = at;
          if (has_flags) observe_flags(at, op);
        }
        decide(at);
    }
  }
}

}  // namespace pagoda::interp
