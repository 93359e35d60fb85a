// SPDX-License-Identifier: MIT
// Accesses behind the addition that counts a loop's pointer up go by what the pointer is then.
//
// combine makes the load in `p += 8; load p - 8` one from the old p, which then lives beside the new one until the
// access is done, and has to be another register; by the new one, the pointer is counted up in place.
#include <algorithm>

#include "tcg/opt/passes/pass.h"

namespace pagoda::opt::passes {
namespace {

class Pointers {
 public:
  explicit Pointers(Context& context) : context_(context), graph_(context.graph) {}

  void run() {
    for (const BlockId b : reverse_postorder(graph_)) {
      counted_.clear();
      std::vector<NodeId> list;
      list.reserve(graph_.blocks[b].nodes.size());
      for (const NodeId id : graph_.blocks[b].nodes) {
        if (is_access(id)) go_by_new(id, list);
        if (is_counted(id)) counted_.push_back(id);
        list.push_back(id);
      }
      graph_.blocks[b].nodes = std::move(list);
    }
  }

 private:
  bool is_access(NodeId id) const { return graph_[id].op == Op::load || graph_[id].op == Op::store; }

  // phi + constant, which the phi is when its loop comes round.
  bool is_counted(NodeId id) const {
    const Node& node = graph_[id];
    if (node.op != Op::add || node.type != ir::Type::i64 || !graph_.is_constant(node.args[1])) return false;
    if (graph_[node.args[0]].op != Op::phi) return false;
    return std::ranges::find(graph_.args_of_phi(node.args[0]), id) != graph_.args_of_phi(node.args[0]).end();
  }

  void go_by_new(NodeId access, std::vector<NodeId>& list) {
    u64 offset = 0;
    NodeId base = graph_[access].args[0];
    while (graph_[base].op == Op::add && graph_.is_constant(graph_[base].args[1])) {
      if (std::ranges::find(counted_, base) != counted_.end()) return;  // it does already
      offset += graph_[graph_[base].args[1]].imm;
      base = graph_[base].args[0];
    }
    const auto by_phi = [&](NodeId id) { return graph_[id].args[0] == base; };
    const auto found = std::ranges::find_if(counted_, by_phi);
    if (found == counted_.end()) return;
    const BlockId block = graph_[access].block;
    const NodeId now = *found;
    NodeId address = now;
    offset -= graph_[graph_[now].args[1]].imm;
    if (offset != static_cast<u64>(i64{static_cast<i32>(offset)}) || !context_.take()) return;
    if (offset != 0) {
      const NodeId constant = graph_.add({.op = Op::constant, .type = ir::Type::i64, .imm = offset, .block = block});
      address = graph_.add({.op = Op::add, .type = ir::Type::i64, .args = {now, constant, 0, 0}, .block = block});
      list.insert(list.end(), {constant, address});
    }
    graph_[access].args[0] = address;
  }

  Context& context_;
  Graph& graph_;
  std::vector<NodeId> counted_;  // of the block so far
};

}  // namespace

void pointers(Context& context) { Pointers(context).run(); }

}  // namespace pagoda::opt::passes
