// SPDX-License-Identifier: MIT
// What every sound graph keeps.
#include <algorithm>

#include <fmt/format.h>

#include "tcg/opt/graph_text.h"

namespace pagoda::opt {
namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  std::string run() {
    if (graph_.blocks.empty()) return "no blocks\n";
    for (BlockId b = 0; b < graph_.blocks.size(); ++b) {
      const Block& block = graph_.blocks[b];
      for (u32 side = 0; side < successor_count(block); ++side) {
        if (block.next[side] >= graph_.blocks.size()) return fmt::format("block {} leads to no block\n", b);
      }
    }
    order_ = reverse_postorder(graph_);
    reached_.assign(graph_.blocks.size(), 0);
    for (const BlockId b : order_) reached_[b] = 1;
    edges();
    if (!errors_.empty()) return errors_;
    over_ = dominators(graph_, order_);
    places();
    if (!errors_.empty()) return errors_;
    for (const BlockId b : order_) {
      block_ = b;
      for (const NodeId id : graph_.blocks[b].phis) phi(id);
      for (const NodeId id : graph_.blocks[b].nodes) node(id);
      end();
    }
    return errors_;
  }

 private:
  static constexpr u32 kNowhere = ~0u;

  template <class... Args>
  void report(fmt::format_string<Args...> format, Args&&... args) {
    errors_ += fmt::format("block {}: ", block_) + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  template <class... Args>
  void report_node(NodeId id, fmt::format_string<Args...> format, Args&&... args) {
    report("{}: {}", print_node(graph_, id), fmt::format(format, std::forward<Args>(args)...));
  }

  void edges() {
    std::vector<std::vector<BlockId>> wanted(graph_.blocks.size());
    for (const BlockId b : order_) {
      const Block& block = graph_.blocks[b];
      for (u32 side = 0; side < successor_count(block); ++side) wanted[block.next[side]].push_back(b);
    }
    for (const BlockId b : order_) {
      block_ = b;
      std::vector<BlockId> before = graph_.blocks[b].before;
      std::ranges::sort(before);
      std::ranges::sort(wanted[b]);
      if (before != wanted[b]) report("predecessors are not those that lead here");
    }
    block_ = 0;
    if (!graph_.blocks[0].before.empty()) report("the entry has a predecessor");
  }

  // Position of each node: phis are at 0, nodes from 1 on.
  void places() {
    position_.assign(graph_.nodes.size(), kNowhere);
    for (const BlockId b : order_) {
      block_ = b;
      const Block& block = graph_.blocks[b];
      const auto take = [&](NodeId id, u32 position) {
        if (id == 0 || id >= graph_.nodes.size()) return report("node {} does not exist", id);
        if (static_cast<u32>(graph_[id].op) >= kOpCount) return report("node {}: no such op", id);
        if (position_[id] != kNowhere) report("v{} is there twice", id);
        if (graph_[id].block != b) report("v{} says that it is in block {}", id, graph_[id].block);
        if ((graph_[id].op == Op::phi) != (position == 0)) report("v{}: a phi among nodes or a node among phis", id);
        position_[id] = position;
      };
      for (const NodeId id : block.phis) take(id, 0);
      for (u32 i = 0; i < block.nodes.size(); ++i) take(block.nodes[i], i + 1);
    }
  }

  bool dominates(BlockId one, BlockId other) const {
    while (other != one && other != 0) other = over_[other];
    return other == one;
  }

  // The type of a value used at a position of the block `at`; none, and a report, if it may not be used there.
  ir::Type use(NodeId id, BlockId at, u32 position, const char* what) {
    if (id == 0 || id >= graph_.nodes.size() || position_[id] == kNowhere) {
      report("{} v{} is nowhere", what, id);
      return ir::Type::none;
    }
    const BlockId from = graph_[id].block;
    const bool before = from == at ? position_[id] < position : dominates(from, at);
    if (!before) report("{} v{} is not defined on every way", what, id);
    const ir::Type type = graph_.type_of(id);
    if (type == ir::Type::none) report("{} v{} is no value", what, id);
    return type;
  }

  void phi(NodeId id) {
    const Node& node = graph_[id];
    const Block& block = graph_.blocks[block_];
    if (node.extra != block.before.size()) return report_node(id, "{} arguments", node.extra);
    if (u64{node.imm} + node.extra > graph_.phi_args.size()) return report_node(id, "arguments are nowhere");
    if (node.type == ir::Type::none) report_node(id, "no type");
    for (u32 i = 0; i < node.extra; ++i) {
      const NodeId arg = graph_.args_of_phi(id)[i];
      const ir::Type type = use(arg, block.before[i], kNowhere, "phi argument");
      if (type != node.type) report_node(id, "v{} has another type", arg);
    }
  }

  void node(NodeId id) {
    const Node& node = graph_[id];
    const u32 position = position_[id];
    const u32 effects = effects_of(node.op);
    if (node.op == Op::slot_in) {
      if (block_ != 0) report_node(id, "not in the entry block");
      if (node.extra >= graph_.slots.count || graph_.slots.slots[node.extra].type != node.type) {
        report_node(id, "not the slot's type");
      }
    }
    if (node.op == Op::get_slot || node.op == Op::put_slot || node.op == Op::insn) report_node(id, "not in graphs");
    if (is_ir(node.op)) operands(id, position);
    if (node.op == Op::find_page || node.op == Op::load_at || node.op == Op::store_at) page_operands(id, position);
    if (node.op == Op::constant && (node.imm & ~ir::type_mask(node.type)) != 0) report_node(id, "does not fit");
    if ((effects & ir::kMayFault) != 0) {
      state(node.state, position);
    } else if (node.state != 0) {
      report_node(id, "has a state");
    }
  }

  void page_operands(NodeId id, u32 position) {
    const Node& node = graph_[id];
    const u32 count = graph_.arg_count(id);
    for (u32 i = 0; i < 4; ++i) {
      if (i >= count) {
        if (node.args[i] != 0) report_node(id, "too many operands");
        continue;
      }
      const ir::Type type = use(node.args[i], block_, position, "operand");
      const bool is_value = node.op == Op::store_at && i == 1;
      if (type != (is_value ? node.type : ir::Type::i64))
        report_node(id, "v{} has type {}", node.args[i], type_name(type));
      const bool is_page = node.op != Op::find_page && i == count - 1;
      if (is_page && graph_[node.args[i]].op != Op::find_page) report_node(id, "v{} is no page", node.args[i]);
    }
  }

  void operands(NodeId id, u32 position) {
    const Node& node = graph_[id];
    const ir::Op op = to_ir(node.op);
    const ir::OpInfo& info = ir::op_info(op);
    const bool no_result = node.op == Op::call && node.type == ir::Type::none;
    if (!ir::contains(info.types, node.type) && !no_result) report_node(id, "type is not one of the op's");
    for (u32 i = 0; i < 4; ++i) {
      if (info.operands[i] == ir::Operand::_) {
        if (node.args[i] != 0) report_node(id, "too many operands");
        continue;
      }
      if (node.op == Op::call && node.args[i] == 0) continue;
      const ir::Type type = use(node.args[i], block_, position, "operand");
      if (type == ir::Type::none) continue;
      if (!ir::accepts(info.operands[i], node.type, type))
        report_node(id, "v{} has type {}", node.args[i], type_name(type));
      if (i == 0 && ir::has_conversion_rule(op) && !ir::converts(op, type, node.type)) report_node(id, "no conversion");
    }
    if (info.aux == ir::Aux::Mem || info.aux == ir::Aux::MemRmw) {
      if (!ir::access_fits(op, node.type, ir::MemOp::unpack(node.extra))) report_node(id, "access does not fit");
    }
  }

  void state(StateId id, u32 position) {
    if (id == 0 || id >= graph_.states.size()) return report("no state {}", id);
    const State& state = graph_.states[id];
    if (u64{state.first} + state.count > graph_.state_values.size() ||
        u64{state.first_replayed} + state.replayed > graph_.replayed.size()) {
      return report("state {} lies nowhere", id);
    }
    seen_.assign(graph_.slots.count, 0);
    for (const SlotValue& slot : graph_.slots_of(id)) {
      if (slot.slot >= graph_.slots.count) {
        report("state {}: no slot {}", id, slot.slot);
        continue;
      }
      if (seen_[slot.slot]++ != 0) report("state {}: slot {} twice", id, graph_.slots.slots[slot.slot].name);
      const ir::Type type = use(slot.value, block_, position, "state");
      if (type != ir::Type::none && type != graph_.slots.slots[slot.slot].type) {
        report("state {}: slot {} gets v{} of type {}", id, graph_.slots.slots[slot.slot].name, slot.value,
               type_name(type));
      }
    }
    for (const NodeId value : graph_.replayed_of(id)) {
      if (value != 0) use(value, block_, position, "replayed");
    }
  }

  void end() {
    const Block& block = graph_.blocks[block_];
    switch (block.end) {
      case End::jump:
        break;
      case End::branch:
        if (use(block.value, block_, kNowhere, "condition") != ir::Type::i1) report("the condition is no i1");
        break;
      case End::indirect:
        if (use(block.value, block_, kNowhere, "pc") != ir::Type::i64) report("the pc is no i64");
        state(block.state, kNowhere);
        break;
      case End::link:
        state(block.state, kNowhere);
        break;
    }
  }

  const Graph& graph_;
  std::string errors_;
  std::vector<BlockId> order_, over_;
  std::vector<u8> reached_;
  std::vector<u32> position_;
  std::vector<u8> seen_;
  BlockId block_ = 0;
};

}  // namespace

std::string verify(const Graph& graph) { return Verifier(graph).run(); }

}  // namespace pagoda::opt
