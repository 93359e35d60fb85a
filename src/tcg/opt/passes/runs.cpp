// SPDX-License-Identifier: MIT
// Runs: several accesses around one pointer in one block (a function's saved registers, the members of an object) look
// for their page once.
//
// The part of the block from the first access of a run to its last one is there twice afterwards. find_page says before
// it whether all that the run accesses lies in one page that the TLB has, aligned where it has to be: then the copy is
// executed in which these accesses are plain instructions of the host, which can neither fault nor leave the region;
// else the other one, which is as it was. What may happen in between (an access to elsewhere that goes through C++)
// leaves the region if it changes the mapping, so what find_page found stays good.
#include <algorithm>
#include <bit>
#include <unordered_map>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

constexpr u32 kLeast = 4;          // accesses that are worth it
constexpr i64 kMostBytes = 1024;   // of one run
constexpr u64 kMostNodes = 20000;  // of a graph

struct Access {
  u32 place;  // in its block
  NodeId base;
  i64 offset;
  u32 size;
  u32 align;  // that it has to have
  bool is_store;
};

struct Run {
  NodeId base = 0;
  u32 first = 0, last = 0, accesses = 0;
  i64 low = 0, end = 0;  // bytes from the base
  u32 align = 1;         // of `low`
  bool writes = false;
};

class Runs {
 public:
  explicit Runs(Context& context) : context_(context), graph_(context.graph) {}

  void run() {
    std::vector<BlockId> work = reverse_postorder(graph_);
    std::ranges::reverse(work);
    while (!work.empty() && graph_.nodes.size() < kMostNodes) {
      const BlockId at = work.back();
      work.pop_back();
      const Block& block = graph_.blocks[at];
      if (block.is_cold || block.count == 0) continue;
      const Run found = find(block);
      if (found.accesses < kLeast || has_flags(block, found)) continue;
      if (!context_.take()) return;
      const BlockId fast = split(at, found);
      work.push_back(graph_.blocks[fast].next[0]);
      work.push_back(fast);
    }
  }

 private:
  // Of these no block makes one value of two.
  bool has_flags(const Block& block, const Run& run) const {
    return std::any_of(block.nodes.begin() + run.first, block.nodes.begin() + run.last + 1, [&](NodeId id) {
      const ir::Type type = graph_.type_of(id);
      return type > ir::Type::i64 && !ir::is_float(type) && type != ir::Type::none;
    });
  }

  bool access_of(NodeId id, Access& access) const {
    const Node& node = graph_[id];
    if (node.op != Op::load && node.op != Op::store) return false;
    const ir::MemOp op = ir::MemOp::unpack(node.extra);
    if (op.mode != 0 || op.big_endian || op.size() > 8) return false;
    access.size = op.size();
    access.align = op.align ? access.size : 1;
    access.is_store = node.op == Op::store;
    const auto [base, offset] = graph_.without_constants(node.args[0]);
    access.base = base;
    access.offset = static_cast<i64>(offset);
    return access.offset == static_cast<i32>(access.offset);
  }

  // The largest one. What does not fit in with the first access to the pointer is left to others.
  Run find(const Block& block) {
    accesses_.clear();
    for (u32 i = 0; i < block.nodes.size(); ++i) {
      Access access{};
      if (!access_of(block.nodes[i], access)) continue;
      access.place = i;
      accesses_.push_back(access);
    }
    Run best;
    for (size_t i = 0; i < accesses_.size(); ++i) {
      const NodeId base = accesses_[i].base;
      const auto same = [&](const Access& one) { return one.base == base; };
      if (std::ranges::any_of(accesses_.begin(), accesses_.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
      Run run{.base = base, .first = accesses_[i].place};
      run.low = accesses_[i].offset;
      run.end = run.low + accesses_[i].size;
      run.align = accesses_[i].align;
      for (size_t k = i; k < accesses_.size(); ++k) {
        if (same(accesses_[k])) take(run, accesses_[k]);
      }
      if (run.accesses > best.accesses) best = run;
    }
    return best;
  }

  static void take(Run& run, const Access& access) {
    if (!fits(run, access)) return;
    const u32 align = std::max(run.align, access.align);
    const i64 low = std::min(run.low, access.offset);
    // Some multiple of `align` away from what is aligned like that.
    const i64 anchor = run.align >= access.align ? run.low : access.offset;
    run.low = anchor - (anchor - low + align - 1) / align * align;
    run.end = std::max(run.end, access.offset + access.size);
    run.align = align;
    run.last = access.place;
    run.writes |= access.is_store;
    ++run.accesses;
  }
  static bool fits(const Run& run, const Access& access) {
    if ((access.offset - run.low) % std::min<i64>(access.align, run.align) != 0) return false;
    return std::max(run.end, access.offset + access.size) - std::min(run.low, access.offset) <= kMostBytes;
  }

  NodeId add(BlockId block, Node node) {
    node.block = block;
    const NodeId id = graph_.add(node);
    (node.op == Op::phi ? graph_.blocks[block].phis : graph_.blocks[block].nodes).push_back(id);
    return id;
  }

  StateId copy(StateId id) {
    if (id == 0) return 0;
    State state = graph_.states[id];
    const std::vector<SlotValue> values(graph_.slots_of(id).begin(), graph_.slots_of(id).end());
    const std::vector<NodeId> replayed(graph_.replayed_of(id).begin(), graph_.replayed_of(id).end());
    state.first = static_cast<u32>(graph_.state_values.size());
    graph_.state_values.insert(graph_.state_values.end(), values.begin(), values.end());
    state.first_replayed = static_cast<u32>(graph_.replayed.size());
    graph_.replayed.insert(graph_.replayed.end(), replayed.begin(), replayed.end());
    graph_.states.push_back(state);
    return static_cast<StateId>(graph_.states.size() - 1);
  }

  // What is there twice afterwards. What has no effects and needs nothing of it comes before, in before_: constants and
  // addresses above all, which others use as well.
  std::vector<NodeId> take_middle(const Block& from, const Run& run) {
    std::vector<NodeId> middle;
    before_.clear();
    is_kept_.resize(graph_.nodes.size());
    for (u32 i = run.first; i <= run.last; ++i) {
      const NodeId id = from.nodes[i];
      const Node& node = graph_[id];
      const bool needs = std::ranges::any_of(node.args, [&](NodeId arg) { return is_kept_[arg] != 0; });
      if (effects_of(node.op) == 0 && !needs) {
        before_.push_back(id);
      } else {
        is_kept_[id] = 1;
        middle.push_back(id);
      }
    }
    for (const NodeId id : middle) is_kept_[id] = 0;
    return middle;
  }

  // The block ends with the question; returns the fast copy, which leads to what is left.
  BlockId split(BlockId at, const Run& run) {
    const auto fast = static_cast<BlockId>(graph_.blocks.size()), slow = fast + 1, rest = fast + 2;
    graph_.blocks.resize(graph_.blocks.size() + 3);
    Block& from = graph_.blocks[at];
    const std::vector<NodeId> middle = take_middle(from, run);
    {
      Block& to = graph_.blocks[rest];
      to = from;
      to.phis.clear();
      to.nodes.assign(from.nodes.begin() + run.last + 1, from.nodes.end());
      to.before = {fast, slow};
      for (const NodeId id : to.nodes) graph_[id].block = rest;
      for (u32 side = 0; side < successor_count(to); ++side) {
        std::vector<BlockId>& before = graph_.blocks[to.next[side]].before;
        // Both sides may lead to one block.
        if (const auto place = std::ranges::find(before, at); place != before.end()) *place = rest;
      }
    }
    from.nodes.resize(run.first);
    from.nodes.insert(from.nodes.end(), before_.begin(), before_.end());
    from.state = 0;
    from.unit = nullptr;
    for (const BlockId copy : {fast, slow}) {
      Block& block = graph_.blocks[copy];
      block.before = {at};
      block.next[0] = rest;
      block.count = block.went[0] = copy == fast ? from.count : 0;
      block.is_cold = copy == slow;
    }
    const NodeId found = add(at, {.op = Op::find_page,
                                  .type = ir::Type::i64,
                                  .aux = static_cast<u8>(std::countr_zero(run.align) | (run.writes ? 16 : 0)),
                                  .args = {run.base},
                                  .extra = static_cast<u32>(run.end - run.low - 1),
                                  .imm = static_cast<u64>(run.low)});
    const NodeId zero = add(at, {.op = Op::constant, .type = ir::Type::i64, .args = {}});
    const NodeId is_found = add(at, {.op = Op::ne, .type = ir::Type::i64, .args = {found, zero}});
    Block& end = graph_.blocks[at];
    end.end = End::branch;
    end.value = is_found;
    end.next[0] = fast;
    end.next[1] = slow;
    end.went[0] = end.count;
    end.went[1] = 0;
    copy_slow(middle, slow);
    for (const NodeId id : middle) {
      graph_[id].block = fast;
      graph_.blocks[fast].nodes.push_back(id);
    }
    join(middle, fast, rest);
    for (const NodeId id : middle) make_fast(id, run, found);
    return fast;
  }

  // copies_: by node of the middle, its copy.
  void copy_slow(const std::vector<NodeId>& middle, BlockId slow) {
    copies_.clear();
    const auto update = [&](NodeId& id) {
      if (const auto found = copies_.find(id); found != copies_.end()) id = found->second;
    };
    for (const NodeId id : middle) {
      Node node = graph_[id];
      for (NodeId& arg : node.args) update(arg);
      node.state = copy(node.state);
      for (SlotValue& slot : graph_.slots_of(node.state)) update(slot.value);
      State& state = graph_.states[node.state];
      for (u32 i = 0; i < state.replayed; ++i) update(graph_.replayed[state.first_replayed + i]);
      const NodeId made = add(slow, node);
      copies_[id] = made;
    }
  }

  // Who uses a value of the middle elsewhere uses what comes of both copies.
  void join(const std::vector<NodeId>& middle, BlockId fast, BlockId rest) {
    phis_.clear();
    std::vector<u8> is_inside(graph_.states.size());
    for (const NodeId id : middle) is_inside[graph_[id].state] = 1;
    const auto update = [&](NodeId& id) {
      if (!copies_.contains(id)) return;
      NodeId& phi = phis_[id];
      if (phi == 0) {
        phi = add(rest,
                  {.op = Op::phi, .type = graph_.type_of(id), .args = {}, .extra = 2, .imm = graph_.phi_args.size()});
        graph_.phi_args.push_back(id);
        graph_.phi_args.push_back(copies_[id]);
      }
      id = phi;
    };
    const auto update_state = [&](StateId& state) {
      if (state == 0) return;
      if (is_inside.size() > state && is_inside[state] != 0) state = copy(state);
      for (SlotValue& slot : graph_.slots_of(state)) update(slot.value);
      State& where = graph_.states[state];
      for (u32 i = 0; i < where.replayed; ++i) update(graph_.replayed[where.first_replayed + i]);
    };
    for (BlockId b = 0; b < graph_.blocks.size(); ++b) {
      if (b == fast || b == fast + 1) continue;
      // The rest has only those that say where the copies meet.
      for (size_t i = 0; b != rest && i < graph_.blocks[b].phis.size(); ++i) {
        const NodeId phi = graph_.blocks[b].phis[i];
        const u64 first = graph_[phi].imm;
        for (u32 k = 0; k < graph_[phi].extra; ++k) {
          NodeId arg = graph_.phi_args[first + k];
          update(arg);
          graph_.phi_args[first + k] = arg;
        }
      }
      for (const NodeId id : graph_.blocks[b].nodes) {
        for (u32 k = 0; k < 4; ++k) {
          NodeId arg = graph_[id].args[k];
          if (arg == 0) continue;
          update(arg);
          graph_[id].args[k] = arg;
        }
        StateId state = graph_[id].state;
        update_state(state);
        graph_[id].state = state;
      }
      if (graph_.blocks[b].value != 0) {
        NodeId value = graph_.blocks[b].value;
        update(value);
        graph_.blocks[b].value = value;
      }
      StateId state = graph_.blocks[b].state;
      update_state(state);
      graph_.blocks[b].state = state;
    }
  }

  void make_fast(NodeId id, const Run& run, NodeId page) {
    Access access{};
    if (!access_of(id, access) || access.base != run.base) return;
    if (access.offset < run.low || access.offset + access.size > run.end) return;
    if (access.align > run.align || (access.offset - run.low) % access.align != 0) return;
    if (access.is_store && !run.writes) return;
    Node& node = graph_[id];
    node.op = access.is_store ? Op::store_at : Op::load_at;
    node.args[access.is_store ? 2 : 1] = page;
    node.state = 0;
  }

  Context& context_;
  Graph& graph_;
  std::vector<Access> accesses_;
  std::vector<NodeId> before_;
  std::vector<u8> is_kept_;  // by node
  std::unordered_map<NodeId, NodeId> copies_, phis_;
};

}  // namespace

void runs(Context& context) { Runs(context).run(); }

}  // namespace pagoda::opt::passes
