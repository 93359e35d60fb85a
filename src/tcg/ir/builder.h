// SPDX-License-Identifier: MIT
// Builder: what translators call to write a block. One small method per op, named after it.
//
// While building it folds what is free to fold: constants (with the meaning of fold.h), identities with constants, and
// guest state that is already known as a value (a slot read after a slot read or write in the same block).
// One builder per translating thread; it is reused.
#pragma once

#include <array>

#include "base/check.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

struct Value {
  ValueId id = kNoValue;
  Type type = Type::none;
  explicit operator bool() const { return id != kNoValue; }
};

class Builder {
 public:
  static constexpr u32 kMaxSlots = 256;

  // Starts a block. `forward_state` off keeps every slot read and write as written (for tests of tiers).
  void start(Block* block, SlotTable slots, bool forward_state = true);
  // Starts a guest instruction at `offset` bytes from the block's pc.
  void insn(u64 offset, u32 length) {
    emit(Op::insn, Type::none, static_cast<u8>(length), 0, offset);
    insn_offset_ = offset;
    insn_length_ = length;
    ++block_->guest_insns;
    block_->guest_bytes = static_cast<u32>(offset) + length;
  }
  u64 insn_offset() const { return insn_offset_; }
  u32 insn_length() const { return insn_length_; }
  bool ended() const { return block_->terminal.kind != Terminal::Kind::none; }

  Value constant(Type type, u64 imm) { return emit(Op::constant, type, 0, 0, imm & type_mask(type)); }
  Value i64(u64 imm) { return constant(Type::i64, imm); }
  Value i32(u32 imm) { return constant(Type::i32, imm); }
  // Guest virtual pc at an offset from the block's start.
  Value pc(u64 offset) { return emit(Op::pc, Type::i64, 0, 0, offset); }
  Value get_slot(u32 slot) {
    const Type type = slots_.slots[slot].type;
    if (forward_state_ && known_[slot].epoch == epoch_) return {known_[slot].id, type};
    const Value value = emit(Op::get_slot, type, 0, slot);
    known_[slot] = {value.id, epoch_};
    return value;
  }
  void put_slot(u32 slot, Value value) {
    DCHECK(value.type == slots_.slots[slot].type, "slot {}", slots_.slots[slot].name);
    emit(Op::put_slot, value.type, 0, slot, 0, value);
    known_[slot] = {value.id, epoch_};
  }

  // clang-format off
#define BINARY(name) Value name(Value a, Value b) { return binary(Op::name, a, b); }
  BINARY(add) BINARY(sub) BINARY(mul) BINARY(mulh_s) BINARY(mulh_u) BINARY(mulh_su) BINARY(clmul) BINARY(clmulh)
  BINARY(div_s) BINARY(div_u) BINARY(rem_s) BINARY(rem_u) BINARY(and_) BINARY(or_) BINARY(xor_) BINARY(shl) BINARY(shr) BINARY(sar) BINARY(rotl)
  BINARY(rotr) BINARY(min_s) BINARY(max_s) BINARY(min_u) BINARY(max_u) BINARY(eq) BINARY(ne) BINARY(lt_s) BINARY(le_s)
  BINARY(lt_u) BINARY(le_u) BINARY(fmin) BINARY(fmax)
#undef BINARY
#define UNARY(name) Value name(Value a) { return unary(Op::name, a); }
  UNARY(not_) UNARY(clz) UNARY(ctz) UNARY(popcnt) UNARY(bswap) UNARY(fneg) UNARY(fclass) UNARY(f32_box) UNARY(f32_unbox)
#undef UNARY
      // clang-format on
      Value select(Value condition, Value a, Value b);
  // Extensions and truncation to `type`; equal widths return the value itself.
  Value zext(Value a, Type type);
  Value sext(Value a, Type type);
  Value trunc(Value a, Type type);
  Value bitcast(Value a, Type type);

  // Doublewords of a v128, and a v128 of two.
  Value vec_low(Value a) { return emit(Op::vec_low, Type::i64, 0, 0, 0, a); }
  Value vec_high(Value a) { return emit(Op::vec_high, Type::i64, 0, 0, 0, a); }
  Value vec_pair(Value low, Value high) { return emit(Op::vec_pair, Type::v128, 0, 0, 0, low, high); }
  Value vec_join(Value low, Value high) { return emit(Op::vec_join, Type::v256, 0, 0, 0, low, high); }
  // Operands that the kind does not have are those before them.
  Value vec(VecOp kind, Value a, Value b = {}, Value c = {}, u32 imm = 0) {
    if (!b) b = a;
    if (!c) c = b;
    return emit(is_fp(kind) ? Op::vec_fp : Op::vec, Type::v128, 0, static_cast<u32>(kind), imm & 0xff, a, b, c);
  }

  Value flags_add(Value a, Value b, Value carry);
  Value flags_sub(Value a, Value b, Value borrow);
  Value flags_subc(Value a, Value b, Value borrow);
  Value flags_logic(Value a);
  Value flags_bits(Value bits);
  Value flags_pack(Value flags);
  Value flags_merge(Value old, Value now, u8 mask);
  Value flag(Value flags, Flag which);

  Value load(Type type, Value address, MemOp op);
  void store(Value address, Value value, MemOp op);
  Value atomic_rmw(Rmw kind, Value address, Value value, MemOp op);
  Value atomic_cas(Value address, Value expected, Value desired, MemOp op);
  Value store_cond(Value address, Value reserved_address, Value reserved_value, Value value, MemOp op);
  void fence(Order order);

  Value fadd(Value a, Value b, Round round) { return fp(Op::fadd, round, a, b); }
  Value fsub(Value a, Value b, Round round) { return fp(Op::fsub, round, a, b); }
  Value fmul(Value a, Value b, Round round) { return fp(Op::fmul, round, a, b); }
  Value fdiv(Value a, Value b, Round round) { return fp(Op::fdiv, round, a, b); }
  Value fsqrt(Value a, Round round) { return fp(Op::fsqrt, round, a); }
  Value fma(Value a, Value b, Value c, Round round) { return fp(Op::fma, round, a, b, c); }
  Value fcmp(FpCompare compare, Value a, Value b);
  Value f_to_i(Type type, Value a, Round round, Sign sign);
  Value i_to_f(Type type, Value a, Round round, Sign sign);
  Value f_to_f(Type type, Value a, Round round);
  Value fround(Value a, Round round) { return fp(Op::fround, round, a); }
  Value froundx(Value a, Round round) { return fp(Op::froundx, round, a); }
  Value f16_widen(Type type, Value bits);
  Value f16_narrow(Value a, Round round);

  void trap_if(Value condition, Value tval, u64 cause);
  // Calls a helper (number from a helpers.def); `effects` are its declared ones. Result type none for no result.
  Value call(u32 helper, u16 effects, Type type, u64 imm = 0, Value a = {}, Value b = {}, Value c = {});

  // Terminals; offsets are from the block's pc.
  void jump(pagoda::i64 offset, Hint hint = Hint::none, pagoda::i64 return_offset = 0);
  void branch(Value condition, pagoda::i64 taken, pagoda::i64 not_taken);
  void jump_indirect(Value pc, Hint hint, pagoda::i64 return_offset = 0);
  void exit(Exit exit, pagoda::i64 offset);

  Block& block() { return *block_; }
  // The instruction that made a value.
  const Inst& inst(Value value) const { return block_->insts[value.id]; }
  Value value(ValueId id) const { return {id, block_->type_of(id)}; }
  // The guest register that a value was read from, or a part of it, has another value by now: to use the value is to
  // keep a copy of it.
  bool is_overwritten(Value value) const {
    const Inst* made = &inst(value);
    if (made->op == Op::trunc) made = &block_->insts[made->args[0]];
    return forward_state_ && made->op == Op::get_slot && known_[made->extra].epoch == epoch_ &&
           block_->insts.data() + known_[made->extra].id != made;
  }

 private:
  Value emit(Op op, Type type, u8 aux = 0, u32 extra = 0, u64 imm = 0, Value a = {}, Value b = {}, Value c = {},
             Value d = {}) {
    DCHECK(!ended(), "instruction after the terminal");
    DCHECK(block_->insts.size() < 0xffff);
    const auto id = static_cast<ValueId>(block_->insts.size());
    block_->insts.push_back(
        {.op = op, .type = type, .aux = aux, .args = {a.id, b.id, c.id, d.id}, .extra = extra, .imm = imm});
    return {id, result_type(op, type)};
  }
  Value binary(Op op, Value a, Value b);
  Value unary(Op op, Value a);
  Value convert(Op op, Value a, Type type);
  Value fp(Op op, Round round, Value a, Value b = {}, Value c = {});
  const Inst& inst_of(Value value) const { return block_->insts[value.id]; }
  bool is_constant(Value value) const { return block_->insts[value.id].op == Op::constant; }
  u64 constant_of(Value value) const { return block_->insts[value.id].imm; }
  void forget_state();
  void terminate(Terminal terminal);

  Block* block_ = nullptr;
  SlotTable slots_;
  bool forward_state_ = true;
  u64 insn_offset_ = 0;
  u32 insn_length_ = 0;
  // Value a slot is known to hold, valid if its epoch is the current one.
  struct Known {
    ValueId id;
    u32 epoch;
  };
  std::array<Known, kMaxSlots> known_{};
  u32 epoch_ = 0;
};

}  // namespace pagoda::ir
