// SPDX-License-Identifier: MIT
// What passes share.
#include "tcg/opt/passes/pass.h"

#include <algorithm>

namespace pagoda::opt::passes {

void Replacements::apply() {
  if (!any_) return;
  by_.resize(graph_.nodes.size());
  const auto update = [&](NodeId& id) {
    if (by_[id] != 0) id = find(id);
  };
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

BlockId gather_ways(Graph& graph, BlockId to, std::span<const u32> indices) {
  const auto is_gathered = [&](u32 index) { return std::ranges::binary_search(indices, index); };
  const auto between = static_cast<BlockId>(graph.blocks.size());
  graph.blocks.emplace_back();
  Block& block = graph.blocks[between];
  Block& next = graph.blocks[to];
  block.next[0] = to;
  for (const u32 index : indices) {
    const BlockId from = next.before[index];
    const u32 side = side_of_way(graph, to, index);
    block.before.push_back(from);
    block.count += graph.blocks[from].went[side];
    graph.blocks[from].next[side] = between;
  }
  block.went[0] = block.count;
  std::vector<NodeId> gathered, args;
  for (const NodeId phi : next.phis) {
    gathered.clear();
    args.assign(1, 0);
    const std::span<const NodeId> old = graph.args_of_phi(phi);
    for (u32 i = 0; i < old.size(); ++i) (is_gathered(i) ? gathered : args).push_back(old[i]);
    args[0] = gathered[0];
    if (std::ranges::any_of(gathered, [&](NodeId arg) { return arg != gathered[0]; })) {
      args[0] = graph.add({.op = Op::phi,
                           .type = graph[phi].type,
                           .extra = static_cast<u32>(gathered.size()),
                           .imm = graph.phi_args.size(),
                           .block = between});
      graph.phi_args.insert(graph.phi_args.end(), gathered.begin(), gathered.end());
      block.phis.push_back(args[0]);
    }
    std::ranges::copy(args, graph.args_of_phi(phi).begin());
    graph[phi].extra = static_cast<u32>(args.size());
  }
  std::vector<BlockId> before{between};
  for (u32 i = 0; i < next.before.size(); ++i) {
    if (!is_gathered(i)) before.push_back(next.before[i]);
  }
  next.before = std::move(before);
  return between;
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
