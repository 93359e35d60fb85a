// SPDX-License-Identifier: MIT
// What passes share.
#include "tcg/opt/passes/pass.h"

#include <algorithm>

namespace pagoda::opt::passes {

void Replacements::apply() {
  if (!any_) return;
  const auto update = [&](NodeId& id) { id = find(id); };
  for (Node& node : graph_.nodes) {
    for (NodeId& arg : node.args) update(arg);
  }
  for (NodeId& arg : graph_.phi_args) update(arg);
  for (SlotValue& slot : graph_.state_values) update(slot.value);
  for (NodeId& value : graph_.replayed) update(value);
  for (Block& block : graph_.blocks) update(block.value);
  by_.clear();
  any_ = false;
}

std::vector<u32> count_uses(const Graph& graph) {
  std::vector<u32> uses(graph.nodes.size());
  const auto state = [&](StateId id) {
    for (const SlotValue& slot : graph.slots_of(id)) ++uses[slot.value];
    for (const NodeId value : graph.replayed_of(id)) ++uses[value];
  };
  for (const Block& block : graph.blocks) {
    for (const NodeId id : block.phis) {
      for (const NodeId arg : graph.args_of_phi(id)) ++uses[arg];
    }
    for (const NodeId id : block.nodes) {
      for (const NodeId arg : graph[id].args) ++uses[arg];
      if (graph[id].state != 0) state(graph[id].state);
    }
    ++uses[block.value];
    if (block.state != 0) state(block.state);
  }
  uses[0] = 0;
  return uses;
}

DominatorTree::DominatorTree(const Graph& graph) : order_(reverse_postorder(graph)), over_(dominators(graph, order_)) {
  const size_t count = graph.blocks.size();
  std::vector<std::vector<BlockId>> below(count);
  for (const BlockId block : order_) {
    if (block != 0) below[over_[block]].push_back(block);
  }
  // What cannot be reached dominates nothing and is dominated by nothing.
  first_.assign(count, 1);
  last_.assign(count, 0);
  struct Step {
    BlockId block;
    u32 child;
  };
  std::vector<Step> way{{0, 0}};
  u32 number = 0;
  first_[0] = number++;
  while (!way.empty()) {
    Step& step = way.back();
    if (step.child == below[step.block].size()) {
      last_[step.block] = number - 1;
      way.pop_back();
      continue;
    }
    const BlockId next = below[step.block][step.child++];
    first_[next] = number++;
    way.push_back({next, 0});
  }
}

void remove_edge(Graph& graph, BlockId from, BlockId to) {
  Block& block = graph.blocks[to];
  const auto at = std::ranges::find(block.before, from);
  if (at == block.before.end()) return;
  const auto index = at - block.before.begin();
  block.before.erase(at);
  for (const NodeId phi : block.phis) {
    const std::span<NodeId> args = graph.args_of_phi(phi);
    std::shift_left(args.begin() + index, args.end(), 1);
    --graph[phi].extra;
  }
}

}  // namespace pagoda::opt::passes
