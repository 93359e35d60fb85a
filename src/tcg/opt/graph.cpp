// SPDX-License-Identifier: MIT
// The graph's vocabulary: orders, dominators, loops.
#include "tcg/opt/graph.h"

#include <algorithm>

#include "base/check.h"

namespace pagoda::opt {
const char* op_name(Op op) {
  if (is_ir(op)) return ir::op_info(to_ir(op)).name;
  switch (op) {
#define NODE(name, effects, meaning) \
  case Op::name:                     \
    return #name;
#include "tcg/opt/nodes.def"
#undef NODE
    default:
      return "?";
  }
}

void Graph::clear() {
  nodes.assign(1, {});
  blocks.clear();
  states.assign(1, {});
  state_values.clear();
  replayed.clear();
  phi_args.clear();
  guest_insns = 0;
}

u32 Graph::arg_count(NodeId id) const {
  const Node& node = nodes[id];
  if (!is_ir(node.op))
    return node.op == Op::find_page ? 1 : node.op == Op::load_at ? 2 : node.op == Op::store_at ? 3 : 0;
  if (node.op != Op::call) return ir::op_info(to_ir(node.op)).operand_count();
  u32 count = 3;
  while (count > 0 && node.args[count - 1] == 0) --count;
  return count;
}

Graph::Based Graph::without_constants(NodeId id) const {
  u64 offset = 0;
  while (nodes[id].op == Op::add && is_constant(nodes[id].args[1])) {
    offset += nodes[nodes[id].args[1]].imm;
    id = nodes[id].args[0];
  }
  return {id, offset};
}

u32 successor_count(const Block& block) { return block.end == End::jump ? 1 : block.end == End::branch ? 2 : 0; }

u32 side_of_way(const Graph& graph, BlockId to, u32 index) {
  const std::vector<BlockId>& before = graph.blocks[to].before;
  const Block& from = graph.blocks[before[index]];
  if (from.next[0] != to) return 1;
  // Of two edges from one block the first is that of side 0.
  const auto at = before.begin() + index;
  return successor_count(from) == 2 && from.next[1] == to && std::find(before.begin(), at, *at) != at ? 1 : 0;
}

std::vector<BlockId> reverse_postorder(const Graph& graph) {
  std::vector<BlockId> order;
  std::vector<u8> seen(graph.blocks.size());
  struct Step {
    BlockId block;
    u32 side;
  };
  std::vector<Step> way{{0, 0}};
  seen[0] = 1;
  while (!way.empty()) {
    Step& step = way.back();
    const Block& block = graph.blocks[step.block];
    const u32 count = successor_count(block);
    if (step.side == count) {
      order.push_back(step.block);
      way.pop_back();
      continue;
    }
    // The side that is not taken is walked last, and so comes next.
    const BlockId to = block.next[step.side++];
    if (seen[to] != 0) continue;
    seen[to] = 1;
    way.push_back({to, 0});
  }
  std::ranges::reverse(order);
  return order;
}

// Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm (2001).
std::vector<BlockId> dominators(const Graph& graph, std::span<const BlockId> order) {
  constexpr u32 kNone = ~u32{0};
  std::vector<u32> place(graph.blocks.size(), kNone);
  for (u32 i = 0; i < order.size(); ++i) place[order[i]] = i;
  std::vector<u32> over(order.size(), kNone);  // by place
  over[0] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = 1; i < order.size(); ++i) {
      u32 found = kNone;
      for (const BlockId before : graph.blocks[order[i]].before) {
        u32 other = place[before];
        if (other == kNone || over[other] == kNone) continue;
        if (found == kNone) {
          found = other;
          continue;
        }
        while (found != other) {
          while (found > other) found = over[found];
          while (other > found) other = over[other];
        }
      }
      if (over[i] != found) {
        over[i] = found;
        changed = true;
      }
    }
  }
  std::vector<BlockId> result(graph.blocks.size(), 0);
  for (u32 i = 0; i < order.size(); ++i) result[order[i]] = order[over[i]];
  return result;
}

void find_loops(Graph& graph) {
  const std::vector<BlockId> order = reverse_postorder(graph), over = dominators(graph, order);
  const auto dominates = [&](BlockId one, BlockId other) {
    while (other != one && other != 0) other = over[other];
    return other == one;
  };
  for (Block& block : graph.blocks) block.depth = block.loop = 0;
  // Outer loops first: a header comes before those of the loops inside.
  std::vector<u8> inside;
  for (const BlockId header : order) {
    std::vector<BlockId> work;
    inside.assign(graph.blocks.size(), 0);
    for (const BlockId before : graph.blocks[header].before) {
      if (dominates(header, before) && inside[before] == 0) {
        inside[before] = 1;
        work.push_back(before);
      }
    }
    if (work.empty() || header == 0) continue;
    inside[header] = 1;
    while (!work.empty()) {
      const BlockId block = work.back();
      work.pop_back();
      if (block == header) continue;
      for (const BlockId before : graph.blocks[block].before) {
        if (inside[before] != 0) continue;
        inside[before] = 1;
        work.push_back(before);
      }
    }
    for (BlockId block = 0; block < graph.blocks.size(); ++block) {
      if (inside[block] == 0) continue;
      ++graph.blocks[block].depth;
      graph.blocks[block].loop = header;
    }
  }
}

void drop_unchanged_slots(Graph& graph) {
  for (State& state : graph.states) {
    SlotValue* values = graph.state_values.data() + state.first;
    u32 kept = 0;
    for (u32 i = 0; i < state.count; ++i) {
      const Node& node = graph[values[i].value];
      if (node.op != Op::slot_in || node.extra != values[i].slot) values[kept++] = values[i];
    }
    state.count = kept;
  }
}

void split_edges(Graph& graph) {
  const auto count = static_cast<BlockId>(graph.blocks.size());
  for (BlockId from = 0; from < count; ++from) {
    if (graph.blocks[from].end != End::branch) continue;
    for (u32 side = 0; side < 2; ++side) {
      const BlockId to = graph.blocks[from].next[side];
      if (graph.blocks[to].before.size() < 2) continue;
      const auto between = static_cast<BlockId>(graph.blocks.size());
      Block& block = graph.blocks.emplace_back();
      block.before = {from};
      block.next[0] = to;
      block.is_cold = graph.blocks[from].is_cold || graph.blocks[to].is_cold;
      block.count = block.went[0] = graph.blocks[from].went[side];
      // Both sides may lead to one block: the first of its predecessors that is still `from` is this side's.
      *std::ranges::find(graph.blocks[to].before, from) = between;
      graph.blocks[from].next[side] = between;
    }
  }
}

}  // namespace pagoda::opt
