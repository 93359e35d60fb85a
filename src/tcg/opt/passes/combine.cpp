// SPDX-License-Identifier: MIT
// Pass combine: puts operands in order and asks the rules.
#include "tcg/opt/passes/combine.h"

#include <utility>

namespace pagoda::opt::passes {

bool is_commutative(Op op) {
  switch (op) {
    case Op::add:
    case Op::mul:
    case Op::mulh_s:
    case Op::mulh_u:
    case Op::clmul:
    case Op::clmulh:
    case Op::and_:
    case Op::or_:
    case Op::xor_:
    case Op::min_s:
    case Op::max_s:
    case Op::min_u:
    case Op::max_u:
    case Op::eq:
    case Op::ne:
      return true;
    default:
      return false;
  }
}

namespace {

NodeId combine_node(Rewriter& r, NodeId id) {
  const Op op = r.op(id);
  if (!is_ir(op)) return id;
  if (is_commutative(op) && r.is_constant(r.arg(id, 0)) && !r.is_constant(r.arg(id, 1))) {
    Node node = r.node(id);
    std::swap(node.args[0], node.args[1]);
    r.become(id, node);
  }
  if (r.node(id).type == ir::Type::i1 || is_comparison(op) || op == Op::select) return combine_compare(r, id);
  if (op >= Op::add && op <= Op::max_u) return combine_arithmetic(r, id);
  if (op == Op::flag || op == Op::flags_pack) return combine_flags(r, id);
  return combine_convert(r, id);
}

}  // namespace

void combine(Context& context) { Rewriter(context).run(combine_node, 8, nullptr, true); }

}  // namespace pagoda::opt::passes
