// SPDX-License-Identifier: MIT
// The text of graphs; payloads are printed as those of blocks are.
#include "tcg/opt/graph_text.h"

#include <fmt/format.h>

#include "tcg/ir/printer.h"

namespace pagoda::opt {
namespace {

std::string value_text(NodeId id) { return id == 0 ? "_" : fmt::format("v{}", id); }

std::string slot_name(const Graph& graph, u32 slot) {
  return slot < graph.slots.count ? graph.slots.slots[slot].name : fmt::format("?{}", slot);
}

std::string state_text(const Graph& graph, StateId id) {
  const State& state = graph.states[id];
  std::string text = fmt::format(" {{{:+} budget {}", state.pc, state.budget);
  const char* between = "; ";
  for (const SlotValue& slot : graph.slots_of(id)) {
    text += fmt::format("{}{}={}", between, slot_name(graph, slot.slot), value_text(slot.value));
    between = ", ";
  }
  between = "; replayed ";
  for (const NodeId value : graph.replayed_of(id)) {
    text += between + value_text(value);
    between = ", ";
  }
  return text + "}";
}

ir::Inst as_inst(const Node& node) {
  return {.op = to_ir(node.op), .type = node.type, .aux = node.aux, .extra = node.extra, .imm = node.imm};
}

std::string name_text(Op op) { return is_ir(op) ? ir::op_text(to_ir(op)) : op_name(op); }

std::string end_text(const Graph& graph, const Block& block) {
  switch (block.end) {
    case End::jump:
      return fmt::format("jump {}", block.next[0]);
    case End::branch:
      return fmt::format("branch {}, {}, {}", value_text(block.value), block.next[0], block.next[1]);
    case End::link:
      return fmt::format("link side {}{}", block.side, state_text(graph, block.state));
    case End::indirect:
      return fmt::format("indirect {}{}", value_text(block.value), state_text(graph, block.state));
  }
  return "?";
}

}  // namespace

std::string print_node(const Graph& graph, NodeId id) {
  const Node& node = graph[id];
  std::string text;
  if (graph.type_of(id) != ir::Type::none) text = fmt::format("v{} = ", id);
  text += name_text(node.op);
  if (node.type != ir::Type::none) text += fmt::format(".{}", type_name(node.type));
  const char* between = " ";
  const auto item = [&](const std::string& what) {
    if (what.empty()) return;
    text += between + what;
    between = ", ";
  };
  if (node.op == Op::phi) {
    for (const NodeId arg : graph.args_of_phi(id)) item(value_text(arg));
  } else if (node.op == Op::slot_in) {
    item(slot_name(graph, node.extra));
  } else if (node.op == Op::begin_unit) {
    item(fmt::format("{}", node.imm));
    if (node.aux != 0) text += " poll";
  } else {
    if (node.op == Op::call) item(fmt::format("helper{}", node.extra));
    const u32 count = graph.arg_count(id);
    for (u32 i = 0; i < count; ++i) item(value_text(node.args[i]));
    if (node.op == Op::find_page) {
      const auto low = static_cast<i64>(node.imm);
      text += fmt::format(" [{:+} to {:+}, by {}{}]", low, low + node.extra, 1u << (node.aux & 15),
                          (node.aux & 16) != 0 ? ", for writing" : "");
      return text;
    }
    if (!is_ir(node.op)) {
      text += ' ' + ir::payload_text({.op = node.op == Op::load_at ? ir::Op::load : ir::Op::store,
                                      .type = node.type,
                                      .extra = node.extra});
      return text;
    }
    item(ir::item_after(as_inst(node)));
    if (const std::string payload = ir::payload_text(as_inst(node)); !payload.empty()) text += " " + payload;
  }
  if (node.state != 0) text += state_text(graph, node.state);
  return text;
}

std::string print(const Graph& graph) {
  std::string text;
  for (const BlockId at : reverse_postorder(graph)) {
    const Block& block = graph.blocks[at];
    text += fmt::format("block {}:", at);
    const char* between = " before ";
    for (const BlockId before : block.before) {
      text += fmt::format("{}{}", between, before);
      between = ", ";
    }
    if (block.count != 0) text += fmt::format(", count {}", block.count);
    if (block.is_cold) text += ", cold";
    text += "\n";
    for (const NodeId id : block.phis) text += "  " + print_node(graph, id) + "\n";
    for (const NodeId id : block.nodes) text += "  " + print_node(graph, id) + "\n";
    text += "  " + end_text(graph, block) + "\n";
  }
  return text;
}

}  // namespace pagoda::opt
