// SPDX-License-Identifier: MIT
// Rewriter: walks a graph in reverse postorder and lets a rule look at each node, until nothing changes any more.
//
// When a rule sees a node, its operands are what they have become, and so are theirs: what dominates was seen before.
// Only phis see operands from behind jumps back as they were. A rule answers with the node itself, with another value
// that is equal and defined on every way to it (the node goes then), or with 0: the node goes and has no value. It may
// change the node in place by become(), and make nodes, which come before it. Rules neither drop effects nor add any.
#pragma once

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {

class Rewriter {
 public:
  using Rule = NodeId (*)(Rewriter&, NodeId);

  explicit Rewriter(Context& context) : context_(context), graph_(context.graph), replacements_(context.graph) {}
  // `counts`: the rule wants to know how often values are used.
  void run(Rule rule, u32 rounds = 8, void* data = nullptr, bool counts = false);

  Graph& graph() { return graph_; }
  void* data() const { return data_; }  // the rule's own
  const Node& node(NodeId id) const { return graph_[id]; }
  Op op(NodeId id) const { return graph_[id].op; }
  NodeId arg(NodeId id, u32 i) const { return graph_[id].args[i]; }
  ir::Type type(NodeId id) const { return graph_.type_of(id); }
  bool is(NodeId id, Op op) const { return graph_[id].op == op; }
  bool is_constant(NodeId id) const { return graph_.is_constant(id); }
  bool is_constant(NodeId id, u64 value) const { return graph_.is_constant(id) && graph_[id].imm == value; }
  u64 imm(NodeId id) const { return graph_[id].imm; }
  // How often a value was used at the beginning; one that was made since: once.
  bool used_once(NodeId id) const { return id >= uses_.size() || uses_[id] <= 1; }

  NodeId make(Op op, ir::Type type, NodeId a, NodeId b = 0, NodeId c = 0, u8 aux = 0);
  NodeId constant(ir::Type type, u64 value);
  // A node with everything given but its block.
  NodeId make(Node node);
  // The node computes something else from now on, of the same value.
  NodeId become(NodeId id, Op op, ir::Type type, NodeId a, NodeId b = 0, NodeId c = 0, u8 aux = 0);
  NodeId become(NodeId id, const Node& node);

 private:
  void resolve(NodeId id);

  Context& context_;
  Graph& graph_;
  Replacements replacements_;
  std::vector<u32> uses_;
  std::vector<NodeId> list_;  // the current block's nodes so far
  BlockId block_ = 0;
  bool changed_ = false;
  void* data_ = nullptr;
};

}  // namespace pagoda::opt::passes
