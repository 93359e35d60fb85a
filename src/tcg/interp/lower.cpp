// SPDX-License-Identifier: MIT
// Forward over the block: values get their places, ops become threaded code.
//
// Every value has a place: a frame offset, either a temporary or the guest register itself. A register serves as a
// value's place from the op that computes (or first reads) it until the register is written again; nothing may fault or
// look at guest state between that op and the register write it stands for. State is therefore exact between guest
// instructions.
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"
#include "tcg/interp/lower_work.h"
#include "tcg/interp/unit_memory.h"

namespace pagoda::interp {

const char* fusion_name(Fusion fusion) {
  constexpr const char* names[] = {
#define FUSION(name, meaning) #name,
#include "tcg/interp/fusions.def"
#undef FUSION
  };
  return names[static_cast<u32>(fusion)];
}

namespace {

// First handler (i8, rr) of a two-operand op.
Handler binary_handler(Op op) {
  switch (op) {
#define BINARY(name) \
  case Op::name:     \
    return Handler::name##_i8_rr;
#define COMPARE(name) BINARY(name)
#include "tcg/interp/handlers.def"
    default:
      return Handler::count;
  }
}

Handler other_handler(Op op) {
  switch (op) {
#define UNARY(name) \
  case Op::name:    \
    return Handler::name##_i8;
#define FLAGS(name) \
  case Op::name:    \
    return Handler::name##_i8;
#define FLOAT(name) \
  case Op::name:    \
    return Handler::name##_f32;
#include "tcg/interp/handlers.def"
    default:
      return Handler::count;
  }
}

// Width to compute in: i1 lives as a full doubleword 0 or 1, so 64-bit ops do.
u32 compute_width(Type type) { return type == Type::i1 ? 3 : width_index(type); }

}  // namespace

Lowering::Lowering(ir::SlotTable slots, HelperTable helpers, u32 fusions)
    : work_(std::make_unique<Work>()),
      slots_(slots),
      helpers_(helpers),
      fusions_(fusions),
      spare_(std::make_unique_for_overwrite<Piece[]>(kMostUnitBytes / sizeof(Piece))) {
  work_->slots = slots;
  work_->find_flags_slots();
}
Lowering::~Lowering() = default;

void Lowering::Work::emit(Handler handler, u16 d, u16 a, u16 b, u16 c, u64 imm) {
  CHECK(handler < Handler::count, "an op without a handler");
  code[code_size++] = {addresses[static_cast<u32>(handler)], d, a, b, c, imm};
}

void Lowering::Work::emit_extension(u16 d, u16 a, const void* pointer) { code[code_size++] = {pointer, d, a, 0, 0, 0}; }

u16 Lowering::Work::temp(u32 doublewords) {
  if (doublewords == 2 && !free_pairs.empty()) {
    const u16 place = free_pairs.back();
    free_pairs.pop_back();
    return place;
  }
  if (doublewords == 1 && !free_temps.empty()) {
    const u16 place = free_temps.back();
    free_temps.pop_back();
    return place;
  }
  CHECK(next_temp + doublewords <= kFrameTemps, "block needs too many temporaries");
  const u32 place = kTempsBase + next_temp * 8;
  next_temp += doublewords;
  return static_cast<u16>(place);
}

// Place of an operand of the op being emitted.
u16 Lowering::Work::source(ValueId value) {
  if (value == ir::kNoValue) return kZeroPlace;
  value = root(value);
  ValueInfo& info = values[value];
  if (info.place == kNoPlace) {
    const Inst& op = inst(value);
    CHECK(op.op == Op::constant, "value v{} has no place", value);
    if (op.imm == 0) return kZeroPlace;
    info.place = temp(1);
    info.in_temp = true;
    emit(Handler::constant, info.place, 0, 0, 0, op.imm);
  }
  if (info.in_temp && info.last_use == now) expiring.push_back(value);
  return info.place;
}

// Whether the op's result may be computed straight into the register that put_slot `put` writes.
bool Lowering::Work::can_live_in_slot(u16 at, u16 put) const {
  const u32 slot = inst(put).extra;
  if (ir::type_bytes(slots.slots[slot].type) < 8) return false;
  if (slot_live_until[slot] > at || values[at].last_use > values[put].next_write) return false;
  for (u16 between = at + 1; between < put; ++between) {
    const Inst& op = inst(between);
    if (op.op == Op::put_slot || op.op == Op::get_slot) {
      if (op.extra == slot) return false;
    } else if (op_info(op.op).effects != 0) {
      return false;
    }
  }
  return true;
}

u16 Lowering::Work::destination(u16 at) {
  ValueInfo& info = values[at];
  if (info.put != kNever && can_live_in_slot(at, info.put)) {
    const u32 slot = inst(info.put).extra;
    slot_live_until[slot] = std::max(info.put, info.last_use);
    info.place = static_cast<u16>(slots.slots[slot].offset);
    count(Fusion::slot_result);
    return info.place;
  }
  info.put = kNever;
  const u32 bytes = ir::type_bytes(block->type_of(at));
  info.place = temp(bytes > 8 ? bytes / 8 : 1);
  info.in_temp = bytes <= 16;
  if (info.uses == 0 && info.in_temp) expiring.push_back(at);
  return info.place;
}

void Lowering::Work::emit_two_operand(u16 at, const Inst& op) {
  const ValueInfo& info = values[at];
  const u32 bytes = ir::type_bytes(op.type);
  if (bytes > 8) {
    const Handler handler = op.op == Op::and_  ? Handler::and_wide
                            : op.op == Op::or_ ? Handler::or_wide
                                               : Handler::xor_wide;
    const u16 a = source(op.args[0]);
    const u16 b = source(op.args[1]);
    return emit(handler, destination(at), a, b, static_cast<u16>(bytes), 0);
  }
  if (info.form == Form::shift_add) {
    const Inst& shift = inst(op.args[info.swapped ? 1 : 0]);
    const u16 a = source(shift.args[0]);
    const u16 b = source(op.args[info.swapped ? 0 : 1]);
    count(Fusion::shift_add);
    return emit(Handler::shift_add, destination(at), a, b, 0, inst(shift.args[1]).imm & 63);
  }
  const Handler handler = binary_handler(op.op) + compute_width(op.type) * 2;
  if (info.form == Form::immediate) {
    const u16 a = source(op.args[info.swapped ? 1 : 0]);
    count(Fusion::const_operand);
    return emit(handler + 1, destination(at), a, 0, 0, inst(op.args[info.swapped ? 0 : 1]).imm);
  }
  const u16 a = source(op.args[0]);
  const u16 b = source(op.args[1]);
  emit(handler, destination(at), a, b, 0, 0);
}

void Lowering::Work::emit_convert(u16 at, const Inst& op) {
  if (op.op == Op::sext && values[at].form != Form::plain) {
    const Inst& inner = inst(op.args[0]);
    const bool immediate = values[at].form == Form::sext_imm;
    const u16 a = source(inner.args[0]);
    const u16 b = immediate ? u16{0} : source(inner.args[1]);
    count(Fusion::sext_result);
    return emit(sext32_handler(inner.op) + (immediate ? 1 : 0), destination(at), a, b, 0,
                immediate ? inst(inner.args[1]).imm : 0);
  }
  const Type from = block->type_of(op.args[0]);
  const u16 a = source(op.args[0]);
  const u16 d = destination(at);
  switch (op.op) {
    case Op::zext:
    case Op::sext: {
      const u32 index = static_cast<u32>(from) - static_cast<u32>(Type::i1);
      return emit((op.op == Op::zext ? Handler::zext_1 : Handler::sext_1) + index, d, a, 0, 0, 0);
    }
    case Op::trunc:
      if (op.type == Type::i1) return emit(Handler::and__i64_ri, d, a, 0, 0, 1);
      return emit(Handler::mov_8, d, a, 0, 0, 0);
    default: {  // bitcast
      const u32 bytes = ir::type_bytes(op.type);
      return emit(bytes > 16 ? Handler::mov_32 : bytes > 8 ? Handler::mov_16 : Handler::mov_8, d, a, 0, 0, 0);
    }
  }
}

void Lowering::Work::emit_memory(u16 at, const Inst& op) {
  const ir::MemOp mem = ir::MemOp::unpack(op.extra);
  const bool slow = mem.mode != 0 || mem.big_endian;
  const bool wide = mem.size_log2 > 3;
  const Inst& address = inst(op.args[0]);
  const bool with_offset = values[at].form == Form::address;
  if (with_offset) count(Fusion::address_offset);
  const u16 a = source(with_offset ? address.args[0] : op.args[0]);
  const u64 imm = with_offset ? inst(address.args[1]).imm : 0;
  const u16 bits = static_cast<u16>(op.extra);
  const u16 insn = insn_index();
  switch (op.op) {
    case Op::load: {
      const u16 d = destination(at);
      if (wide) return emit(Handler::load_wide, d, a, bits, insn, imm);
      if (slow) return emit(Handler::load_slow, d, a, bits, insn, 0);
      const Handler handler =
          mem.size_log2 == 3 ? Handler::load_u64 : Handler::load_u8 + mem.size_log2 * 2 + (mem.sign ? 1 : 0);
      return emit(handler, d, a, bits, insn, imm);
    }
    case Op::store: {
      const u16 b = source(op.args[1]);
      if (wide || slow) {
        emit(wide ? Handler::store_wide : Handler::store_slow, bits, a, b, insn, imm);
      } else {
        emit(Handler::store_8 + mem.size_log2, bits, a, b, insn, imm);
      }
      if (mem.order == ir::Order::seq_cst) emit(Handler::fence_full, 0, 0, 0, 0, 0);
      return;
    }
    case Op::atomic_rmw: {
      const u16 b = source(op.args[1]);
      const Handler handler = Handler::rmw_swap_i8 + op.aux * 4 + width_index(op.type);
      return emit(handler, destination(at), a, b, insn, op.extra);
    }
    case Op::atomic_cas: {
      const u16 b = source(op.args[1]);
      const u16 desired = source(op.args[2]);
      emit(Handler::cas_8 + width_index(op.type), destination(at), a, b, insn, op.extra);
      return emit_extension(0, desired, nullptr);
    }
    default: {  // store_cond
      const u16 reserved_address = source(op.args[1]);
      const u16 expected = source(op.args[2]);
      const u16 desired = source(op.args[3]);
      emit(Handler::store_cond_8 + width_index(op.type), destination(at), a, expected, insn, op.extra);
      return emit_extension(reserved_address, desired, nullptr);
    }
  }
}

void Lowering::Work::emit_float(u16 at, const Inst& op) {
  if (op.op == Op::f32_box || op.op == Op::f32_unbox) {
    const u16 a = source(op.args[0]);
    return emit(op.op == Op::f32_box ? Handler::f32_box : Handler::f32_unbox, destination(at), a, 0, 0, 0);
  }
  const Type operand = block->type_of(op.args[0]);
  const Type selecting = op.op == Op::f_to_i || op.op == Op::f16_narrow ? operand : op.type;
  u64 imm = op.aux;
  if (op.op == Op::f_to_i) imm |= u64{ir::type_bits(op.type)} << 8;
  if (op.op == Op::i_to_f) imm |= u64{ir::type_bits(operand)} << 8;
  const u16 a = source(op.args[0]);
  const u16 b = source(op.args[1]);
  const u16 c = source(op.args[2]);
  emit(other_handler(op.op) + (selecting == Type::f64 ? 1 : 0), destination(at), a, b, c, imm);
}

void Lowering::Work::emit_put(u16 at, const Inst& op) {
  const ir::SlotInfo& slot = slots.slots[op.extra];
  if (op.type == Type::flags && on(Fusion::dead_flags)) {
    const bool sunk = values[at].form == Form::sunk;
    flags_slot(op.extra).pending = sunk ? at : kNever;
    if (sunk) return count(Fusion::dead_flags);
  }
  const ValueId value = root(op.args[0]);
  const u16 place = static_cast<u16>(slot.offset);
  if (values[value].put == at && values[value].place == place) return;  // computed in place
  const u32 bytes = ir::type_bytes(slot.type);
  if (is_constant(value) && bytes == 8 && on(Fusion::const_operand)) {
    count(Fusion::const_operand);
    emit(Handler::constant, place, 0, 0, 0, inst(value).imm);
    return;
  }
  const u16 a = source(value);
  if (a == place) return;  // the register holds it already
  constexpr Handler moves[] = {Handler::mov_1, Handler::mov_2,  Handler::mov_4,
                               Handler::mov_8, Handler::mov_16, Handler::mov_32};
  emit(moves[std::countr_zero(bytes)], place, a, 0, 0, 0);
}

void Lowering::Work::emit_call(u16 at, const Inst& op) {
  const HelperInfo& helper = helpers.helpers[op.extra];
  u16 places[3];
  bool is_extended[3];
  for (u32 i = 0; i < 3; ++i) {
    places[i] = source(op.args[i]);
    is_extended[i] = false;
    if (op.args[i] == ir::kNoValue || is_constant(op.args[i])) continue;
    // A helper takes doublewords; what lies above a narrower value in its place is nobody's.
    const Type type = block->type_of(op.args[i]);
    const u32 bytes = ir::type_bytes(type);
    if (type == Type::i1 || bytes == 8) continue;
    const u16 extended = temp(1);
    emit(Handler::zext_8 + static_cast<u32>(std::countr_zero(bytes)), extended, places[i], 0, 0, 0);
    places[i] = extended;
    is_extended[i] = true;
  }
  const auto [a, b, c] = places;
  const u16 d = op.type == Type::none ? temp(1) : destination(at);
  emit((helper.effects & ir::kMayFault) != 0 ? Handler::call_may_fault : Handler::call, d, a, b, c, op.imm);
  emit_extension(insn_index(), (helper.effects & ir::kHostFp) != 0, reinterpret_cast<const void*>(helper.function));
  if (op.type == Type::i1) emit(Handler::zext_1, d, d, 0, 0, 0);
  if (op.type == Type::none) free_temps.push_back(d);
  for (u32 i = 0; i < 3; ++i) {
    if (is_extended[i]) free_temps.push_back(places[i]);
  }
}

void Lowering::Work::emit_op(u16 at) {
  const Inst& op = inst(at);
  ValueInfo& info = values[at];
  switch (op.op) {
    case Op::pc:
      return emit(Handler::pc, destination(at), 0, 0, 0, op.imm);
    case Op::get_slot: {
      const ir::SlotInfo& slot = slots.slots[op.extra];
      if (on(Fusion::slot_operand) && op.type != Type::i1 && info.last_use <= info.next_write) {
        info.place = static_cast<u16>(slot.offset);
        slot_live_until[op.extra] = std::max(slot_live_until[op.extra], info.last_use);
        return count(Fusion::slot_operand);
      }
      info.put = kNever;
      const u32 bytes = ir::type_bytes(op.type);
      const u16 from = static_cast<u16>(slot.offset);
      const u16 d = destination(at);
      if (bytes == 1) return emit(Handler::zext_8, d, from, 0, 0, 0);
      return emit(Handler::mov_1 + static_cast<u32>(std::countr_zero(bytes)), d, from, 0, 0, 0);
    }
    case Op::put_slot:
      return emit_put(at, op);
    case Op::not_: {
      const u16 a = source(op.args[0]);
      const u32 bytes = ir::type_bytes(op.type);
      const u16 d = destination(at);
      if (bytes > 8) return emit(Handler::not_wide, d, a, 0, static_cast<u16>(bytes), 0);
      if (op.type == Type::i1) return emit(Handler::xor__i64_ri, d, a, 0, 0, 1);
      return emit(Handler::not__i8 + width_index(op.type), d, a, 0, 0, 0);
    }
    case Op::clz:
    case Op::ctz:
    case Op::popcnt:
    case Op::bswap: {
      const u16 a = source(op.args[0]);
      return emit(other_handler(op.op) + width_index(op.type), destination(at), a, 0, 0, 0);
    }
    case Op::select: {
      if (info.form != Form::plain) {
        const Inst& compare = inst(root(op.args[0]));
        const bool immediate = info.form == Form::compare_imm;
        const u16 a = source(compare.args[0]);
        const u16 b = immediate ? u16{0} : source(compare.args[1]);
        const u16 yes = source(op.args[1]);
        const u16 no = source(op.args[2]);
        count(Fusion::compare_select);
        emit(select_handler(compare.op, compare.type) + (immediate ? 1 : 0), destination(at), a, b, yes,
             immediate ? inst(compare.args[1]).imm : 0);
        return emit_extension(op.type == Type::i32, no, nullptr);
      }
      const u16 a = source(op.args[0]);
      const u16 b = source(op.args[1]);
      const u16 c = source(op.args[2]);
      const u32 bytes = ir::type_bytes(op.type);
      return emit(bytes > 16             ? Handler::select_32
                  : bytes > 8            ? Handler::select_16
                  : op.type == Type::i32 ? Handler::select_4
                                         : Handler::select_8,
                  destination(at), a, b, c, 0);
    }
    case Op::zext:
    case Op::sext:
    case Op::trunc:
    case Op::bitcast:
      if (root(at) != at) return;  // a matter of its users
      return emit_convert(at, op);
    case Op::vec_low:
    case Op::vec_high: {
      const u16 a = source(op.args[0]);
      return emit(Handler::mov_8, destination(at), static_cast<u16>(a + (op.op == Op::vec_high ? 8 : 0)), 0, 0, 0);
    }
    case Op::vec_pair: {
      // Constants go straight to their half.
      const auto is_immediate = [&](u32 half) { return on(Fusion::const_operand) && is_constant(op.args[half]); };
      const u16 halves[] = {is_immediate(0) ? kZeroPlace : source(op.args[0]),
                            is_immediate(1) ? kZeroPlace : source(op.args[1])};
      const u16 d = destination(at);
      for (u32 half = 0; half < 2; ++half) {
        const auto place = static_cast<u16>(d + 8 * half);
        if (is_immediate(half)) {
          emit(Handler::constant, place, 0, 0, 0, inst(op.args[half]).imm);
        } else {
          emit(Handler::mov_8, place, halves[half], 0, 0, 0);
        }
      }
      return;
    }
    case Op::vec_join: {
      const u16 a = source(op.args[0]);
      const u16 b = source(op.args[1]);
      const u16 d = destination(at);
      emit(Handler::mov_16, d, a, 0, 0, 0);
      return emit(Handler::mov_16, static_cast<u16>(d + 16), b, 0, 0, 0);
    }
    case Op::vec:
    case Op::vec_fp: {
      const u16 a = source(op.args[0]);
      const u16 b = source(op.args[1]);
      const u16 c = source(op.args[2]);
      return emit(Handler::vec, destination(at), a, b, c, op.extra | op.imm << 16);
    }
    case Op::flags_add:
    case Op::flags_sub:
    case Op::flags_subc:
    case Op::flags_logic: {
      const u16 a = source(op.args[0]);
      if (on(Fusion::const_operand) && op.op != Op::flags_logic && is_constant(root(op.args[1])) &&
          is_constant(op.args[2]) && inst(op.args[2]).imm == 0) {
        const Handler handler = op.op == Op::flags_add   ? Handler::flags_add_imm_i8
                                : op.op == Op::flags_sub ? Handler::flags_sub_imm_i8
                                                         : Handler::flags_subc_imm_i8;
        count(Fusion::const_operand);
        return emit(handler + width_index(op.type), destination(at), a, 0, kZeroPlace, inst(root(op.args[1])).imm);
      }
      const u16 b = source(op.args[1]);
      const u16 c = source(op.args[2]);
      return emit(other_handler(op.op) + width_index(op.type), destination(at), a, b, c, 0);
    }
    case Op::flags_bits:
    case Op::flags_pack: {
      const u16 a = source(op.args[0]);
      return emit(Handler::zext_8, destination(at), a, 0, 0, 0);
    }
    case Op::flags_merge: {
      if (info.form == Form::step) {
        const Inst& made = inst(op.args[1]);
        count(Fusion::step_flags);
        const u16 from = source(made.args[0]);
        const u16 carry = source(op.args[0]);
        const Handler first = made.op == Op::flags_add ? Handler::flags_up_i8 : Handler::flags_down_i8;
        return emit(first + width_index(made.type), destination(at), from, carry, 0, 0);
      }
      const u16 a = source(op.args[0]);
      const u16 b = source(op.args[1]);
      return emit(Handler::flags_merge, destination(at), a, b, 0, op.aux);
    }
    case Op::flag: {
      const u16 a = source(op.args[0]);
      return emit(Handler::flag, destination(at), a, 0, 0, op.aux);
    }
    case Op::load:
    case Op::store:
    case Op::atomic_rmw:
    case Op::atomic_cas:
    case Op::store_cond:
      return emit_memory(at, op);
    case Op::fence:
      // Weaker orders hold by themselves: handlers use acquire/release accesses in program order.
      return emit(static_cast<ir::Order>(op.aux) == ir::Order::seq_cst ? Handler::fence_full : Handler::fence_none, 0,
                  0, 0, 0, 0);
    case Op::trap_if: {
      const u16 a = source(op.args[0]);
      const u16 b = source(op.args[1]);
      return emit(Handler::trap_if, 0, a, b, insn_index(), op.imm);
    }
    case Op::call:
      return emit_call(at, op);
    default:
      if (has_trait(op.op, kTwoOperand)) return emit_two_operand(at, op);
      return emit_float(at, op);
  }
}

void Lowering::Work::emit_terminal() {
  const ir::Terminal& terminal = block->terminal;
  const u16 insn = insn_index();
  switch (terminal.kind) {
    case ir::Terminal::Kind::jump:
      emit(Handler::jump, 0, 0, 0, insn, 0);
      break;
    case ir::Terminal::Kind::branch:
      if (fused_branch) {
        const Inst& compare = inst(root(terminal.value));
        const bool immediate = values[now].form == Form::immediate;
        const u16 a = source(compare.args[0]);
        const u16 b = immediate ? u16{0} : source(compare.args[1]);
        count(Fusion::compare_branch);
        emit(branch_handler(compare.op, compare.type) + (immediate ? 1 : 0), 0, a, b, insn,
             immediate ? inst(compare.args[1]).imm : 0);
      } else {
        emit(Handler::branch_true, 0, source(terminal.value), 0, insn, 0);
      }
      break;
    case ir::Terminal::Kind::jump_indirect:
      if (values[now].form == Form::immediate) {
        const Inst& mask = inst(terminal.value);
        count(Fusion::const_operand);
        emit(Handler::jump_indirect, 0, source(mask.args[0]), 0, insn, inst(mask.args[1]).imm);
      } else {
        emit(Handler::jump_indirect, 0, source(terminal.value), 0, insn, ~u64{0});
      }
      break;
    case ir::Terminal::Kind::exit:
      emit(terminal.exit == ir::Exit::lookup      ? Handler::exit_lookup
           : terminal.exit == ir::Exit::exception ? Handler::exit_exception
                                                  : Handler::exit_wait,
           0, 0, 0, insn, static_cast<u64>(terminal.taken));
      break;
    case ir::Terminal::Kind::none:
      CHECK(false, "block without a terminal");
  }
}

void Lowering::Work::forward() {
  slot_live_until.assign(slots.count, 0);
  free_temps.clear();
  free_pairs.clear();
  expiring.clear();
  code_size = 0;
  const std::size_t most = (block->insts.size() + 1) * kMostOpsOfInst;
  if (code.size() < most) code.resize(most);
  insns.clear();
  next_temp = 1;
  repairs.clear();
  const auto release_expired = [&] {
    for (const u16 value : expiring) {
      if (values[value].in_temp) {
        const bool is_pair = ir::type_bytes(block->type_of(value)) > 8;
        (is_pair ? free_pairs : free_temps).push_back(values[value].place);
      }
      values[value].in_temp = false;  // an operand used twice expires once
    }
    expiring.clear();
  };
  if (next_page != nullptr) emit(Handler::check_next_page, 0, 0, 0, 0, reinterpret_cast<u64>(next_page));
  const u16 end = terminal_index();
  for (now = 0; now < end; ++now) {
    const Inst& op = inst(now);
    if (op.op == Op::insn) {
      const u16 repair = flags_slots.empty() ? u16{0} : repair_here();
      insns.push_back({static_cast<u16>(op.imm), static_cast<u16>(code_size), repair});
      if (!holds.empty()) {
        release_holds();
        if (!expiring.empty()) release_expired();
      }
      continue;
    }
    if (op.op == Op::constant) {  // its users take it as an immediate, or place it
      if (!on(Fusion::const_operand) && (values[now].uses != 0 || !on(Fusion::dead_code))) {
        emit(Handler::constant, destination(now), 0, 0, 0, op.imm);
        release_expired();
      }
      continue;
    }
    if (op.op == Op::put_slot && values[now].is_dead) {
      count(Fusion::dead_put);
      continue;
    }
    if (values[now].uses == 0 && has_trait(op.op, kRemovable) && on(Fusion::dead_code)) {
      count(Fusion::dead_code);
      continue;
    }
    emit_op(now);
    if (!holds.empty()) release_holds();
    if (!expiring.empty()) release_expired();
  }
  emit_terminal();
}

Unit* Lowering::lower(const ir::Block& block, const u8* next_page) {
  Work& work = *work_;
  work.next_page = next_page;
  work.block = &block;
  work.insts = block.insts.data();
  work.slots = slots_;
  work.helpers = helpers_;
  work.fusions = fusions_;
  work.counts = counts_;
  work.backward();
  work.forward();

  if (!work.repairs.empty()) {
    for (InsnStart& insn : work.insns) {
      if (insn.repair != 0) insn.repair = static_cast<u16>(work.code_size + insn.repair - 1);
    }
  }
  const std::size_t own_bytes = work.code_size * sizeof(ThreadedOp);
  const std::size_t code_bytes = own_bytes + work.repairs.size() * sizeof(ThreadedOp);
  const std::size_t insn_bytes = work.insns.size() * sizeof(InsnStart);
  const std::size_t bytes = sizeof(Unit) + code_bytes + insn_bytes;
  auto* memory = static_cast<u8*>(allocate_unit(bytes));
  const bool is_spare = memory == nullptr;
  if (is_spare) memory = reinterpret_cast<u8*>(spare_.get());
  auto* unit = new (memory) Unit;
  unit->is_spare = is_spare;
  auto* code = reinterpret_cast<ThreadedOp*>(memory + sizeof(Unit));
  auto* insns = reinterpret_cast<InsnStart*>(memory + sizeof(Unit) + code_bytes);
  std::memcpy(code, work.code.data(), own_bytes);
  if (!work.repairs.empty()) std::memcpy(code + work.code_size, work.repairs.data(), code_bytes - own_bytes);
  std::memcpy(insns, work.insns.data(), insn_bytes);
  unit->code = code;
  unit->insns = insns;
  unit->op_count = work.code_size;
  unit->memory_bytes = static_cast<u32>(bytes);
  unit->guest_insns = block.guest_insns;
  unit->guest_bytes = block.guest_bytes;
  unit->exit_offset[0] = block.terminal.taken;
  unit->exit_offset[1] = block.terminal.not_taken;
  constexpr Unit::Ends kEnds[] = {Unit::Ends::other, Unit::Ends::jump, Unit::Ends::branch, Unit::Ends::indirect,
                                  Unit::Ends::other};
  unit->ends = kEnds[static_cast<u32>(block.terminal.kind)];
  unit->goes = static_cast<Unit::Goes>(block.terminal.hint);
  unit->links[0].owner = unit->links[1].owner = unit;
  return unit;
}

void free_unit(Unit* unit) {
  const bool is_spare = unit->is_spare;
  unit->~Unit();
  if (!is_spare) free_unit_memory(unit);
}

}  // namespace pagoda::interp
