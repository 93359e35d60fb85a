// SPDX-License-Identifier: MIT
// Ways that are never taken, and blocks that need not be apart.
#include <algorithm>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

// A block that nothing leads to leads to nothing.
void drop(Graph& graph, BlockId id) {
  Block& block = graph.blocks[id];
  for (u32 side = 0; side < successor_count(block); ++side) remove_edge(graph, id, block.next[side]);
  block = {};
  block.end = End::link;  // leads nowhere
}

void drop_unreached(Graph& graph) {
  std::vector<u8> reached(graph.blocks.size());
  for (const BlockId b : reverse_postorder(graph)) reached[b] = 1;
  for (BlockId b = 0; b < graph.blocks.size(); ++b) {
    if (reached[b] == 0 && (successor_count(graph.blocks[b]) != 0 || !graph.blocks[b].nodes.empty())) drop(graph, b);
  }
}

void take_one_way(Graph& graph, BlockId id, bool condition) {
  Block& block = graph.blocks[id];
  const BlockId to = block.next[condition ? 0 : 1], other = block.next[condition ? 1 : 0];
  if (to != other) {
    remove_edge(graph, id, other);
  } else {
    // Of two edges to one block the first is that of side 0; the second goes.
    Block& next = graph.blocks[to];
    const auto first = std::ranges::find(next.before, id), second = std::find(first + 1, next.before.end(), id);
    const auto keep = first - next.before.begin(), drop = second - next.before.begin();
    next.before.erase(second);
    for (const NodeId phi : next.phis) {
      const std::span<NodeId> args = graph.args_of_phi(phi);
      if (!condition) args[static_cast<size_t>(keep)] = args[static_cast<size_t>(drop)];
      std::shift_left(args.begin() + drop, args.end(), 1);
      --graph[phi].extra;
    }
  }
  block.end = End::jump;
  block.value = 0;
  block.next[0] = to;
  block.next[1] = 0;
  block.went[0] = block.count;
  block.went[1] = 0;
}

// `to` has no phis: its only predecessor is `id`, which only leads there.
void append(Graph& graph, BlockId id, BlockId to) {
  Block& block = graph.blocks[id];
  Block& next = graph.blocks[to];
  for (const NodeId node : next.nodes) graph[node].block = id;
  block.nodes.insert(block.nodes.end(), next.nodes.begin(), next.nodes.end());
  block.end = next.end;
  block.value = next.value;
  block.unit = next.unit;
  block.page = next.page;
  block.side = next.side;
  block.state = next.state;
  for (u32 side = 0; side < 2; ++side) {
    block.next[side] = next.next[side];
    block.went[side] = next.went[side];
  }
  for (u32 side = 0; side < successor_count(block); ++side) {
    std::ranges::replace(graph.blocks[block.next[side]].before, to, id);
  }
  next = {};
  next.end = End::link;
}

}  // namespace

void branches(Context& context) {
  Graph& graph = context.graph;
  for (const BlockId b : reverse_postorder(graph)) {
    Block& block = graph.blocks[b];
    if (block.end != End::branch) continue;
    if (graph.is_constant(block.value)) {
      if (context.take()) take_one_way(graph, b, graph[block.value].imm != 0);
    } else if (graph[block.value].op == Op::xor_ && graph.is_constant(graph[block.value].args[1]) &&
               graph[graph[block.value].args[1]].imm == 1 && block.next[0] != block.next[1]) {
      if (!context.take()) return;
      block.value = graph[block.value].args[0];
      std::swap(block.next[0], block.next[1]);
      std::swap(block.went[0], block.went[1]);
    }
  }
  drop_unreached(graph);
  // Phis with one way left are what comes by it.
  Replacements replacements(graph);
  const std::vector<BlockId> order = reverse_postorder(graph);
  for (const BlockId b : order) {
    Block& block = graph.blocks[b];
    if (block.before.size() != 1) continue;
    std::erase_if(block.phis, [&](NodeId phi) {
      if (!context.take()) return false;
      replacements.replace(phi, graph.args_of_phi(phi)[0]);
      return true;
    });
  }
  replacements.apply();
  // The entry stays apart: it has what was when the region was entered.
  for (const BlockId b : order) {
    if (b == 0 || graph.blocks[b].end != End::jump) continue;
    BlockId to = graph.blocks[b].next[0];
    // A block that was appended to another is empty and leads nowhere: it does not come here.
    while (graph.blocks[b].end == End::jump && to != b && graph.blocks[to].before.size() == 1 &&
           graph.blocks[to].phis.empty() && context.take()) {
      append(graph, b, to);
      to = graph.blocks[b].next[0];
    }
  }
}

}  // namespace pagoda::opt::passes
