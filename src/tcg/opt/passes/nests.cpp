// SPDX-License-Identifier: MIT
// Nests of loops: where jumps back to one block belong to a loop and to the loop around it.
//
// A unit of code begins where something jumped to: the first turn of an inner loop is part of the unit that comes
// before it, and the loop's own block is where both the inner loop and, if the region begins there, the outer one come
// back to. By its blocks that is one loop, whose values all seem to be used equally often. Here the ways back that are
// seldom taken get a block in front, which becomes the outer loop's header: the inner loop then is one of its own.
#include <algorithm>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

// A way back is the outer loop's if another one is taken so many times more often.
constexpr u64 kRarer = 3;

class Nests {
 public:
  explicit Nests(Context& context) : context_(context), graph_(context.graph) {}

  void run() {
    const DominatorTree tree(graph_);
    for (const BlockId b : tree.order()) {
      std::vector<u8> is_back;
      for (const BlockId before : graph_.blocks[b].before) is_back.push_back(tree.dominates(b, before) ? 1 : 0);
      // The new header may be that of a nest again.
      for (BlockId header = b; header != 0;) header = separate(header, is_back);
    }
  }

 private:
  // Returns the outer loop's header, whose ways back `is_back` names then; 0: there is one loop.
  BlockId separate(BlockId header, std::vector<u8>& is_back) {
    u64 most = 0;
    for (u32 i = 0; i < is_back.size(); ++i) {
      if (is_back[i] != 0) most = std::max(most, weight(header, i));
    }
    std::vector<u32> others;
    std::vector<u8> is_outer_back;
    for (u32 i = 0; i < is_back.size(); ++i) {
      if (is_back[i] != 0 && weight(header, i) * kRarer > most) continue;
      others.push_back(i);
      is_outer_back.push_back(is_back[i]);
    }
    if (others.size() == is_back.size() || std::ranges::count(is_outer_back, 1) == 0) return 0;
    if (!context_.take()) return 0;
    is_back = std::move(is_outer_back);
    return gather_ways(graph_, header, others);
  }

  // Where nothing is known, a block that leads to itself is the inner loop.
  u64 weight(BlockId header, u32 index) const {
    const BlockId before = graph_.blocks[header].before[index];
    return 2 * graph_.blocks[before].went[side_of_way(graph_, header, index)] + (before == header ? 1 : 0);
  }

  Context& context_;
  Graph& graph_;
};

}  // namespace

void nests(Context& context) { Nests(context).run(); }

}  // namespace pagoda::opt::passes
