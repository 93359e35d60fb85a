// SPDX-License-Identifier: MIT
// The walk.
#include "tcg/opt/passes/rewrite.h"

namespace pagoda::opt::passes {

NodeId Rewriter::make(Node node) {
  node.block = block_;
  const NodeId id = graph_.add(node);
  list_.push_back(id);
  return id;
}

NodeId Rewriter::make(Op op, ir::Type type, NodeId a, NodeId b, NodeId c, u8 aux) {
  return make(Node{.op = op, .type = type, .aux = aux, .args = {a, b, c, 0}});
}

NodeId Rewriter::constant(ir::Type type, u64 value) {
  return make(Node{.op = Op::constant, .type = type, .imm = value & ir::type_mask(type)});
}

NodeId Rewriter::become(NodeId id, const Node& node) {
  const BlockId block = graph_[id].block;
  graph_[id] = node;
  graph_[id].block = block;
  changed_ = true;
  return id;
}

NodeId Rewriter::become(NodeId id, Op op, ir::Type type, NodeId a, NodeId b, NodeId c, u8 aux) {
  return become(id, Node{.op = op, .type = type, .aux = aux, .args = {a, b, c, 0}});
}

void Rewriter::resolve(NodeId id) {
  if (graph_[id].op == Op::phi) {
    for (NodeId& arg : graph_.args_of_phi(id)) arg = replacements_.find(arg);
  } else {
    for (NodeId& arg : graph_[id].args) arg = replacements_.find(arg);
  }
}

void Rewriter::run(Rule rule, u32 rounds, void* data, bool counts) {
  data_ = data;
  if (counts) uses_ = count_uses(graph_);
  const std::vector<BlockId> order = reverse_postorder(graph_);
  std::vector<NodeId> old, phis;
  for (u32 round = 0; round < rounds; ++round) {
    bool any = false;
    for (const BlockId b : order) {
      block_ = b;
      list_.clear();
      phis.clear();
      const auto visit = [&](NodeId id, std::vector<NodeId>& list) {
        if (replacements_.any()) resolve(id);
        if (!context_.has_fuel()) return list.push_back(id);
        changed_ = false;
        const NodeId now = rule(*this, id);
        if (changed_ || now != id) {
          any = true;
          context_.take();
        }
        if (now == id) return list.push_back(id);
        if (now != 0) replacements_.replace(id, now);
      };
      for (const NodeId id : graph_.blocks[b].phis) visit(id, phis);
      graph_.blocks[b].phis = phis;
      old.swap(graph_.blocks[b].nodes);
      for (const NodeId id : old) visit(id, list_);
      graph_.blocks[b].nodes = list_;
    }
    replacements_.apply();
    if (!any) break;
  }
}

}  // namespace pagoda::opt::passes
