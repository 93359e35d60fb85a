// SPDX-License-Identifier: MIT
// What passes are made of: their functions, fuel, and the replacement of values.
#pragma once

#include "tcg/opt/graph.h"

namespace pagoda::opt::passes {

struct Context {
  Graph& graph;
  i64 fuel = -1;
  u64 changes = 0;

  bool has_fuel() const { return fuel != 0; }
  // Before a change: whether it may be made.
  bool take() {
    if (fuel == 0) return false;
    if (fuel > 0) --fuel;
    ++changes;
    return true;
  }
};

#define PASS(name, level, meaning) void name(Context& context);
#include "tcg/opt/passes/passes.def"
#undef PASS

// Which value stands for which. Nothing in the graph changes until apply().
class Replacements {
 public:
  explicit Replacements(Graph& graph) : graph_(graph) {}
  NodeId find(NodeId id) {
    while (id < by_.size() && by_[id] != 0) {
      const NodeId next = by_[id];
      if (next < by_.size() && by_[next] != 0) by_[id] = by_[next];
      id = next;
    }
    return id;
  }
  // `by` must be defined on every way to the uses of `id`, and must not be `id`.
  void replace(NodeId id, NodeId by) {
    if (by_.size() < graph_.nodes.size()) by_.resize(graph_.nodes.size());
    by_[id] = by;
    any_ = true;
  }
  bool any() const { return any_; }
  // In operands, phis, states, and ends of blocks.
  void apply();

 private:
  Graph& graph_;
  std::vector<NodeId> by_;
  bool any_ = false;
};

// By node: how often it is used, by states too. Dead users count.
std::vector<u32> count_uses(const Graph& graph);

// Who is above whom in the tree of dominators, in constant time.
class DominatorTree {
 public:
  explicit DominatorTree(const Graph& graph);
  const std::vector<BlockId>& order() const { return order_; }  // reverse postorder
  BlockId above(BlockId block) const { return over_[block]; }
  bool dominates(BlockId one, BlockId other) const {
    return first_[one] <= first_[other] && last_[other] <= last_[one];
  }

 private:
  std::vector<BlockId> order_, over_;
  std::vector<u32> first_, last_;  // numbers of a walk of the tree: of the block, of the last one below it
};

// Makes a block that leads to `to` and that those of its predecessors come by whose indices are given, in rising order;
// it becomes the first predecessor. Phis that get different values by these ways become phis there.
BlockId gather_ways(Graph& graph, BlockId to, std::span<const u32> indices);

// Takes one edge from `from` away from the phis and predecessors of `to`.
void remove_edge(Graph& graph, BlockId from, BlockId to);

}  // namespace pagoda::opt::passes
