// SPDX-License-Identifier: MIT
// Single condition flags as comparisons of what the flags were made from, so that the flags themselves are not needed.
#include "tcg/opt/passes/combine.h"

namespace pagoda::opt::passes {
namespace {

using ir::Flag;
using ir::Type;

NodeId negative(Rewriter& r, NodeId value) {
  return r.make(Op::lt_s, r.type(value), value, r.constant(r.type(value), 0));
}
NodeId zero(Rewriter& r, NodeId value) { return r.make(Op::eq, r.type(value), value, r.constant(r.type(value), 0)); }

// Of a + b + carry or a - b - borrow.
NodeId of_sum(Rewriter& r, NodeId id, NodeId flags, Flag which) {
  const NodeId a = r.arg(flags, 0), b = r.arg(flags, 1), carry = r.arg(flags, 2);
  const Type type = r.node(flags).type;
  const bool adds = r.is(flags, Op::flags_add), none = r.is_constant(carry, 0);
  const auto result = [&] {
    const NodeId sum = r.make(adds ? Op::add : Op::sub, type, a, b);
    return none ? sum : r.make(adds ? Op::add : Op::sub, type, sum, r.make(Op::zext, type, carry));
  };
  switch (which) {
    case Flag::z:
      return !adds && none ? r.make(Op::eq, type, a, b) : zero(r, result());
    case Flag::n:
      return negative(r, result());
    case Flag::c:
      if (!none) return id;
      if (adds) return r.make(Op::lt_u, type, result(), a);
      if (r.is(flags, Op::flags_sub)) return r.make(Op::lt_u, type, a, b);
      return r.make(Op::le_u, type, b, a);
    default:
      return id;
  }
}

NodeId combine_flag(Rewriter& r, NodeId id) {
  const NodeId flags = r.arg(id, 0);
  const Flag which = static_cast<Flag>(r.node(id).aux);
  switch (r.op(flags)) {
    case Op::flags_add:
    case Op::flags_sub:
    case Op::flags_subc:
      return of_sum(r, id, flags, which);
    case Op::flags_logic: {
      const NodeId a = r.arg(flags, 0);
      if (which == Flag::z) return zero(r, a);
      if (which == Flag::n) return negative(r, a);
      return which == Flag::p ? id : r.constant(Type::i1, 0);
    }
    case Op::flags_bits: {
      const NodeId bits = r.arg(flags, 0);
      const NodeId bit = r.make(Op::and_, Type::i8, bits, r.constant(Type::i8, flag_mask(which)));
      return r.make(Op::ne, Type::i8, bit, r.constant(Type::i8, 0));
    }
    case Op::flags_merge: {
      const bool from_new = (r.node(flags).aux & flag_mask(which)) != 0;
      return r.become(id, Op::flag, Type::flags, r.arg(flags, from_new ? 1 : 0), 0, 0, static_cast<u8>(which));
    }
    case Op::select: {
      const NodeId yes = r.make(Op::flag, Type::flags, r.arg(flags, 1), 0, 0, static_cast<u8>(which));
      const NodeId no = r.make(Op::flag, Type::flags, r.arg(flags, 2), 0, 0, static_cast<u8>(which));
      return r.make(Op::select, Type::i1, r.arg(flags, 0), yes, no);
    }
    default:
      return id;
  }
}

}  // namespace

NodeId combine_flags(Rewriter& r, NodeId id) {
  if (r.is(id, Op::flag)) return combine_flag(r, id);
  // flags_pack of bits that were unpacked: bits that are no flags are 0.
  const NodeId flags = r.arg(id, 0);
  if (!r.is(flags, Op::flags_bits)) return id;
  return r.make(Op::and_, Type::i8, r.arg(flags, 0), r.constant(Type::i8, ir::kAllFlags));
}

}  // namespace pagoda::opt::passes
