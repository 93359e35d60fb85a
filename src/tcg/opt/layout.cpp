// SPDX-License-Identifier: MIT
// Chains of blocks: the ways taken most often are the first that become falling through (Pettis, Hansen: Profile Guided
// Code Positioning, 1990).
#include "tcg/opt/layout.h"

#include <algorithm>
#include <numeric>

namespace pagoda::opt {
namespace {

class Layout {
 public:
  explicit Layout(const Graph& graph) : graph_(graph), all_(reverse_postorder(graph)), has_counts_(has_counts(graph)) {}

  std::vector<BlockId> run() {
    make_chains();
    std::vector<BlockId> order;
    for (const u32 kind : {kHot, kOut, kSeldom}) {
      for (const BlockId id : all_) {
        if (kind_of(id) != kind || chain_[id].empty()) continue;
        // The whole chain where its first block would be; it is of one kind.
        order.insert(order.end(), chain_[id].begin(), chain_[id].end());
      }
    }
    return order;
  }

 private:
  enum Kind : u32 { kHot, kOut, kSeldom };
  struct Way {
    BlockId from, to;
    u64 count;
    bool is_jump;
  };

  u32 kind_of(BlockId id) const {
    if (id == 0) return kHot;
    if (is_seldom(graph_, id, has_counts_)) return kSeldom;
    const End end = graph_.blocks[id].end;
    return end == End::link || end == End::indirect ? kOut : kHot;
  }

  void make_chains() {
    chain_.resize(graph_.blocks.size());
    head_.resize(graph_.blocks.size());
    std::iota(head_.begin(), head_.end(), 0);
    std::vector<Way> ways;
    for (const BlockId id : all_) {
      chain_[id] = {id};
      const Block& block = graph_.blocks[id];
      // As in the reverse postorder: the side that is not taken comes next where nothing else is known.
      for (u32 side = successor_count(block); side-- > 0;) {
        const BlockId to = block.next[side];
        if (kind_of(id) == kind_of(to)) ways.push_back({id, to, block.went[side], block.end == End::jump});
      }
    }
    // Of ways taken equally often, a jump is worth more than a branch, which is there all the same.
    std::ranges::stable_sort(ways, [](const Way& a, const Way& b) {
      return a.count != b.count ? a.count > b.count : a.is_jump && !b.is_jump;
    });
    for (const Way& way : ways) join(way.from, way.to);
  }

  void join(BlockId from, BlockId to) {
    const BlockId head = head_[from];
    if (to == 0 || head_[to] != to || head == to || chain_[head].back() != from) return;
    for (const BlockId id : chain_[to]) head_[id] = head;
    chain_[head].insert(chain_[head].end(), chain_[to].begin(), chain_[to].end());
    chain_[to].clear();
  }

  const Graph& graph_;
  const std::vector<BlockId> all_;
  const bool has_counts_;
  std::vector<std::vector<BlockId>> chain_;  // by its first block
  std::vector<BlockId> head_;                // by block: the first one of its chain
};

}  // namespace

bool has_counts(const Graph& graph) {
  return std::ranges::any_of(graph.blocks, [](const Block& block) { return block.count != 0; });
}

bool is_seldom(const Graph& graph, BlockId id, bool has_counts) {
  const Block& block = graph.blocks[id];
  return block.is_cold || (has_counts && block.count == 0);
}

std::vector<BlockId> lay_out(const Graph& graph) { return Layout(graph).run(); }

}  // namespace pagoda::opt
