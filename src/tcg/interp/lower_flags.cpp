// SPDX-License-Identifier: MIT
// Condition flags that are replaced before the block's end: nobody reads them, unless the block is left in between.
//
// Such a put_slot is sunk: nothing is emitted for it. Where the block may be left before the slot is written again (a
// fault, a leave behind an instruction), the unit has ops that compute the flags from their operands, which keep their
// places that long. They run only when it happens (InsnStart::repair). An add or subtraction that overwrote its first
// operand has that computed back from its result, so that no copy is kept for something that hardly ever happens.
#include <algorithm>

#include "base/check.h"
#include "tcg/interp/lower_work.h"

namespace pagoda::interp {
namespace {

// Temporaries that only repairs use, below those that wide memory ops borrow.
constexpr u32 kScratchTemps = 24;
constexpr u16 kScratchBase = static_cast<u16>(kTempsBase + (kFrameTemps - 4 - kScratchTemps) * 8);
// How far from the flags op the arithmetic op of the same operands is looked for.
constexpr u32 kNear = 8;

}  // namespace

// Whether the flags_merge is what an increment or decrement that leaves the carry alone makes of the flags.
bool Lowering::Work::is_step(u16 merge) const {
  const Inst& op = inst(merge);
  const Inst& made = inst(op.args[1]);
  constexpr u8 kOthers = ir::kAllFlags & ~ir::kFlagsC;
  const auto is = [&](ValueId value, u64 imm) { return is_constant(value) && inst(value).imm == imm; };
  return op.aux == kOthers && op.args[1] + 1 == merge && (made.op == Op::flags_add || made.op == Op::flags_sub) &&
         is(made.args[1], 1) && is(made.args[2], 0);
}

void Lowering::Work::find_flags_slots() {
  for (u32 slot = 0; slot < slots.count; ++slot) {
    if (slots.slots[slot].type == Type::flags) flags_slots.push_back({.slot = static_cast<u16>(slot)});
  }
}

Lowering::Work::FlagsSlot& Lowering::Work::flags_slot(u32 slot) {
  for (FlagsSlot& one : flags_slots) {
    if (one.slot == slot) return one;
  }
  CHECK(false, "slot {} holds no flags", slot);
}

void Lowering::Work::start_flags() {
  for (FlagsSlot& one : flags_slots) one = {.slot = one.slot};
  holds.clear();
  next_marker = kNever;
}

bool Lowering::Work::has_observer_before(u16 at) const {
  while (at-- > 0 && inst(at).op != Op::insn) {
    if (looks_at_state(inst(at))) return true;
  }
  return false;
}

// The op may leave the block: before its instruction, or behind it. A helper may also look at slots itself.
void Lowering::Work::observe_flags(u16 at, const Inst& op) {
  const bool reads_state =
      op.op == Op::call && (helpers.helpers[op.extra].effects & (ir::kReadState | ir::kWriteState)) != 0;
  for (FlagsSlot& one : flags_slots) {
    if (reads_state) one.read = true;
    if (one.observed == kNever) one.observed = next_marker != kNever ? next_marker : at;
  }
}

// True: nothing is emitted for this put, now or ever.
bool Lowering::Work::sink_flags(u16 put, const Inst& op) {
  FlagsSlot& slot = flags_slot(op.extra);
  const u16 write = slot_next[op.extra].write;
  const bool replaced = write != kNever && !slot.read && inst(write).op == Op::put_slot;
  // What stands before the put in its instruction may leave behind it: the value is seen at the next one.
  if (slot.observed == kNever && replaced && next_marker < write && has_observer_before(put)) {
    slot.observed = next_marker;
  }
  const u16 observed = slot.observed;
  const ValueId value = root(op.args[0]);
  slot.observed = kNever;
  slot.read = false;
  if (!replaced || (observed != kNever && !is_repairable(value))) return false;
  const u16 until = observed == kNever ? put : std::min(observed, write);
  values[put].form = Form::sunk;
  values[put].last_use = until;
  values[put].next_write = write;
  slot_next[op.extra].write = put;
  if (observed != kNever) hold_flags(value, until);
  return true;
}

bool Lowering::Work::is_repairable(ValueId flags) const {
  constexpr u32 kDeepest = 4;
  for (u32 depth = 0; depth < kDeepest; ++depth) {
    const Inst& op = inst(flags);
    switch (op.op) {
      case Op::flags_add:
      case Op::flags_sub:
      case Op::flags_subc:
      case Op::flags_logic:
      case Op::get_slot:
        return true;
      case Op::flags_merge: {
        const Op made = inst(op.args[1]).op;
        if (made < Op::flags_add || made > Op::flags_logic) return false;
        flags = op.args[0];
        break;
      }
      default:
        return false;
    }
  }
  return false;
}

// The sum or difference whose flags these are, without a carry; 0: there is none near.
ValueId Lowering::Work::result_of_flags(ValueId flags) const {
  const Inst& op = inst(flags);
  if (op.op == Op::flags_logic || !is_constant(op.args[2]) || inst(op.args[2]).imm != 0) return ir::kNoValue;
  const Op wanted = op.op == Op::flags_add ? Op::add : Op::sub;
  const u32 end = terminal_index();
  for (u32 at = flags < kNear ? 1 : flags - kNear; at < flags + kNear && at < end; ++at) {
    const Inst& other = inst(static_cast<ValueId>(at));
    if (other.op == Op::insn && at > flags) break;
    if (other.op == wanted && other.type == op.type && other.args[0] == op.args[0] && other.args[1] == op.args[1]) {
      return static_cast<ValueId>(at);
    }
  }
  return ir::kNoValue;
}

void Lowering::Work::hold(ValueId value, u16 until) {
  if (value == ir::kNoValue || is_constant(root(value))) return;
  use(value, until);
  holds.push_back({until, root(value)});
}

void Lowering::Work::hold_flags(ValueId flags, u16 until) {
  const Inst& op = inst(flags);
  if (op.op == Op::get_slot) return hold(flags, until);
  if (op.op == Op::flags_merge) {
    hold_flags(op.args[0], until);
    return hold_flags(op.args[1], until);
  }
  const ValueId result = result_of_flags(flags);
  hold(result != ir::kNoValue ? result : op.args[0], until);
  hold(op.args[1], until);
  hold(op.args[2], until);
}

void Lowering::Work::release_holds() {
  while (!holds.empty() && holds.back().until <= now) {
    const ValueInfo& info = values[holds.back().value];
    if (info.in_temp && info.last_use <= now) expiring.push_back(holds.back().value);
    holds.pop_back();
  }
}

u16 Lowering::Work::repair_op(Handler handler, u16 a, u16 b, u16 c, u64 imm) {
  const u16 d = static_cast<u16>(kScratchBase + 8 * repair_scratch++);
  CHECK(repair_scratch <= kScratchTemps, "a repair needs too many temporaries");
  repairs.push_back({addresses[static_cast<u32>(handler)], d, a, b, c, imm});
  return d;
}

u16 Lowering::Work::repair_operand(ValueId value) {
  if (value == ir::kNoValue) return kZeroPlace;
  value = root(value);
  if (is_constant(value)) {
    return inst(value).imm == 0 ? kZeroPlace : repair_op(Handler::constant, 0, 0, 0, inst(value).imm);
  }
  CHECK(values[value].place != kNoPlace, "value v{} has no place for a repair", value);
  return values[value].place;
}

u16 Lowering::Work::repair_value(ValueId flags) {
  const Inst& op = inst(flags);
  if (op.op == Op::get_slot) return values[flags].place;
  if (op.op == Op::flags_merge) {
    const u16 old = repair_value(op.args[0]);
    return repair_op(Handler::flags_merge, old, repair_value(op.args[1]), 0, op.aux);
  }
  const u32 width = width_index(op.type);
  const ValueId result = result_of_flags(flags);
  const u16 b = repair_operand(op.args[1]);
  if (op.op == Op::flags_logic) return repair_op(Handler::flags_logic_i8 + width, repair_operand(op.args[0]), 0, 0, 0);
  const bool add = op.op == Op::flags_add;
  u16 a = repair_operand(result != ir::kNoValue ? result : op.args[0]);
  if (result != ir::kNoValue) a = repair_op((add ? Handler::sub_i8_rr : Handler::add_i8_rr) + 2 * width, a, b, 0, 0);
  const Handler handler = add                      ? Handler::flags_add_i8
                          : op.op == Op::flags_sub ? Handler::flags_sub_i8
                                                   : Handler::flags_subc_i8;
  return repair_op(handler + width, a, b, repair_operand(op.args[2]), 0);
}

// At the start of a guest instruction: one more than the index of the ops that bring sunk flags up to date; 0: none
// needed.
u16 Lowering::Work::repair_here() {
  const std::size_t first = repairs.size();
  for (const FlagsSlot& one : flags_slots) {
    if (one.pending == kNever || values[one.pending].last_use < now) continue;
    repair_scratch = 0;
    const Inst& put = inst(one.pending);
    const u16 value = repair_value(root(put.args[0]));
    repairs.push_back(
        {addresses[static_cast<u32>(Handler::mov_8)], static_cast<u16>(slots.slots[put.extra].offset), value, 0, 0, 0});
  }
  if (repairs.size() == first) return 0;
  repairs.push_back({addresses[static_cast<u32>(Handler::stop)], 0, 0, 0, 0, 0});
  return static_cast<u16>(first + 1);
}

}  // namespace pagoda::interp
