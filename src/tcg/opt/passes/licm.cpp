// SPDX-License-Identifier: MIT
// Loop-invariant code motion: what a loop computes again each time goes before it, if it costs something.
//
// Only what has no effects moves: setting floating-point flags is one, as the loop may be left before it comes to that.
// What is part of another instruction or nothing at all (constants, truncations, displacements, scales, comparisons)
// moves only along with what uses it; registers are few, so only so much moves out of a loop.
#include <algorithm>

#include "tcg/opt/passes/combine.h"
#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

constexpr u32 kMostMoved[2] = {5, 8};  // integers, floats

class Motion {
 public:
  explicit Motion(Context& context) : context_(context), graph_(context.graph) {}

  void run() {
    // Inner loops first: what leaves them may leave the next one, too.
    std::vector<BlockId> headers;
    {
      const DominatorTree tree(graph_);
      for (const BlockId b : tree.order()) {
        const auto is_back = [&](BlockId before) { return tree.dominates(b, before); };
        if (std::ranges::any_of(graph_.blocks[b].before, is_back)) headers.push_back(b);
      }
    }
    std::ranges::reverse(headers);
    for (const BlockId header : headers) {
      if (header != 0 && context_.has_fuel()) loop(header);
    }
  }

 private:
  void loop(BlockId header) {
    const DominatorTree tree(graph_);
    inside_.assign(graph_.blocks.size(), 0);
    std::vector<BlockId> work;
    inside_[header] = 1;
    for (const BlockId before : graph_.blocks[header].before) {
      if (tree.dominates(header, before) && inside_[before] == 0) {
        inside_[before] = 1;
        work.push_back(before);
      }
    }
    while (!work.empty()) {
      const BlockId b = work.back();
      work.pop_back();
      for (const BlockId before : graph_.blocks[b].before) {
        if (inside_[before] != 0) continue;
        inside_[before] = 1;
        work.push_back(before);
      }
    }
    moved_.clear();
    u32 room[2] = {kMostMoved[0], kMostMoved[1]};
    is_moved_.assign(graph_.nodes.size(), 0);
    for (const BlockId b : tree.order()) {
      if (inside_[b] == 0 || is_rare(b, header)) continue;
      for (const NodeId id : graph_.blocks[b].nodes) {
        u32& left = room[ir::is_float(graph_.type_of(id)) ? 1 : 0];
        if (left == 0 || is_cheap(id) || is_moved_[id] != 0 || !can_move(id, 0) || !context_.take()) continue;
        --left;
        move(id);
      }
    }
    if (moved_.empty()) return;
    for (const BlockId b : tree.order()) {
      if (inside_[b] != 0) std::erase_if(graph_.blocks[b].nodes, [&](NodeId id) { return is_moved_[id] != 0; });
    }
    const BlockId before = block_before(header);
    for (const NodeId id : moved_) {
      graph_[id].block = before;
      graph_.blocks[before].nodes.push_back(id);
    }
  }

  bool is_rare(BlockId b, BlockId header) const {
    const Block& block = graph_.blocks[b];
    return block.is_cold || block.count * 4 < graph_.blocks[header].count;
  }

  bool is_outside(NodeId id) const { return inside_[graph_[id].block] == 0 || is_moved_[id] != 0; }

  bool is_cheap(NodeId id) const {
    const Node& node = graph_[id];
    switch (node.op) {
      case Op::constant:
      case Op::pc:
      case Op::trunc:
        return true;
      case Op::zext:
        return graph_.type_of(node.args[0]) == ir::Type::i32 || graph_.type_of(node.args[0]) == ir::Type::i1;
      case Op::add:
        return graph_.is_constant(node.args[1]);
      case Op::shl:
        return graph_.is_constant(node.args[1]) && graph_[node.args[1]].imm <= 3;
      default:
        return graph_.type_of(id) == ir::Type::i1 || graph_.type_of(id) == ir::Type::flags;
    }
  }

  bool can_move(NodeId id, u32 depth) const {
    constexpr u32 kDeepest = 6;
    const Node& node = graph_[id];
    if (depth > kDeepest || !is_ir(node.op) || node.op == Op::call || effects_of(node.op) != 0) return false;
    return std::ranges::all_of(node.args,
                               [&](NodeId arg) { return arg == 0 || is_outside(arg) || can_move(arg, depth + 1); });
  }

  void move(NodeId id) {
    for (const NodeId arg : graph_[id].args) {
      if (arg != 0 && !is_outside(arg)) move(arg);
    }
    is_moved_[id] = 1;
    moved_.push_back(id);
  }

  // The block that control comes by from outside the loop, and that leads nowhere else.
  BlockId block_before(BlockId header) {
    std::vector<u32> outside;  // indices of predecessors
    for (u32 i = 0; i < graph_.blocks[header].before.size(); ++i) {
      if (inside_[graph_.blocks[header].before[i]] == 0) outside.push_back(i);
    }
    if (outside.size() == 1) {
      const BlockId only = graph_.blocks[header].before[outside[0]];
      if (graph_.blocks[only].end == End::jump) return only;
    }
    inside_.push_back(0);
    return gather_ways(graph_, header, outside);
  }

  Context& context_;
  Graph& graph_;
  std::vector<u8> inside_;    // by block: in the loop
  std::vector<u8> is_moved_;  // by node
  std::vector<NodeId> moved_;
};

}  // namespace

void licm(Context& context) { Motion(context).run(); }

}  // namespace pagoda::opt::passes
