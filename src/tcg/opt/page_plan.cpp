// SPDX-License-Identifier: MIT
// Groups of accesses: by the pointer that an address comes from.
#include "tcg/opt/page_plan.h"

#include <algorithm>
#include <map>

#include "tcg/opt/layout.h"

namespace pagoda::opt {
namespace {

class Planner {
 public:
  Planner(const Graph& graph, PagePlan& plan) : graph_(graph), plan_(plan) {}

  void run() {
    plan_.uses.assign(graph_.nodes.size(), {});
    plan_.is_written.clear();
    find_roots();
    struct Group {
      u64 weight = 0;
      u32 accesses = 0;
      bool has_stores = false;
      std::vector<NodeId> nodes;
    };
    std::map<NodeId, Group> groups;
    const bool counted = has_counts(graph_);
    for (const BlockId at : reverse_postorder(graph_)) {
      const Block& block = graph_.blocks[at];
      if (block.is_cold) continue;
      for (const NodeId id : block.nodes) {
        const Node& node = graph_[id];
        if (node.op != Op::load && node.op != Op::store) continue;
        const NodeId root = root_of_access(node.args[0], block);
        if (root == 0) continue;
        Group& group = groups[root];
        group.nodes.push_back(id);
        group.weight += counted ? 8 * block.count + 2 : u64{1} << std::min(3 * block.depth + 3, 30u);
        group.has_stores |= node.op == Op::store;
        ++group.accesses;
      }
    }
    std::vector<std::pair<u64, NodeId>> best;
    for (const auto& [root, group] : groups) {
      // Out of loops one access alone gains nothing.
      if (group.accesses > 1 || graph_.blocks[graph_[group.nodes[0]].block].depth > 0)
        best.push_back({group.weight, root});
    }
    std::ranges::sort(best, std::greater());
    if (best.size() > kMostPageGroups) best.resize(kMostPageGroups);
    for (const auto& [weight, root] : best) {
      const Group& group = groups[root];
      const auto number = static_cast<u32>(plan_.is_written.size());
      plan_.is_written.push_back(group.has_stores);
      std::vector<NodeId> fresh;  // pointers out of memory that an access has gone through
      for (const NodeId id : group.nodes) {
        const NodeId base = base_of(graph_[id].args[0]);
        const bool is_new = is_loaded(base) && std::ranges::find(fresh, base) == fresh.end();
        if (is_new) fresh.push_back(base);
        plan_.uses[id] = {is_new ? PageUse::new_page : PageUse::page, number};
      }
    }
  }

 private:
  NodeId base_of(NodeId id) const { return graph_.without_constants(id).base; }
  NodeId root(NodeId id) const {
    while (root_[id] != id) id = root_[id];
    return id;
  }
  bool join(NodeId one, NodeId other) {
    one = root(one);
    other = root(other);
    if (one == other) return false;
    root_[std::max(one, other)] = std::min(one, other);
    return true;
  }
  // Phis and the constants added to them make one pointer of several values, unless one of them comes out of memory or
  // of other arithmetic: then each is a pointer of its own.
  void find_roots() {
    root_.resize(graph_.nodes.size());
    for (NodeId id = 0; id < root_.size(); ++id) root_[id] = id;
    for (const Block& block : graph_.blocks) {
      for (const NodeId phi : block.phis) {
        if (graph_[phi].type != ir::Type::i64) continue;
        for (const NodeId arg : graph_.args_of_phi(phi)) {
          const Node& from = graph_[base_of(arg)];
          if (from.op == Op::phi || from.op == Op::slot_in) join(phi, base_of(arg));
        }
      }
    }
  }
  bool is_loaded(NodeId id) const {
    const Node& node = graph_[id];
    if (node.op == Op::load) return true;
    if (node.op != Op::phi) return false;
    return std::ranges::any_of(graph_.args_of_phi(id), [&](NodeId arg) { return graph_[base_of(arg)].op == Op::load; });
  }
  // Something that a loop counts up or down, in whatever width.
  bool is_counted(NodeId id) const {
    for (u32 steps = 0; steps < 8; ++steps) {
      const Node& node = graph_[id];
      switch (node.op) {
        case Op::phi:
          return std::ranges::any_of(graph_.args_of_phi(id), [&](NodeId arg) {
            return through_conversions(arg) != id && base_of(through_conversions(arg)) == id;
          });
        case Op::shl:
        case Op::mul:
        case Op::add:
        case Op::sub:
          if (!graph_.is_constant(node.args[1])) return false;
          [[fallthrough]];
        case Op::zext:
        case Op::sext:
        case Op::trunc:
          id = node.args[0];
          break;
        default:
          return false;
      }
    }
    return false;
  }
  NodeId through_conversions(NodeId id) const {
    for (;;) {
      const Node& node = graph_[id];
      if (node.op == Op::add && node.type == ir::Type::i32 && graph_.is_constant(node.args[1])) {
        id = node.args[0];
      } else if (node.op == Op::zext || node.op == Op::sext || node.op == Op::trunc) {
        id = node.args[0];
      } else {
        return id;
      }
    }
  }
  // 0: the access goes anywhere.
  NodeId root_of_access(NodeId address, const Block& block) const {
    const NodeId base = base_of(address);
    const Node& node = graph_[base];
    if (node.op != Op::add && node.op != Op::sub) return root(base);
    if (block.depth == 0) return root(base);
    // pointer + index: the pointer is what the loop leaves alone.
    const NodeId left = node.args[0], right = node.args[1];
    if (is_counted(right)) return root(base_of(left));
    if (is_counted(left)) return root(base_of(right));
    return 0;
  }

  const Graph& graph_;
  PagePlan& plan_;
  std::vector<NodeId> root_;
};

}  // namespace

void plan_pages(const Graph& graph, PagePlan& plan) { Planner(graph, plan).run(); }

}  // namespace pagoda::opt
