// SPDX-License-Identifier: MIT
// What known bits are good for: masks and extensions that change nothing, comparisons that are decided, signed
// operations on what is not negative.
#include "tcg/ir/fold.h"
#include "tcg/opt/passes/combine.h"
#include "tcg/opt/passes/known_bits.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

const Known* known(Rewriter& r, NodeId id) {
  const auto& all = *static_cast<const std::vector<Known>*>(r.data());
  const Type type = r.type(id);
  return id < all.size() && ir::is_integer(type) && type != Type::i128 ? &all[id] : nullptr;
}

bool is_positive(Rewriter& r, NodeId id) {
  const Known* k = known(r, id);
  if (k != nullptr) return (k->zeros >> (ir::type_bits(r.type(id)) - 1) & 1) != 0;
  return false;
}

// In the order of signed numbers as unsigned ones: the sign bit the other way round.
Known biased(const Known& k, Type type) {
  const u64 top = u64{1} << (ir::type_bits(type) - 1);
  return {(k.zeros & ~top) | (k.ones & top), (k.ones & ~top) | (k.zeros & top), 1};
}

NodeId compare(Rewriter& r, NodeId id) {
  const Known *left = known(r, r.arg(id, 0)), *right = known(r, r.arg(id, 1));
  if (left == nullptr || right == nullptr) return id;
  const Type type = r.node(id).type;
  Known a = *left, b = *right;
  const Op op = r.op(id);
  const auto truth = [&](bool value) { return r.constant(Type::i1, value ? 1 : 0); };
  if (op == Op::eq || op == Op::ne) {
    if (((a.zeros & b.ones) | (a.ones & b.zeros)) != 0) return truth(op == Op::ne);
    return id;
  }
  if (op == Op::lt_s || op == Op::le_s) {
    a = biased(a, type);
    b = biased(b, type);
  }
  if (op == Op::lt_u || op == Op::lt_s) {
    if (a.most() < b.least()) return truth(true);
    if (a.least() >= b.most()) return truth(false);
  } else {
    if (a.most() <= b.least()) return truth(true);
    if (a.least() > b.most()) return truth(false);
  }
  return id;
}

NodeId logic(Rewriter& r, NodeId id) {
  for (u32 side = 0; side < 2; ++side) {
    const NodeId x = r.arg(id, side), y = r.arg(id, 1 - side);
    const Known *a = known(r, x), *b = known(r, y);
    if (a == nullptr || b == nullptr) return id;
    // Each bit: y lets it through, or it is what y makes it.
    if (r.is(id, Op::and_) && (b->ones | a->zeros) == ~u64{0}) return x;
    if (r.is(id, Op::or_) && (b->zeros | a->ones) == ~u64{0}) return x;
  }
  return id;
}

NodeId extension(Rewriter& r, NodeId id) {
  const NodeId narrow = r.arg(id, 0);
  const Type type = r.node(id).type;
  const u32 bits = ir::type_bits(r.type(narrow));
  if (r.is(narrow, Op::trunc) && r.type(r.arg(narrow, 0)) == type) {
    const NodeId x = r.arg(narrow, 0);
    if (const Known* k = known(r, x)) {
      if (r.is(id, Op::zext) && (k->zeros | ir::type_mask(r.type(narrow))) == ~u64{0}) return x;
      if (r.is(id, Op::sext) && k->signs > ir::type_bits(type) - bits) return x;
    }
  }
  if (r.is(id, Op::sext) && is_positive(r, narrow)) return r.become(id, Op::zext, type, narrow);
  return id;
}

NodeId shift_right(Rewriter& r, NodeId id) {
  const NodeId x = r.arg(id, 0);
  const Type type = r.node(id).type;
  const Known* k = known(r, x);
  if (k == nullptr) return id;
  if (k->signs == ir::type_bits(type)) return x;
  if (is_positive(r, x)) return r.become(id, Op::shr, type, x, r.arg(id, 1));
  if (r.is(x, Op::shl) && r.is_constant(r.arg(x, 1)) && r.is_constant(r.arg(id, 1), r.imm(r.arg(x, 1)))) {
    const Known* inner = known(r, r.arg(x, 0));
    if (inner != nullptr && inner->signs > (r.imm(r.arg(id, 1)) & (ir::type_bits(type) - 1))) return r.arg(x, 0);
  }
  return id;
}

NodeId known_node(Rewriter& r, NodeId id) {
  const Op op = r.op(id);
  if (op == Op::constant || (!is_ir(op) && op != Op::phi)) return id;
  if (const Known* k = known(r, id); k != nullptr && k->is_constant() && effects_of(op) == 0) {
    return r.constant(r.type(id), k->ones);
  }
  switch (op) {
    case Op::eq:
    case Op::ne:
    case Op::lt_s:
    case Op::le_s:
    case Op::lt_u:
    case Op::le_u:
      return compare(r, id);
    case Op::and_:
    case Op::or_:
      return logic(r, id);
    case Op::zext:
    case Op::sext:
      return extension(r, id);
    case Op::sar:
      return shift_right(r, id);
    case Op::div_s:
    case Op::rem_s:
      if (is_positive(r, r.arg(id, 0)) && is_positive(r, r.arg(id, 1))) {
        const Op now = op == Op::div_s ? Op::div_u : Op::rem_u;
        return r.become(id, now, r.node(id).type, r.arg(id, 0), r.arg(id, 1));
      }
      return id;
    case Op::f32_unbox:
      if (const Known* k = known(r, r.arg(id, 0)); k != nullptr && k->ones >> 32 == 0xffff'ffff) {
        return r.make(Op::bitcast, Type::f32, r.make(Op::trunc, Type::i32, r.arg(id, 0)));
      }
      return id;
    default:
      return id;
  }
}

}  // namespace

void known(Context& context) {
  std::vector<Known> bits = find_known_bits(context.graph);
  Rewriter(context).run(known_node, 2, &bits);
}

}  // namespace pagoda::opt::passes
