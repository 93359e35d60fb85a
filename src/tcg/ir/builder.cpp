// SPDX-License-Identifier: MIT
// Builder: appends instructions, folding what costs nothing to fold.
#include "tcg/ir/builder.h"

#include "tcg/ir/fold.h"

namespace pagoda::ir {

void Builder::start(Block* block, SlotTable slots, bool forward_state) {
  CHECK(slots.count <= kMaxSlots);
  block_ = block;
  block_->clear();
  slots_ = slots;
  forward_state_ = forward_state;
  insn_offset_ = insn_length_ = 0;
  forget_state();
}

void Builder::forget_state() {
  if (++epoch_ == 0) {  // wrapped: entries of an old round could look current
    known_.fill({});
    epoch_ = 1;
  }
}

Value Builder::binary(Op op, Value a, Value b) {
  DCHECK(a.type == b.type, "{}", op_info(op).name);
  if (is_constant(b)) {
    const u64 y = constant_of(b);
    if (is_constant(a)) {
      if (const auto folded = fold(op, a.type, constant_of(a), y)) return constant(result_type(op, a.type), *folded);
    }
    switch (op) {
      case Op::add:
      case Op::sub:
      case Op::or_:
      case Op::xor_:
      case Op::shl:
      case Op::shr:
      case Op::sar:
      case Op::rotl:
      case Op::rotr:
        if (y == 0) return a;
        break;
      case Op::and_:
        if (y == type_mask(a.type)) return a;
        if (y == 0) return b;
        break;
      default:
        break;
    }
  } else if (is_constant(a) && constant_of(a) == 0) {
    if (op == Op::add || op == Op::or_ || op == Op::xor_) return b;
    if (op == Op::and_) return a;
  }
  return emit(op, a.type, 0, 0, 0, a, b);
}

Value Builder::unary(Op op, Value a) {
  if (op == Op::f32_unbox && inst_of(a).op == Op::f32_box) return {inst_of(a).args[0], Type::f32};
  // f32_box/f32_unbox have their own type field; all others take the operand's.
  const Type type = op == Op::f32_box ? Type::i64 : op == Op::f32_unbox ? Type::f32 : a.type;
  return emit(op, type, 0, 0, 0, a);
}

Value Builder::select(Value condition, Value a, Value b) {
  if (is_constant(condition)) return constant_of(condition) != 0 ? a : b;
  if (a.id == b.id) return a;
  if (a.type == Type::i1 && is_constant(b)) {  // truth values: logic is cheaper
    return constant_of(b) == 0 ? and_(condition, a) : or_(xor_(condition, b), a);
  }
  return emit(Op::select, a.type, 0, 0, 0, condition, a, b);
}

Value Builder::convert(Op op, Value a, Type type) {
  if (a.type == type) return a;
  if (is_constant(a) && type_bits(type) <= 64) {
    const u64 value = constant_of(a);
    return constant(type, op == Op::sext ? sign_extend(value, type_bits(a.type)) : value);
  }
  return emit(op, type, 0, 0, 0, a);
}
Value Builder::zext(Value a, Type type) { return convert(Op::zext, a, type); }
Value Builder::sext(Value a, Type type) { return convert(Op::sext, a, type); }
Value Builder::trunc(Value a, Type type) { return convert(Op::trunc, a, type); }
Value Builder::bitcast(Value a, Type type) { return a.type == type ? a : emit(Op::bitcast, type, 0, 0, 0, a); }

Value Builder::flags_add(Value a, Value b, Value carry) { return emit(Op::flags_add, a.type, 0, 0, 0, a, b, carry); }
Value Builder::flags_sub(Value a, Value b, Value borrow) { return emit(Op::flags_sub, a.type, 0, 0, 0, a, b, borrow); }
Value Builder::flags_subc(Value a, Value b, Value borrow) {
  return emit(Op::flags_subc, a.type, 0, 0, 0, a, b, borrow);
}
Value Builder::flags_logic(Value a) { return emit(Op::flags_logic, a.type, 0, 0, 0, a); }
Value Builder::flags_bits(Value bits) { return emit(Op::flags_bits, Type::i8, 0, 0, 0, bits); }
Value Builder::flags_pack(Value flags) { return emit(Op::flags_pack, Type::i8, 0, 0, 0, flags); }
Value Builder::flags_merge(Value old, Value now, u8 mask) {
  return emit(Op::flags_merge, Type::flags, mask, 0, 0, old, now);
}
Value Builder::flag(Value flags, Flag which) {
  return emit(Op::flag, Type::flags, static_cast<u8>(which), 0, 0, flags);
}

Value Builder::load(Type type, Value address, MemOp op) { return emit(Op::load, type, 0, op.pack(), 0, address); }
void Builder::store(Value address, Value value, MemOp op) {
  emit(Op::store, value.type, 0, op.pack(), 0, address, value);
}
Value Builder::atomic_rmw(Rmw kind, Value address, Value value, MemOp op) {
  return emit(Op::atomic_rmw, value.type, static_cast<u8>(kind), op.pack(), 0, address, value);
}
Value Builder::atomic_cas(Value address, Value expected, Value desired, MemOp op) {
  return emit(Op::atomic_cas, expected.type, 0, op.pack(), 0, address, expected, desired);
}
Value Builder::store_cond(Value address, Value reserved_address, Value reserved_value, Value value, MemOp op) {
  return emit(Op::store_cond, value.type, 0, op.pack(), 0, address, reserved_address, reserved_value, value);
}
void Builder::fence(Order order) { emit(Op::fence, Type::none, static_cast<u8>(order)); }

Value Builder::fp(Op op, Round round, Value a, Value b, Value c) {
  return emit(op, a.type, static_cast<u8>(round), 0, 0, a, b, c);
}
Value Builder::fcmp(FpCompare compare, Value a, Value b) {
  return emit(Op::fcmp, a.type, static_cast<u8>(compare), 0, 0, a, b);
}
Value Builder::f_to_i(Type type, Value a, Round round, Sign sign) {
  return emit(Op::f_to_i, type, static_cast<u8>(static_cast<u32>(round) | static_cast<u32>(sign) << 4), 0, 0, a);
}
Value Builder::i_to_f(Type type, Value a, Round round, Sign sign) {
  return emit(Op::i_to_f, type, static_cast<u8>(static_cast<u32>(round) | static_cast<u32>(sign) << 4), 0, 0, a);
}
Value Builder::f_to_f(Type type, Value a, Round round) {
  return emit(Op::f_to_f, type, static_cast<u8>(round), 0, 0, a);
}

Value Builder::f16_widen(Type type, Value bits) { return emit(Op::f16_widen, type, 0, 0, 0, bits); }
Value Builder::f16_narrow(Value a, Round round) {
  return emit(Op::f16_narrow, Type::i16, static_cast<u8>(round), 0, 0, a);
}

void Builder::trap_if(Value condition, Value tval, u64 cause) {
  emit(Op::trap_if, Type::none, 0, 0, cause, condition, tval);
}

Value Builder::call(u32 helper, u16 effects, Type type, u64 imm, Value a, Value b, Value c) {
  const Value result = emit(Op::call, type, 0, helper, imm, a, b, c);
  if ((effects & kWriteState) != 0) forget_state();
  return result;
}

void Builder::terminate(Terminal terminal) {
  DCHECK(!ended());
  block_->terminal = terminal;
}
void Builder::jump(pagoda::i64 offset, Hint hint, pagoda::i64 return_offset) {
  terminate({.kind = Terminal::Kind::jump, .hint = hint, .taken = offset, .not_taken = return_offset});
}
void Builder::branch(Value condition, pagoda::i64 taken, pagoda::i64 not_taken) {
  if (is_constant(condition)) return jump(constant_of(condition) != 0 ? taken : not_taken);
  terminate({.kind = Terminal::Kind::branch, .value = condition.id, .taken = taken, .not_taken = not_taken});
}
void Builder::jump_indirect(Value pc, Hint hint, pagoda::i64 return_offset) {
  terminate({.kind = Terminal::Kind::jump_indirect, .hint = hint, .value = pc.id, .not_taken = return_offset});
}
void Builder::exit(Exit exit, pagoda::i64 offset) {
  terminate({.kind = Terminal::Kind::exit, .exit = exit, .taken = offset});
}

}  // namespace pagoda::ir
