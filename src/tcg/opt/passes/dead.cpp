// SPDX-License-Identifier: MIT
// Dead nodes: marks what is needed from what has effects, and takes the rest out. A cycle of phis that only feed each
// other is not marked and goes as well.
#include <algorithm>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {

void dead(Context& context) {
  Graph& graph = context.graph;
  std::vector<u8> needed(graph.nodes.size());
  std::vector<u8> seen(graph.states.size());
  std::vector<NodeId> work;
  const auto need = [&](NodeId id) {
    if (id == 0 || needed[id] != 0) return;
    needed[id] = 1;
    work.push_back(id);
  };
  const auto need_state = [&](StateId id) {
    if (id == 0 || seen[id] != 0) return;
    seen[id] = 1;
    for (const SlotValue& slot : graph.slots_of(id)) need(slot.value);
    for (const NodeId value : graph.replayed_of(id)) need(value);
  };
  const std::vector<BlockId> order = reverse_postorder(graph);
  for (const BlockId b : order) {
    const Block& block = graph.blocks[b];
    need(block.value);
    need_state(block.state);
    for (const NodeId id : block.nodes) {
      // A load may be one from a device, whatever becomes of its value.
      if ((effects_of(graph[id].op) & ~u32{ir::kReadState | ir::kFpMode}) != 0) need(id);
    }
  }
  while (!work.empty()) {
    const NodeId id = work.back();
    work.pop_back();
    if (graph[id].op == Op::phi) {
      for (const NodeId arg : graph.args_of_phi(id)) need(arg);
    }
    for (const NodeId arg : graph[id].args) need(arg);
    need_state(graph[id].state);
  }
  // All or none: what is taken out may be used by what would stay.
  const auto is_dead = [&](NodeId id) { return needed[id] == 0; };
  const auto has_dead = [&](BlockId b) {
    return std::ranges::any_of(graph.blocks[b].phis, is_dead) || std::ranges::any_of(graph.blocks[b].nodes, is_dead);
  };
  if (std::ranges::none_of(order, has_dead) || !context.take()) return;
  for (const BlockId b : order) {
    std::erase_if(graph.blocks[b].phis, is_dead);
    std::erase_if(graph.blocks[b].nodes, is_dead);
  }
}

}  // namespace pagoda::opt::passes
