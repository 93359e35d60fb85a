// SPDX-License-Identifier: MIT
// Patterns of integer arithmetic, logic and shifts. Constants are on the right; sub of a constant is an add.
#include <bit>
#include <utility>

#include "tcg/ir/fold.h"
#include "tcg/opt/passes/combine.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

bool is_width(u32 bits) { return bits == 8 || bits == 16 || bits == 32; }
Type integer_of(u32 bits) { return bits == 8 ? Type::i8 : bits == 16 ? Type::i16 : bits == 32 ? Type::i32 : Type::i64; }

// Whether a host instruction can have the constant in itself.
bool is_immediate(Type type, u64 value) {
  return ir::type_bits(type) <= 32 || ir::sign_extend(value & 0xffff'ffff, 32) == value;
}

// (x op c1) op c2, where the constants go together.
NodeId join_constants(Rewriter& r, NodeId id, Op together) {
  const NodeId a = r.arg(id, 0), c2 = r.arg(id, 1);
  if (!r.is(a, r.op(id)) || !r.is_constant(r.arg(a, 1))) return id;
  const Type type = r.node(id).type;
  const NodeId x = r.arg(a, 0);
  const u64 value = *ir::fold(to_ir(together), type, r.imm(r.arg(a, 1)), r.imm(c2));
  return r.become(id, r.op(id), type, x, r.constant(type, value));
}

NodeId combine_add(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (r.is_constant(b)) {
    if (r.is(a, Op::pc)) return r.make(Node{.op = Op::pc, .type = Type::i64, .imm = r.imm(a) + r.imm(b)});
    return join_constants(r, id, Op::add);
  }
  // (x - b) + b, a + (x - a)
  if (r.is(a, Op::sub) && r.arg(a, 1) == b) return r.arg(a, 0);
  if (r.is(b, Op::sub) && r.arg(b, 1) == a) return r.arg(b, 0);
  // a + -x
  if (r.is(b, Op::sub) && r.is_constant(r.arg(b, 0), 0)) return r.become(id, Op::sub, type, a, r.arg(b, 1));
  if (r.is(a, Op::sub) && r.is_constant(r.arg(a, 0), 0)) return r.become(id, Op::sub, type, b, r.arg(a, 1));
  return id;
}

NodeId combine_sub(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (r.is_constant(b)) return r.become(id, Op::add, type, a, r.constant(type, u64{0} - r.imm(b)));
  // (x + b) - b, (b + x) - b, a - (a + x), (x + c) - x
  if (r.is(a, Op::add)) {
    if (r.arg(a, 1) == b) return r.arg(a, 0);
    if (r.arg(a, 0) == b) return r.arg(a, 1);
  }
  if (r.is(b, Op::sub) && r.arg(b, 0) == a) return r.arg(b, 1);  // a - (a - x)
  // (x + c1) - (y + c2)
  if (r.is(a, Op::add) && r.is(b, Op::add) && r.arg(a, 0) == r.arg(b, 0) && r.is_constant(r.arg(a, 1)) &&
      r.is_constant(r.arg(b, 1))) {
    return r.constant(type, r.imm(r.arg(a, 1)) - r.imm(r.arg(b, 1)));
  }
  // 0 - (0 - x) is covered; c - (x + c2)
  if (r.is_constant(a) && r.is(b, Op::add) && r.is_constant(r.arg(b, 1))) {
    return r.become(id, Op::sub, type, r.constant(type, r.imm(a) - r.imm(r.arg(b, 1))), r.arg(b, 0));
  }
  return id;
}

NodeId combine_mul(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (!r.is_constant(b)) return id;
  const u64 c = r.imm(b);
  const bool can_shift = ir::type_bits(type) >= 32;  // bytes and halves: see shift_pair
  if (can_shift && std::has_single_bit(c)) {
    return r.become(id, Op::shl, type, a, r.constant(type, static_cast<u64>(std::countr_zero(c))));
  }
  if (c == ir::type_mask(type)) return r.become(id, Op::sub, type, r.constant(type, 0), a);
  // What one lea does.
  if (can_shift && (c == 3 || c == 5 || c == 9)) {
    const NodeId scaled = r.make(Op::shl, type, a, r.constant(type, c == 3 ? 1 : c == 5 ? 2 : 3));
    return r.become(id, Op::add, type, scaled, a);
  }
  return join_constants(r, id, Op::mul);
}

NodeId combine_and(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (!ir::is_integer(type) || type == Type::i128) return id;
  if (!r.is_constant(b)) {
    // x & (x | y)
    if (r.is(b, Op::or_) && (r.arg(b, 0) == a || r.arg(b, 1) == a)) return a;
    if (r.is(a, Op::or_) && (r.arg(a, 0) == b || r.arg(a, 1) == b)) return b;
    return id;
  }
  const u64 mask = r.imm(b);
  if (r.is(a, Op::and_) && r.is_constant(r.arg(a, 1))) return join_constants(r, id, Op::and_);
  const u32 bits = static_cast<u32>(std::bit_width(mask));
  if (std::has_single_bit(mask + 1) && is_width(bits) && bits < ir::type_bits(type)) {
    return r.become(id, Op::zext, type, r.make(Op::trunc, integer_of(bits), a));
  }
  // The mask ends within what was extended.
  if ((r.is(a, Op::zext) || r.is(a, Op::sext)) && r.type(r.arg(a, 0)) != Type::i1) {
    const NodeId x = r.arg(a, 0);
    const Type narrow = r.type(x);
    if ((mask & ~ir::type_mask(narrow)) == 0) {
      return r.become(id, Op::zext, type, r.make(Op::and_, narrow, x, r.constant(narrow, mask)));
    }
    if (r.is(a, Op::zext)) {
      return r.become(id, Op::and_, type, a, r.constant(type, mask & ir::type_mask(narrow)));
    }
  }
  return id;
}

// x << c | x >> (width - c), and the same of two halves that were extended alike.
NodeId find_rotate(Rewriter& r, NodeId id, NodeId a, NodeId b) {
  const Type type = r.node(id).type;
  if ((r.is(a, Op::sext) || r.is(a, Op::zext)) && r.op(a) == r.op(b)) {
    const NodeId x = r.arg(a, 0), y = r.arg(b, 0);
    if (r.type(x) != r.type(y) || r.type(x) == Type::i1) return id;
    const bool shifts = (r.is(x, Op::shl) && r.is(y, Op::shr)) || (r.is(x, Op::shr) && r.is(y, Op::shl));
    if (!shifts || r.arg(x, 0) != r.arg(y, 0) || !r.is_constant(r.arg(x, 1)) || !r.is_constant(r.arg(y, 1))) return id;
    if (r.imm(r.arg(x, 1)) + r.imm(r.arg(y, 1)) != ir::type_bits(r.type(x))) return id;
    return r.become(id, r.op(a), type, r.make(Op::or_, r.type(x), x, y));
  }
  if (r.is(a, Op::shr)) std::swap(a, b);
  if (!r.is(a, Op::shl) || !r.is(b, Op::shr) || r.arg(a, 0) != r.arg(b, 0)) return id;
  const NodeId left = r.arg(a, 1), right = r.arg(b, 1);
  if (!r.is_constant(left) || !r.is_constant(right)) return id;
  const u64 bits = ir::type_bits(type);
  if (r.imm(left) == 0 || r.imm(left) >= bits || r.imm(left) + r.imm(right) != bits) return id;
  return r.become(id, Op::rotl, type, r.arg(a, 0), left);
}

NodeId combine_or(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (!ir::is_integer(type) || type == Type::i128) return id;
  if (r.is_constant(b)) return join_constants(r, id, Op::or_);
  if (r.is(b, Op::and_) && (r.arg(b, 0) == a || r.arg(b, 1) == a)) return a;
  if (r.is(a, Op::and_) && (r.arg(a, 0) == b || r.arg(a, 1) == b)) return b;
  return find_rotate(r, id, a, b);
}

NodeId combine_xor(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  if (!ir::is_integer(type) || type == Type::i128) return id;
  if (r.is_constant(b, ir::type_mask(type))) {
    if (r.is(a, Op::not_)) return r.arg(a, 0);
    return r.become(id, Op::not_, type, a);
  }
  if (r.is_constant(b)) return join_constants(r, id, Op::xor_);
  // x ^ (x ^ y), x ^ (x & c)
  for (u32 side = 0; side < 2; ++side) {
    const NodeId x = side == 0 ? a : b, y = side == 0 ? b : a;
    if (r.is(y, Op::xor_) && r.arg(y, 0) == x) return r.arg(y, 1);
    if (r.is(y, Op::xor_) && r.arg(y, 1) == x) return r.arg(y, 0);
    if (r.is(y, Op::and_) && r.arg(y, 0) == x && r.is_constant(r.arg(y, 1))) {
      return r.become(id, Op::and_, type, x, r.constant(type, ~r.imm(r.arg(y, 1))));
    }
  }
  return find_rotate(r, id, a, b);
}

// x << a, then >> b with a <= b or a > b.
NodeId shift_pair(Rewriter& r, NodeId id, NodeId x, u32 left, u32 right, bool arithmetic) {
  const Type type = r.node(id).type;
  const u32 bits = ir::type_bits(type), kept = bits - left;
  const auto shifted = [&](Op op, NodeId value, u32 by) {
    return by == 0 ? value : r.make(op, r.type(value), value, r.constant(r.type(value), by));
  };
  // Shifts of bytes and halves are not for selection.
  if (is_width(kept) && kept < bits && (kept == 32 || right <= left)) {
    const Type narrow = integer_of(kept);
    const Op extend = arithmetic ? Op::sext : Op::zext;
    NodeId low = r.make(Op::trunc, narrow, x);
    if (right >= left) {
      low = shifted(arithmetic ? Op::sar : Op::shr, low, right - left);
      return r.become(id, extend, type, low);
    }
    const NodeId wide = r.make(extend, type, low);
    return r.become(id, Op::shl, type, wide, r.constant(type, left - right));
  }
  if (arithmetic) return id;
  if (right > left) return id;  // two operations either way
  const u64 mask = (ir::type_mask(type) >> right) & (ir::type_mask(type) << (left - right));
  if (!is_immediate(type, mask)) return id;
  return r.become(id, Op::and_, type, shifted(Op::shl, x, left - right), r.constant(type, mask));
}

NodeId combine_shift(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  const u32 bits = ir::type_bits(type);
  const Op op = r.op(id);
  if (!r.is_constant(b)) {
    // Only the count modulo the width matters.
    if (r.is(b, Op::and_) && r.is_constant(r.arg(b, 1)) && (r.imm(r.arg(b, 1)) & (bits - 1)) == bits - 1) {
      return r.become(id, op, type, a, r.arg(b, 0));
    }
    return id;
  }
  const u32 count = static_cast<u32>(r.imm(b)) & (bits - 1);
  if (count != r.imm(b)) return r.become(id, op, type, a, r.constant(type, count));
  if (op == Op::rotr) return r.become(id, Op::rotl, type, a, r.constant(type, bits - count));
  if (op == Op::rotl) return id;
  const bool by_constant = (r.is(a, Op::shl) || r.is(a, Op::shr) || r.is(a, Op::sar)) && r.is_constant(r.arg(a, 1));
  if (by_constant) {
    const u32 inner = static_cast<u32>(r.imm(r.arg(a, 1))) & (bits - 1);
    const NodeId x = r.arg(a, 0);
    if (r.op(a) == op) {
      if (inner + count < bits) return r.become(id, op, type, x, r.constant(type, inner + count));
      if (op == Op::sar) return r.become(id, op, type, x, r.constant(type, bits - 1));
      return r.constant(type, 0);
    }
    if (op != Op::shl && r.is(a, Op::shl)) return shift_pair(r, id, x, inner, count, op == Op::sar);
    // What was shifted out at the bottom is 0.
    if (op == Op::shl && inner == count && is_immediate(type, ir::type_mask(type) << count)) {
      return r.become(id, Op::and_, type, x, r.constant(type, ir::type_mask(type) << count));
    }
  }
  // (x + c) << n: the constant goes into the displacement of what it is the index of.
  if (op == Op::shl && r.is(a, Op::add) && r.is_constant(r.arg(a, 1)) && r.used_once(a)) {
    const NodeId scaled = r.make(Op::shl, type, r.arg(a, 0), b);
    return r.become(id, Op::add, type, scaled, r.constant(type, r.imm(r.arg(a, 1)) << count));
  }
  return id;
}

}  // namespace

NodeId combine_arithmetic(Rewriter& r, NodeId id) {
  switch (r.op(id)) {
    case Op::add:
      return combine_add(r, id);
    case Op::sub:
      return combine_sub(r, id);
    case Op::mul:
      return combine_mul(r, id);
    case Op::and_:
      return combine_and(r, id);
    case Op::or_:
      return combine_or(r, id);
    case Op::xor_:
      return combine_xor(r, id);
    case Op::not_:
      return r.is(r.arg(id, 0), Op::not_) ? r.arg(r.arg(id, 0), 0) : id;
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rotl:
    case Op::rotr:
      return combine_shift(r, id);
    default:
      return id;
  }
}

}  // namespace pagoda::opt::passes
