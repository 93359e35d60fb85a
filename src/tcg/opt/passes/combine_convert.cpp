// SPDX-License-Identifier: MIT
// Patterns of extensions, truncations, bitcasts and NaN boxes, and of accesses whose value is converted.
#include "tcg/ir/fold.h"
#include "tcg/opt/passes/combine.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

constexpr u64 kBox = u64{0xffff'ffff} << 32;

// `x` as an integer of the type, by dropping bits or extending as `extend` says.
NodeId resized(Rewriter& r, NodeId id, NodeId x, Type type, Op extend) {
  const u32 from = ir::type_bits(r.type(x)), to = ir::type_bits(type);
  if (from == to) return x;
  return r.become(id, from > to ? Op::trunc : extend, type, x);
}

NodeId combine_extension(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  const Type type = r.node(id).type;
  if (r.is(x, Op::zext)) return r.become(id, Op::zext, type, r.arg(x, 0));
  if (r.is(x, Op::sext) && r.is(id, Op::sext)) return r.become(id, Op::sext, type, r.arg(x, 0));
  return id;
}

NodeId combine_trunc(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  const Type type = r.node(id).type;
  switch (r.op(x)) {
    case Op::trunc:
      return r.become(id, Op::trunc, type, r.arg(x, 0));
    case Op::zext:
    case Op::sext:
      return resized(r, id, r.arg(x, 0), type, r.op(x));
    case Op::f32_box:
      if (type == Type::i32) return r.become(id, Op::bitcast, type, r.arg(x, 0));
      return id;
    case Op::and_:
    case Op::or_:
      // A mask that only concerns what is dropped.
      if (r.is_constant(r.arg(x, 1))) {
        const u64 kept = r.imm(r.arg(x, 1)) & ir::type_mask(type);
        if (kept == (r.is(x, Op::and_) ? ir::type_mask(type) : 0)) {
          return r.become(id, Op::trunc, type, r.arg(x, 0));
        }
      }
      return id;
    default:
      return id;
  }
}

NodeId combine_bitcast(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  const Type type = r.node(id).type;
  if (r.is(x, Op::bitcast)) {
    const NodeId inner = r.arg(x, 0);
    return r.type(inner) == type ? inner : r.become(id, Op::bitcast, type, inner);
  }
  return id;
}

NodeId combine_unbox(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  if (r.is(x, Op::f32_box)) return r.arg(x, 0);
  if (r.is_constant(x)) {
    const u32 bits = r.imm(x) >= kBox ? static_cast<u32>(r.imm(x)) : 0x7fc0'0000;
    return r.make(Op::bitcast, Type::f32, r.constant(Type::i32, bits));
  }
  if (r.is(x, Op::or_) && r.is_constant(r.arg(x, 1)) && r.imm(r.arg(x, 1)) >= kBox) {
    return r.make(Op::bitcast, Type::f32, r.make(Op::trunc, Type::i32, x));
  }
  return id;
}

NodeId combine_box(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  if (r.is(x, Op::bitcast) && r.is_constant(r.arg(x, 0))) return r.constant(Type::i64, r.imm(r.arg(x, 0)) | kBox);
  return id;
}

// Only the low bytes of the value are stored.
NodeId combine_store(Rewriter& r, NodeId id) {
  Node node = r.node(id);
  const NodeId x = node.args[1];
  const u32 bits = ir::MemOp::unpack(node.extra).size() * 8;
  const auto store = [&](NodeId value) {
    node.type = r.type(value);
    node.args[1] = value;
    return r.become(id, node);
  };
  switch (r.op(x)) {
    case Op::zext:
    case Op::sext:
      if (ir::type_bits(r.type(r.arg(x, 0))) >= bits) return store(r.arg(x, 0));
      return id;
    case Op::trunc:
      if (ir::type_bits(r.type(r.arg(x, 0))) <= 64) return store(r.arg(x, 0));
      return id;
    case Op::and_:
      if (ir::is_integer(node.type) && r.is_constant(r.arg(x, 1)) && bits <= 64) {
        const u64 stored = bits == 64 ? ~u64{0} : (u64{1} << bits) - 1;
        if ((r.imm(r.arg(x, 1)) & stored) == stored) return store(r.arg(x, 0));
      }
      return id;
    case Op::bitcast: {
      const NodeId value = r.arg(x, 0);
      if (ir::type_bits(node.type) == bits && ir::is_float(r.type(value))) return store(value);
      return id;
    }
    case Op::f32_box:
      if (bits == 32) return store(r.arg(x, 0));
      return id;
    default:
      return id;
  }
}

}  // namespace

NodeId combine_convert(Rewriter& r, NodeId id) {
  switch (r.op(id)) {
    case Op::zext:
    case Op::sext:
      return combine_extension(r, id);
    case Op::trunc:
      return combine_trunc(r, id);
    case Op::bitcast:
      return combine_bitcast(r, id);
    case Op::f32_unbox:
      return combine_unbox(r, id);
    case Op::f32_box:
      return combine_box(r, id);
    case Op::fneg:
      return r.is(r.arg(id, 0), Op::fneg) ? r.arg(r.arg(id, 0), 0) : id;
    case Op::store:
      return combine_store(r, id);
    default:
      return id;
  }
}

}  // namespace pagoda::opt::passes
