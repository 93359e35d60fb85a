// SPDX-License-Identifier: MIT
// Conditions as comparisons, by the op that made the flags.
#include "tcg/ir/condition.h"

namespace pagoda::ir {
namespace {

Value truth(Builder& b, bool value) { return b.constant(Type::i1, value); }
Value opposite(Builder& b, Value value, bool invert) { return invert ? b.xor_(value, truth(b, true)) : value; }
bool is_zero(const Inst& inst) { return inst.op == Op::constant && inst.imm == 0; }

// Comparisons of one pair of operands, either way round.
Value equal(Builder& b, Value x, Value y, bool invert) { return invert ? b.ne(x, y) : b.eq(x, y); }
Value below(Builder& b, Value x, Value y, bool invert) { return invert ? b.le_u(y, x) : b.lt_u(x, y); }
Value below_equal(Builder& b, Value x, Value y, bool invert) { return invert ? b.lt_u(y, x) : b.le_u(x, y); }
Value less(Builder& b, Value x, Value y, bool invert) { return invert ? b.le_s(y, x) : b.lt_s(x, y); }
Value less_equal(Builder& b, Value x, Value y, bool invert) { return invert ? b.lt_s(y, x) : b.le_s(x, y); }

// The sum or difference beside the flags, which most instructions that make flags want as well; no value: a new one is
// needed.
Value result_near(Builder& b, Value flags, Op op, Value x, Value y) {
  constexpr u32 kNear = 6;
  const auto end = static_cast<u32>(b.block().insts.size());
  const u32 first = flags.id > kNear ? flags.id - kNear : 1;
  for (u32 at = first; at < end && at < flags.id + kNear; ++at) {
    const Inst& inst = b.block().insts[at];
    if (inst.op == op && inst.type == x.type && inst.args[0] == x.id && inst.args[1] == y.id) {
      return b.value(static_cast<ValueId>(at));
    }
  }
  return {};
}

// After x - y. No value: this one needs the flag.
Value after_sub(Builder& b, Value flags, Value x, Value y, bool inverted_borrow, Condition condition, bool invert) {
  const Value result =
      condition == Condition::z || condition == Condition::n ? result_near(b, flags, Op::sub, x, y) : Value{};
  switch (condition) {
    case Condition::z:
      if (result && (b.is_overwritten(x) || b.is_overwritten(y))) {
        return equal(b, result, b.constant(x.type, 0), invert);
      }
      return equal(b, x, y, invert);
    case Condition::c:
      return below(b, x, y, invert != inverted_borrow);
    case Condition::n:
      return less(b, result ? result : b.sub(x, y), b.constant(x.type, 0), invert);
    case Condition::c_or_z:
      return inverted_borrow ? Value{} : below_equal(b, x, y, invert);
    case Condition::c_and_not_z:
      return inverted_borrow ? below_equal(b, x, y, !invert) : Value{};
    case Condition::n_xor_v:
      return less(b, x, y, invert);
    case Condition::less_equal:
      return less_equal(b, x, y, invert);
    default:
      return {};
  }
}

// A carry is a sum below either operand: the one that is still where it was.
Value after_add(Builder& b, Value flags, Value x, Value y, Condition condition, bool invert) {
  if (condition != Condition::z && condition != Condition::c && condition != Condition::n) return {};
  const Value near = result_near(b, flags, Op::add, x, y);
  const Value result = near ? near : b.add(x, y);
  switch (condition) {
    case Condition::z:
      return equal(b, result, b.constant(x.type, 0), invert);
    case Condition::c:
      return below(b, result, b.is_overwritten(x) ? y : x, invert);
    case Condition::n:
      return less(b, result, b.constant(x.type, 0), invert);
    default:
      return {};
  }
}

// After a logical operation with this result: C and V are 0.
Value after_logic(Builder& b, Value r, Condition condition, bool invert) {
  const Value zero = b.constant(r.type, 0);
  switch (condition) {
    case Condition::z:
    case Condition::c_or_z:
      return equal(b, r, zero, invert);
    case Condition::c:
    case Condition::v:
    case Condition::c_and_not_z:
      return truth(b, invert);
    case Condition::n:
    case Condition::n_xor_v:
      return less(b, r, zero, invert);
    case Condition::less_equal:
      return less_equal(b, r, zero, invert);
    default:
      return {};
  }
}

bool test_bits(u64 bits, Condition condition) {
  const auto bit = [&](Flag flag) { return (bits >> static_cast<u32>(flag) & 1) != 0; };
  const bool differ = bit(Flag::n) != bit(Flag::v);
  switch (condition) {
    case Condition::z:
      return bit(Flag::z);
    case Condition::c:
      return bit(Flag::c);
    case Condition::n:
      return bit(Flag::n);
    case Condition::v:
      return bit(Flag::v);
    case Condition::c_or_z:
      return bit(Flag::c) || bit(Flag::z);
    case Condition::c_and_not_z:
      return bit(Flag::c) && !bit(Flag::z);
    case Condition::n_xor_v:
      return differ;
    case Condition::less_equal:
      return differ || bit(Flag::z);
    case Condition::p:
      return bit(Flag::p);
  }
  return false;
}

// Out of a value that is computed.
Value from_flags(Builder& b, Value flags, Condition condition, bool invert) {
  const auto flag = [&](Flag which) { return b.flag(flags, which); };
  switch (condition) {
    case Condition::z:
      return opposite(b, flag(Flag::z), invert);
    case Condition::c:
      return opposite(b, flag(Flag::c), invert);
    case Condition::n:
      return opposite(b, flag(Flag::n), invert);
    case Condition::v:
      return opposite(b, flag(Flag::v), invert);
    case Condition::p:
      return opposite(b, flag(Flag::p), invert);
    case Condition::c_or_z: {
      const Value c = flag(Flag::c);
      return opposite(b, b.or_(c, flag(Flag::z)), invert);
    }
    case Condition::c_and_not_z: {
      const Value c = flag(Flag::c);
      const Value z = flag(Flag::z);
      return opposite(b, b.and_(c, b.xor_(z, truth(b, true))), invert);
    }
    case Condition::n_xor_v:
    case Condition::less_equal: {
      const Value n = flag(Flag::n);
      const Value differ = b.xor_(n, flag(Flag::v));
      return opposite(b, condition == Condition::n_xor_v ? differ : b.or_(differ, flag(Flag::z)), invert);
    }
  }
  return {};
}

// Of the operation that made the flags; no value if that does not help.
Value from_operation(Builder& b, Value flags, Condition condition, bool invert) {
  const Inst made = b.inst(flags);  // a copy: the block grows
  const auto operand = [&](u32 i) { return b.value(made.args[i]); };
  switch (made.op) {
    case Op::flags_sub:
    case Op::flags_subc:
      if (!is_zero(b.inst(operand(2)))) return {};
      return after_sub(b, flags, operand(0), operand(1), made.op == Op::flags_subc, condition, invert);
    case Op::flags_add:
      if (!is_zero(b.inst(operand(2)))) return {};
      return after_add(b, flags, operand(0), operand(1), condition, invert);
    case Op::flags_logic:
      return after_logic(b, operand(0), condition, invert);
    case Op::flags_bits: {
      const Inst& bits = b.inst(operand(0));
      return bits.op == Op::constant ? truth(b, test_bits(bits.imm, condition) != invert) : Value{};
    }
    case Op::select: {  // of flags: a conditional comparison
      const Value yes = condition_value(b, operand(1), condition, invert);
      const Value no = condition_value(b, operand(2), condition, invert);
      return b.select(operand(0), yes, no);
    }
    default:
      return {};
  }
}

}  // namespace

Value condition_value(Builder& b, Value flags, Condition condition, bool invert) {
  const Value value = from_operation(b, flags, condition, invert);
  return value ? value : from_flags(b, flags, condition, invert);
}

}  // namespace pagoda::ir
