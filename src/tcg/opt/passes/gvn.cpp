// SPDX-License-Identifier: MIT
// Global value numbering: of equal values the one that dominates stays. And conditions that a branch above has decided.
//
// Ops that set sticky floating-point flags may be merged too: what the first one raised is raised. But helpers may read
// or clear the flags, so where there is a call such ops are merged only within a block, with no call between.
#include <algorithm>
#include <bit>
#include <utility>

#include "tcg/opt/passes/combine.h"
#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

struct Key {
  u64 a, b, c, d;
  bool operator==(const Key&) const = default;
  u64 hash() const {
    u64 h = a * 0x9e37'79b9'7f4a'7c15;
    for (const u64 part : {b, c, d}) h = ((h ^ (h >> 29)) + part) * 0xbf58'476d'1ce4'e5b9;
    return h >> 32;
  }
};

Key key_of(Node node) {
  if (is_commutative(node.op) && node.args[0] > node.args[1]) std::swap(node.args[0], node.args[1]);
  const u64 what =
      static_cast<u64>(node.op) | static_cast<u64>(node.type) << 16 | u64{node.aux} << 24 | u64{node.extra} << 32;
  return {what, u64{node.args[0]} | u64{node.args[1]} << 32, u64{node.args[2]} | u64{node.args[3]} << 32, node.imm};
}

class Numbering {
 public:
  explicit Numbering(Context& context)
      : context_(context), graph_(context.graph), tree_(context.graph), replacements_(context.graph) {}

  void run() {
    for (const BlockId b : tree_.order()) {
      for (const NodeId id : graph_.blocks[b].nodes) has_calls_ |= graph_[id].op == Op::call;
    }
    fact_.assign(graph_.blocks.size(), 0);
    facts_.assign(1, {});
    first_.assign(std::bit_ceil(graph_.nodes.size()), 0);
    same_.assign(1, {});
    same_.reserve(graph_.nodes.size());
    for (const BlockId b : tree_.order()) block(b);
    // What comes round a loop was not yet known when its phis were looked at.
    for (bool any = true; any;) {
      any = false;
      for (const BlockId b : tree_.order()) {
        Block& block = graph_.blocks[b];
        any |= std::erase_if(block.phis, [&](NodeId id) { return phi(block, id); }) != 0;
      }
    }
    replacements_.apply();
  }

 private:
  struct Fact {
    NodeId condition;
    bool value;
    u32 above;   // in facts_, what else is known; 0: nothing
    u32 number;  // of these
  };

  void block(BlockId b) {
    Block& block = graph_.blocks[b];
    learn(b);
    std::erase_if(block.phis, [&](NodeId id) { return phi(block, id); });
    calls_ = 0;
    std::erase_if(block.nodes, [&](NodeId id) {
      for (u32 i = 0; i < 4; ++i) {
        const NodeId arg = value_at(b, graph_[id].args[i]);  // may add a node
        graph_[id].args[i] = arg;
      }
      if (graph_[id].op == Op::call) ++calls_;
      return is_mergeable(graph_[id].op) && merge(b, id);
    });
    block.value = value_at(b, block.value);
  }

  // What a value is in a block: the one that stays, or a constant.
  NodeId value_at(BlockId b, NodeId id) {
    id = replacements_.find(id);
    if (id == 0 || fact_[b] == 0 || graph_.type_of(id) != ir::Type::i1 || graph_.is_constant(id)) return id;
    const int value = known(b, id);
    if (value < 0 || !context_.take()) return id;
    NodeId& truth = truths_[value];
    if (truth == 0) {
      truth = graph_.add({.op = Op::constant, .type = ir::Type::i1, .imm = static_cast<u64>(value), .block = 0});
      graph_.blocks[0].nodes.push_back(truth);
    }
    return truth;
  }

  // Of two phis of a block with the same operands one is enough.
  bool phi(const Block& block, NodeId id) {
    for (const NodeId other : block.phis) {
      if (other == id) return false;
      if (graph_[other].type != graph_[id].type || replacements_.find(other) != other) continue;
      const auto mine = graph_.args_of_phi(id), others = graph_.args_of_phi(other);
      const auto is_same = [&](NodeId one, NodeId two) {
        return replacements_.find(one) == replacements_.find(two) || (one == id && two == other);
      };
      if (!std::ranges::equal(mine, others, is_same)) continue;
      if (!context_.take()) return false;
      replacements_.replace(id, other);
      return true;
    }
    return false;
  }

  // What is known here because of the branch that leads here.
  void learn(BlockId b) {
    if (b == 0) return;
    fact_[b] = fact_[tree_.above(b)];
    const Block& block = graph_.blocks[b];
    if (block.before.size() != 1 || facts_[fact_[b]].number >= kFacts) return;
    const Block& from = graph_.blocks[block.before[0]];
    if (from.end != End::branch || from.next[0] == from.next[1]) return;
    facts_.push_back({from.value, from.next[0] == b, fact_[b], facts_[fact_[b]].number + 1});
    fact_[b] = static_cast<u32>(facts_.size() - 1);
  }

  // The known value of a condition, of one that is equal, or of one that is its opposite; -1: not known.
  int known(BlockId b, NodeId id) const {
    const Node& node = graph_[id];
    for (u32 i = fact_[b]; i != 0; i = facts_[i].above) {
      const Fact& fact = facts_[i];
      if (fact.condition == id) return fact.value ? 1 : 0;
      const Node& other = graph_[fact.condition];
      if (!is_comparison(node.op) || other.type != node.type) continue;
      const bool same = other.args[0] == node.args[0] && other.args[1] == node.args[1];
      const bool crossed = other.args[0] == node.args[1] && other.args[1] == node.args[0];
      if (node.op == other.op && (same || (crossed && is_commutative(node.op)))) return fact.value ? 1 : 0;
      const auto pair = [&](Op x, Op y) { return (node.op == x && other.op == y) || (node.op == y && other.op == x); };
      const bool opposite = (pair(Op::eq, Op::ne) && (same || crossed)) || (pair(Op::lt_s, Op::le_s) && crossed) ||
                            (pair(Op::lt_u, Op::le_u) && crossed);
      if (opposite) return fact.value ? 0 : 1;
    }
    return -1;
  }

  static bool is_mergeable(Op op) {
    if (op == Op::slot_in) return true;
    if (!is_ir(op) || op == Op::call) return false;
    return (effects_of(op) & ~u32{ir::kFpFlags | ir::kFpMode}) == 0;
  }

  // True: the node goes.
  bool merge(BlockId b, NodeId id) {
    if (!context_.has_fuel()) return false;
    // A comparison is part of the branch or select behind it, if it is in the same block.
    const bool compares = is_comparison(graph_[id].op);
    const bool by_place = has_calls_ && (effects_of(graph_[id].op) & (ir::kFpFlags | ir::kFpMode)) != 0;
    const Key key = key_of(graph_[id]);
    u32& first = first_[key.hash() & (first_.size() - 1)];
    for (u32 i = first; i != 0; i = same_[i].next) {
      const Candidate& one = same_[i];
      if (key_of(graph_[one.id]) != key || (by_place && (one.block != b || one.calls != calls_))) continue;
      if (compares ? one.block != b : !tree_.dominates(one.block, b)) continue;
      if (!context_.take()) return false;
      replacements_.replace(id, one.id);
      return true;
    }
    same_.push_back({id, b, calls_, first});
    first = static_cast<u32>(same_.size() - 1);
    return false;
  }

  static constexpr size_t kFacts = 64;  // so that long chains of branches stay cheap

  struct Candidate {
    NodeId id;
    BlockId block;
    u32 calls;  // before it in its block
    u32 next;   // in same_, of those with the same place in first_
  };

  Context& context_;
  Graph& graph_;
  DominatorTree tree_;
  Replacements replacements_;
  std::vector<u32> first_;  // by hash: in same_; 0: none
  std::vector<Candidate> same_;
  std::vector<u32> fact_;  // by block: the last that is known there
  std::vector<Fact> facts_;
  NodeId truths_[2] = {};  // constants 0 and 1 in the entry block
  u32 calls_ = 0;
  bool has_calls_ = false;
};

}  // namespace

void gvn(Context& context) { Numbering(context).run(); }

}  // namespace pagoda::opt::passes
