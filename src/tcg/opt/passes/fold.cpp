// SPDX-License-Identifier: MIT
// Constant folding with the meaning of ir/fold.h, identities, copies and trivial phis.
#include "tcg/ir/fold.h"

#include "tcg/opt/passes/rewrite.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

// One value (itself aside), or constants that are equal.
NodeId fold_phi(Rewriter& r, NodeId id) {
  NodeId one = 0;
  bool same = true;
  for (const NodeId arg : r.graph().args_of_phi(id)) {
    if (arg == id || arg == one) continue;
    if (one == 0) {
      one = arg;
    } else if (r.is_constant(one) && r.is_constant(arg, r.imm(one))) {
      same = false;
    } else {
      return id;
    }
  }
  if (one == 0) return id;
  return same ? one : r.constant(r.type(one), r.imm(one));
}

NodeId fold_same(Rewriter& r, NodeId id, NodeId a) {
  const Type type = r.node(id).type;
  switch (r.op(id)) {
    case Op::and_:
    case Op::or_:
    case Op::min_s:
    case Op::max_s:
    case Op::min_u:
    case Op::max_u:
      return a;
    case Op::sub:
    case Op::xor_:
      return ir::is_integer(type) && type != Type::i128 ? r.constant(type, 0) : id;
    case Op::eq:
    case Op::le_s:
    case Op::le_u:
      return r.constant(Type::i1, 1);
    case Op::ne:
    case Op::lt_s:
    case Op::lt_u:
      return r.constant(Type::i1, 0);
    default:
      return id;
  }
}

NodeId fold_right_constant(Rewriter& r, NodeId id, NodeId a, NodeId b) {
  const Type type = r.node(id).type;
  const u64 y = r.imm(b), ones = ir::type_mask(type), top = (ones >> 1) + 1;
  switch (r.op(id)) {
    case Op::add:
    case Op::sub:
    case Op::xor_:
      return y == 0 ? a : id;
    case Op::or_:
      return y == 0 ? a : y == ones ? b : id;
    case Op::and_:
      return y == ones ? a : y == 0 ? b : id;
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rotl:
    case Op::rotr:
      return (y & (ir::type_bits(type) - 1)) == 0 ? a : id;
    case Op::mul:
      return y == 1 ? a : y == 0 ? b : id;
    case Op::mulh_u:
    case Op::mulh_s:
    case Op::mulh_su:
    case Op::clmul:
    case Op::clmulh:
      return y == 0 ? b : id;
    case Op::div_u:
    case Op::div_s:
      return y == 1 ? a : y == 0 ? r.constant(type, ones) : id;
    case Op::rem_u:
    case Op::rem_s:
      return y == 0 ? a : y == 1 ? r.constant(type, 0) : id;
    case Op::min_u:
      return y == ones ? a : y == 0 ? b : id;
    case Op::max_u:
      return y == 0 ? a : y == ones ? b : id;
    case Op::lt_u:
      return y == 0 ? r.constant(Type::i1, 0) : id;
    case Op::le_u:
      return y == ones ? r.constant(Type::i1, 1) : id;
    case Op::lt_s:
      return y == top ? r.constant(Type::i1, 0) : id;
    case Op::le_s:
      return y == top - 1 ? r.constant(Type::i1, 1) : id;
    case Op::eq:
      return type == Type::i1 && y == 1 ? a : id;
    case Op::ne:
      return type == Type::i1 && y == 0 ? a : id;
    default:
      return id;
  }
}

NodeId fold_left_constant(Rewriter& r, NodeId id, NodeId a, NodeId b) {
  const Type type = r.node(id).type;
  const u64 x = r.imm(a), ones = ir::type_mask(type), top = (ones >> 1) + 1;
  switch (r.op(id)) {
    case Op::shl:
    case Op::shr:
    case Op::rotl:
    case Op::rotr:
      return x == 0 ? a : id;
    case Op::sar:
      return x == 0 || x == ones ? a : id;
    case Op::lt_u:
      return x == ones ? r.constant(Type::i1, 0) : id;
    case Op::le_u:
      return x == 0 ? r.constant(Type::i1, 1) : id;
    case Op::lt_s:
      return x == top - 1 ? r.constant(Type::i1, 0) : id;
    case Op::le_s:
      return x == top ? r.constant(Type::i1, 1) : id;
    default:
      break;
  }
  switch (r.op(id)) {
    case Op::add:
    case Op::mul:
    case Op::and_:
    case Op::or_:
    case Op::xor_:
    case Op::min_u:
    case Op::max_u:
    case Op::eq:
    case Op::ne:
      return fold_right_constant(r, id, b, a);
    default:
      return id;
  }
}

NodeId fold_binary(Rewriter& r, NodeId id) {
  const NodeId a = r.arg(id, 0), b = r.arg(id, 1);
  const ir::Op op = to_ir(r.op(id));
  const Type type = r.node(id).type;
  if (r.is_constant(a) && r.is_constant(b)) {
    const std::optional<u64> value = ir::fold(op, type, r.imm(a), r.imm(b));
    if (value) return r.constant(ir::result_type(op, type), *value);
  }
  if (a == b) {
    if (const NodeId now = fold_same(r, id, a); now != id) return now;
  }
  if (!ir::is_integer(type) || type == Type::i128) return id;
  if (r.is_constant(b)) return fold_right_constant(r, id, a, b);
  if (r.is_constant(a)) return fold_left_constant(r, id, a, b);
  return id;
}

NodeId fold_unary(Rewriter& r, NodeId id) {
  const Node& node = r.node(id);
  const NodeId a = node.args[0];
  if (!r.is_constant(a)) return id;
  switch (node.op) {
    case Op::zext:
    case Op::trunc:
      return r.constant(node.type, r.imm(a));
    case Op::sext:
      return r.constant(node.type, ir::sign_extend(r.imm(a), ir::type_bits(r.type(a))));
    case Op::trap_if:
      return r.imm(a) == 0 ? 0 : id;
    default:
      break;
  }
  const std::optional<u64> value = ir::fold(to_ir(node.op), node.type, r.imm(a));
  return value ? r.constant(node.type, *value) : id;
}

NodeId fold_select(Rewriter& r, NodeId id) {
  const NodeId condition = r.arg(id, 0), yes = r.arg(id, 1), no = r.arg(id, 2);
  if (yes == no) return yes;
  if (r.is_constant(condition)) return r.imm(condition) != 0 ? yes : no;
  if (r.is_constant(yes) && r.is_constant(no, r.imm(yes))) return yes;
  return id;
}

NodeId fold_node(Rewriter& r, NodeId id) {
  const Op op = r.op(id);
  if (op == Op::phi) return fold_phi(r, id);
  if (!is_ir(op)) return id;
  if (op == Op::select) return fold_select(r, id);
  if (op >= Op::add && op <= Op::le_u) {
    return ir::op_info(to_ir(op)).operand_count() == 2 ? fold_binary(r, id) : fold_unary(r, id);
  }
  if (op == Op::zext || op == Op::sext || op == Op::trunc || op == Op::trap_if) return fold_unary(r, id);
  return id;
}

}  // namespace

void fold(Context& context) { Rewriter(context).run(fold_node); }

}  // namespace pagoda::opt::passes
