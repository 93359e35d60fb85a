// SPDX-License-Identifier: MIT
// Patterns of comparisons, truth values and selects.
#include "tcg/ir/fold.h"
#include "tcg/opt/passes/combine.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

bool is_truth(Rewriter& r, NodeId id) { return r.type(id) == Type::i1; }

NodeId opposite_of(Rewriter& r, NodeId id) {
  const NodeId comparison = make_opposite(r, id);
  return comparison != 0 ? comparison : r.make(Op::xor_, Type::i1, id, r.constant(Type::i1, 1));
}

// Of eq and ne with a constant.
NodeId compare_equal(Rewriter& r, NodeId id, NodeId a, u64 value) {
  const Op op = r.op(id);
  const Type type = r.node(id).type;
  const bool equal = op == Op::eq;
  if (type == Type::i1) return (value != 0) == equal ? a : opposite_of(r, a);
  switch (r.op(a)) {
    case Op::zext:
    case Op::sext: {
      const NodeId x = r.arg(a, 0);
      const Type narrow = r.type(x);
      const u64 low = value & ir::type_mask(narrow);
      const u64 back = (r.is(a, Op::sext) ? ir::sign_extend(low, ir::type_bits(narrow)) : low) & ir::type_mask(type);
      if (back != value) return r.constant(Type::i1, equal ? 0 : 1);
      if (narrow == Type::i1) {
        return (low != 0) == equal ? x : opposite_of(r, x);
      }
      return r.become(id, op, narrow, x, r.constant(narrow, low));
    }
    case Op::sub:
      if (value == 0 && r.used_once(a)) return r.become(id, op, type, r.arg(a, 0), r.arg(a, 1));
      return id;
    case Op::xor_:
      if (value == 0 && r.used_once(a)) return r.become(id, op, type, r.arg(a, 0), r.arg(a, 1));
      if (r.is_constant(r.arg(a, 1)) && r.used_once(a)) {
        return r.become(id, op, type, r.arg(a, 0), r.constant(type, value ^ r.imm(r.arg(a, 1))));
      }
      return id;
    case Op::add:
      // Else both the sum and what it was made of would have to live.
      if (r.is_constant(r.arg(a, 1)) && r.used_once(a)) {
        return r.become(id, op, type, r.arg(a, 0), r.constant(type, value - r.imm(r.arg(a, 1))));
      }
      return id;
    default:
      return id;
  }
}

NodeId compare(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Op op = r.op(id);
  const Type type = r.node(id).type;
  if ((op == Op::eq || op == Op::ne) && r.is_constant(b)) return compare_equal(r, id, a, r.imm(b));
  if (type == Type::i1) return id;
  // Two places of the code: a return to where the call came from.
  if ((op == Op::eq || op == Op::ne) && r.is(a, Op::pc) && r.is(b, Op::pc)) {
    return r.constant(Type::i1, (r.imm(a) == r.imm(b)) == (op == Op::eq) ? 1 : 0);
  }
  // x < 1, 0 < x, x <= 0, 1 <= x
  if (op == Op::lt_u && r.is_constant(b, 1)) return r.become(id, Op::eq, type, a, r.constant(type, 0));
  if (op == Op::lt_u && r.is_constant(a, 0)) return r.become(id, Op::ne, type, b, r.constant(type, 0));
  if (op == Op::le_u && r.is_constant(b, 0)) return r.become(id, Op::eq, type, a, b);
  if (op == Op::le_u && r.is_constant(a, 1)) return r.become(id, Op::ne, type, b, r.constant(type, 0));
  // Operands that were extended alike: signs and zeros keep the order, zeros both orders.
  const bool both = r.op(a) == r.op(b) && (r.is(a, Op::sext) || r.is(a, Op::zext));
  if (both && r.type(r.arg(a, 0)) == r.type(r.arg(b, 0)) && r.type(r.arg(a, 0)) != Type::i1) {
    Op now = op;
    if (r.is(a, Op::zext) && op == Op::lt_s) now = Op::lt_u;
    if (r.is(a, Op::zext) && op == Op::le_s) now = Op::le_u;
    return r.become(id, now, r.type(r.arg(a, 0)), r.arg(a, 0), r.arg(b, 0));
  }
  // One that was sign-extended, and a constant that fits.
  for (u32 side = 0; side < 2; ++side) {
    const NodeId x = side == 0 ? a : b, y = side == 0 ? b : a;
    if (!r.is(x, Op::sext) || !r.is_constant(y) || r.type(r.arg(x, 0)) == Type::i1) continue;
    const Type narrow = r.type(r.arg(x, 0));
    const u64 low = r.imm(y) & ir::type_mask(narrow);
    if ((ir::sign_extend(low, ir::type_bits(narrow)) & ir::type_mask(type)) != r.imm(y)) continue;
    const NodeId value = r.constant(narrow, low);
    return r.become(id, op, narrow, side == 0 ? r.arg(x, 0) : value, side == 0 ? value : r.arg(x, 0));
  }
  return id;
}

// or, and of two comparisons of the same operands, as conditions made of several flags become.
NodeId join_comparisons(Rewriter& r, NodeId id) {
  const bool is_or = r.is(id, Op::or_);
  for (u32 side = 0; side < 2; ++side) {
    const NodeId x = r.arg(id, side), y = r.arg(id, 1 - side);
    const auto same = [&] { return r.arg(x, 0) == r.arg(y, 0) && r.arg(x, 1) == r.arg(y, 1); };
    const auto crossed = [&] { return r.arg(x, 0) == r.arg(y, 1) && r.arg(x, 1) == r.arg(y, 0); };
    const Type type = r.node(x).type;
    if (is_or && r.is(y, Op::eq) && r.node(y).type == type) {  // below or equal
      if ((r.is(x, Op::lt_u) || r.is(x, Op::lt_s)) && (same() || crossed())) {
        return r.become(id, r.is(x, Op::lt_u) ? Op::le_u : Op::le_s, type, r.arg(x, 0), r.arg(x, 1));
      }
    }
    if (!is_or && r.is(y, Op::ne) && r.node(y).type == type) {  // below or equal, but not equal
      if ((r.is(x, Op::le_u) || r.is(x, Op::le_s)) && (same() || crossed())) {
        return r.become(id, r.is(x, Op::le_u) ? Op::lt_u : Op::lt_s, type, r.arg(x, 0), r.arg(x, 1));
      }
    }
  }
  return id;
}

NodeId truth_logic(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  switch (r.op(id)) {
    case Op::not_: {
      const NodeId opposite = make_opposite(r, a);
      return opposite != 0 ? opposite : r.become(id, Op::xor_, Type::i1, a, r.constant(Type::i1, 1));
    }
    case Op::xor_:
      if (r.is_constant(b, 1)) {
        if (r.is(a, Op::xor_) && r.is_constant(r.arg(a, 1), 1)) return r.arg(a, 0);
        const NodeId opposite = make_opposite(r, a);
        return opposite != 0 ? opposite : id;
      }
      // N != V after a subtraction.
      for (u32 side = 0; side < 2; ++side) {
        const NodeId n = r.arg(id, side), v = r.arg(id, 1 - side);
        if (!r.is(v, Op::flag) || r.node(v).aux != static_cast<u8>(ir::Flag::v)) continue;
        const NodeId flags = r.arg(v, 0);
        if ((!r.is(flags, Op::flags_sub) && !r.is(flags, Op::flags_subc)) || !r.is_constant(r.arg(flags, 2), 0))
          continue;
        const NodeId x = r.arg(flags, 0), y = r.arg(flags, 1);
        const bool by_flag = r.is(n, Op::flag) && r.arg(n, 0) == flags && r.node(n).aux == static_cast<u8>(ir::Flag::n);
        const bool by_sign = r.is(n, Op::lt_s) && r.is_constant(r.arg(n, 1), 0) && r.is(r.arg(n, 0), Op::sub) &&
                             r.arg(r.arg(n, 0), 0) == x && r.arg(r.arg(n, 0), 1) == y;
        if (by_flag || by_sign) return r.become(id, Op::lt_s, r.type(x), x, y);
      }
      return id;
    case Op::and_:
    case Op::or_:
      return join_comparisons(r, id);
    case Op::select: {
      const NodeId c = r.arg(id, 2);
      if (r.is_constant(b, 1)) return r.become(id, Op::or_, Type::i1, a, c);
      if (r.is_constant(c, 0)) return r.become(id, Op::and_, Type::i1, a, b);
      return id;
    }
    case Op::trunc: {
      const NodeId x = r.arg(id, 0);
      if (r.is(x, Op::zext) && is_truth(r, r.arg(x, 0))) return r.arg(x, 0);
      if (r.is(x, Op::sext) && is_truth(r, r.arg(x, 0))) return r.arg(x, 0);
      return id;
    }
    default:
      return id;
  }
}

NodeId combine_select(Rewriter& r, NodeId id) {
  const NodeId condition = r.arg(id, 0), yes = r.arg(id, 1), no = r.arg(id, 2);
  const Type type = r.node(id).type;
  if (r.is(condition, Op::xor_) && r.is_constant(r.arg(condition, 1), 1)) {
    return r.become(id, Op::select, type, r.arg(condition, 0), no, yes);
  }
  if (!ir::is_integer(type) || type == Type::i128) return id;
  if (r.is_constant(yes, 1) && r.is_constant(no, 0)) return r.become(id, Op::zext, type, condition);
  if (r.is_constant(yes, ir::type_mask(type)) && r.is_constant(no, 0)) return r.become(id, Op::sext, type, condition);
  if (r.is_constant(yes, 0) && r.is_constant(no, 1)) {
    return r.become(id, Op::zext, type, opposite_of(r, condition));
  }
  // a == b ? a : b
  if (r.is(condition, Op::eq) && r.arg(condition, 0) == yes && r.arg(condition, 1) == no) return no;
  if (r.is(condition, Op::ne) && r.arg(condition, 0) == yes && r.arg(condition, 1) == no) return yes;
  return id;
}

}  // namespace

bool is_comparison(Op op) { return op >= Op::eq && op <= Op::le_u; }

NodeId make_opposite(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const Type type = r.node(id).type;
  switch (r.op(id)) {
    case Op::eq:
      return r.make(Op::ne, type, a, b);
    case Op::ne:
      return r.make(Op::eq, type, a, b);
    case Op::lt_s:
      return r.make(Op::le_s, type, b, a);
    case Op::le_s:
      return r.make(Op::lt_s, type, b, a);
    case Op::lt_u:
      return r.make(Op::le_u, type, b, a);
    case Op::le_u:
      return r.make(Op::lt_u, type, b, a);
    default:
      return 0;
  }
}

NodeId combine_compare(Rewriter& r, NodeId id) {
  if (is_comparison(r.op(id))) return compare(r, id);
  if (r.node(id).type == Type::i1) return truth_logic(r, id);
  return combine_select(r, id);
}

}  // namespace pagoda::opt::passes
