// SPDX-License-Identifier: MIT
// Shifts and rotates, through the carry and of two registers.
//
// Counts are masked to 5 bits, 6 for 64-bit operands; a count of zero changes no flag. So narrow operands may be
// shifted by more than their width: they are computed in 32 bits or more.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Flag;
using ir::Type;
using ir::Value;

enum class Direction : u8 { left, right };

class Shift {
 public:
  Shift(Translator& translator, const Insn& insn, u32 count_operand)
      : t(translator), b(translator.b), i(insn), type(int_type(insn.operands[0].size)), width(ir::type_bits(type)) {
    const u32 mask = width == 64 ? 63 : 31;
    if (insn.operands[count_operand].kind == OperandKind::immediate) {
      constant_count = static_cast<u32>(insn.operands[count_operand].value) & mask;
      count = b.i64(constant_count);
    } else {
      count = b.and_(t.gpr64(kRcx), b.i64(mask));
      variable = true;
    }
    value = t.read(insn, 0);
  }

  // A count of zero still writes the operand.
  bool nothing() const { return !variable && constant_count == 0; }
  Value count_as(Type wanted) const { return b.trunc(count, wanted); }
  Value wide(Value narrow) const { return b.zext(narrow, Type::i64); }

  // The result, and the flags `now` (those in `mask`) unless the count is zero.
  void finish(Value result, Value now, u8 mask) {
    t.write(i, 0, result);
    if (nothing()) return;
    const Value merged = mask == kAllFlags ? now : b.flags_merge(t.flags(), now, mask);
    t.set_flags(variable ? b.select(b.eq(count, b.i64(0)), t.flags(), merged) : merged);
    if (!variable && mask == kAllFlags) t.remember(result);
  }
  void finish_shift(Value result, Value carry, Value overflow) {
    const Value bits = t.flag_bits({{Flag::c, carry}, {Flag::v, overflow}});
    finish(result, b.flags_merge(b.flags_logic(result), bits, kCf | kOf), kAllFlags);
  }
  void finish_rotate(Value result, Value carry, Value overflow) {
    finish(result, t.flag_bits({{Flag::c, carry}, {Flag::v, overflow}}), kCf | kOf);
  }
  Value top(Value of) const { return t.sign_bit(of); }
  Value bit_at(Value of, Value number) const { return b.trunc(b.shr(of, number), Type::i1); }

  Translator& t;
  ir::Builder& b;
  const Insn& i;
  const Type type;
  const u32 width;
  Value count, value;  // count: 64 bits, masked
  u32 constant_count = 0;
  bool variable = false;
};

// Rotation of value and carry, a string of width + 1 bits.
void rotate_through_carry(Translator& t, const Insn& i, Direction direction) {
  Shift s(t, i, 1);
  ir::Builder& b = t.b;
  const Value carry_in = s.wide(b.flag(t.flags(), Flag::c));
  const Value one = b.i64(1);
  const bool left = direction == Direction::left;
  Value result, carry;
  if (s.width == 64) {
    // x86 has no shift by 64, nor has the IR: one bit and then the rest.
    const Value rest = b.sub(b.i64(63), b.sub(s.count, one));  // 64 - count, taken modulo 64
    const Value near_ = left ? b.shl(s.value, s.count) : b.shr(s.value, s.count);
    const Value far_ = left ? b.shr(b.shr(s.value, one), rest) : b.shl(b.shl(s.value, one), rest);
    const Value inserted = b.shl(carry_in, left ? b.sub(s.count, one) : rest);
    const Value rotated = b.or_(b.or_(near_, far_), inserted);
    const Value unmoved = b.eq(s.count, b.i64(0));
    result = b.select(unmoved, s.value, rotated);
    carry = s.bit_at(s.value, left ? rest : b.sub(s.count, one));
  } else {
    const u64 length = s.width + 1;
    const Value string = b.or_(b.shl(carry_in, b.i64(s.width)), s.wide(s.value));
    const Value by = s.width == 32 ? s.count : b.rem_u(s.count, b.i64(length));
    const Value back = b.sub(b.i64(length), by);  // at most 33: never all 64
    const Value near_ = left ? b.shl(string, by) : b.shr(string, by);
    const Value far_ = left ? b.shr(string, back) : b.shl(string, back);
    const Value rotated = b.or_(near_, far_);
    result = b.trunc(rotated, s.type);
    carry = s.bit_at(rotated, b.i64(s.width));
  }
  const Value top = s.top(result);
  const Value second = b.trunc(b.shr(result, t.constant_like(result, s.width - 2)), Type::i1);
  s.finish_rotate(result, carry, b.xor_(top, left ? carry : second));
}

void rotate(Translator& t, const Insn& i, Direction direction) {
  Shift s(t, i, 1);
  ir::Builder& b = t.b;
  const Value by = s.count_as(s.type);
  const bool left = direction == Direction::left;
  const Value result = left ? b.rotl(s.value, by) : b.rotr(s.value, by);
  const Value top = s.top(result);
  const Value carry = left ? b.trunc(result, Type::i1) : top;
  const Value second = b.trunc(b.shr(result, t.constant_like(result, s.width - 2)), Type::i1);
  s.finish_rotate(result, carry, b.xor_(top, left ? carry : second));
}

// Bits that leave one register enter from another (SDM volume 2, SHLD). A 16-bit operand shifted by more than 16 is
// undefined; here its own bits follow those of the other register.
void double_shift(Translator& t, const Insn& i, Direction direction) {
  Shift s(t, i, 2);
  ir::Builder& b = t.b;
  const Value from = t.read(i, 1);
  const bool left = direction == Direction::left;
  Value result;
  if (s.width == 16) {
    const auto at = [&](Value value, u64 bit) { return b.shl(s.wide(value), b.i64(bit)); };
    const Value string = b.or_(b.or_(at(s.value, left ? 32 : 0), at(from, 16)), at(s.value, left ? 0 : 32));
    const Value moved = left ? b.shr(b.shl(string, s.count), b.i64(32)) : b.shr(string, s.count);
    result = b.trunc(moved, s.type);
  } else {
    const Value by = s.count_as(s.type);
    const Value one = t.constant_like(by, 1), rest = b.sub(t.constant_like(by, s.width - 1), by);
    const Value near_ = left ? b.shl(s.value, by) : b.shr(s.value, by);
    const Value far_ = left ? b.shr(b.shr(from, one), rest) : b.shl(b.shl(from, one), rest);
    result = b.or_(near_, far_);
  }
  const Value out = left ? b.sub(b.i64(s.width), s.count) : b.sub(s.count, b.i64(1));
  const Value carry = s.bit_at(s.wide(s.value), out);
  s.finish_shift(result, carry, b.xor_(s.top(result), s.top(s.value)));
}

}  // namespace

void shl(Translator& t, const Insn& i) {
  Shift s(t, i, 1);
  ir::Builder& b = t.b;
  const Type in = s.width < 32 ? Type::i32 : s.type;
  const Value result = b.trunc(b.shl(b.zext(s.value, in), s.count_as(in)), s.type);
  const Value carry = s.width == 64 ? s.bit_at(s.value, b.sub(b.i64(64), s.count))
                                    : s.bit_at(b.shl(s.wide(s.value), s.count), b.i64(s.width));
  s.finish_shift(result, carry, b.xor_(s.top(result), carry));
}

void shr(Translator& t, const Insn& i) {
  Shift s(t, i, 1);
  ir::Builder& b = t.b;
  const Type in = s.width < 32 ? Type::i32 : s.type;
  const Value result = b.trunc(b.shr(b.zext(s.value, in), s.count_as(in)), s.type);
  const Value carry = s.bit_at(s.wide(s.value), b.sub(s.count, b.i64(1)));
  s.finish_shift(result, carry, s.top(s.value));
}

void sar(Translator& t, const Insn& i) {
  Shift s(t, i, 1);
  ir::Builder& b = t.b;
  const Type in = s.width < 32 ? Type::i32 : s.type;
  const Value result = b.trunc(b.sar(b.sext(s.value, in), s.count_as(in)), s.type);
  const Value carry = s.bit_at(b.sext(s.value, Type::i64), b.sub(s.count, b.i64(1)));
  s.finish_shift(result, carry, b.constant(Type::i1, 0));
}

void rol(Translator& t, const Insn& i) { rotate(t, i, Direction::left); }
void ror(Translator& t, const Insn& i) { rotate(t, i, Direction::right); }
void rcl(Translator& t, const Insn& i) { rotate_through_carry(t, i, Direction::left); }
void rcr(Translator& t, const Insn& i) { rotate_through_carry(t, i, Direction::right); }
void shld(Translator& t, const Insn& i) { double_shift(t, i, Direction::left); }
void shrd(Translator& t, const Insn& i) { double_shift(t, i, Direction::right); }

}  // namespace pagoda::x86_64::op
