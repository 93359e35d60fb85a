// SPDX-License-Identifier: MIT
// Writes graphs by hand, for tests: nodes go to the end of the current block.
#pragma once

#include <initializer_list>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

class GraphMaker {
 public:
  explicit GraphMaker(ir::SlotTable slots) {
    graph.clear();
    graph.slots = slots;
    block();
  }

  // A new block becomes the current one.
  BlockId block() {
    graph.blocks.emplace_back();
    return at = static_cast<BlockId>(graph.blocks.size() - 1);
  }
  NodeId add(Node node) {
    node.block = at;
    const NodeId id = graph.add(node);
    graph.blocks[at].nodes.push_back(id);
    return id;
  }
  NodeId op(Op op, ir::Type type, NodeId a, NodeId b = 0, NodeId c = 0, u8 aux = 0) {
    return add({.op = op, .type = type, .aux = aux, .args = {a, b, c, 0}});
  }
  NodeId constant(ir::Type type, u64 value) {
    return add({.op = Op::constant, .type = type, .imm = value & ir::type_mask(type)});
  }
  NodeId slot_in(u32 slot) { return add({.op = Op::slot_in, .type = graph.slots.slots[slot].type, .extra = slot}); }
  NodeId begin_unit(u32 insns, bool poll, StateId state) {
    return add({.op = Op::begin_unit, .aux = static_cast<u8>(poll ? 1 : 0), .imm = insns, .state = state});
  }
  NodeId load(ir::Type type, NodeId address, ir::MemOp op, StateId state) {
    return add({.op = Op::load, .type = type, .args = {address, 0, 0, 0}, .extra = op.pack(), .state = state});
  }
  NodeId store(NodeId address, NodeId value, ir::MemOp op, StateId state) {
    return add({.op = Op::store,
                .type = graph.type_of(value),
                .args = {address, value, 0, 0},
                .extra = op.pack(),
                .state = state});
  }
  StateId state(i64 pc, i32 budget, std::initializer_list<SlotValue> slots,
                std::initializer_list<NodeId> replayed = {}) {
    return state(pc, budget, std::vector<SlotValue>(slots), std::vector<NodeId>(replayed));
  }
  StateId state(i64 pc, i32 budget, const std::vector<SlotValue>& slots, const std::vector<NodeId>& replayed) {
    graph.states.push_back({.pc = pc,
                            .budget = budget,
                            .first = static_cast<u32>(graph.state_values.size()),
                            .count = static_cast<u32>(slots.size()),
                            .first_replayed = static_cast<u32>(graph.replayed.size()),
                            .replayed = static_cast<u32>(replayed.size())});
    graph.state_values.insert(graph.state_values.end(), slots.begin(), slots.end());
    graph.replayed.insert(graph.replayed.end(), replayed.begin(), replayed.end());
    return static_cast<StateId>(graph.states.size() - 1);
  }

  // Arguments are set when all predecessors are known.
  NodeId phi(ir::Type type) {
    const NodeId id = graph.add({.op = Op::phi, .type = type, .block = at});
    graph.blocks[at].phis.push_back(id);
    return id;
  }
  void set_phi(NodeId id, std::initializer_list<NodeId> args) { set_phi(id, std::vector<NodeId>(args)); }
  void set_phi(NodeId id, const std::vector<NodeId>& args) {
    graph[id].imm = graph.phi_args.size();
    graph[id].extra = static_cast<u32>(args.size());
    graph.phi_args.insert(graph.phi_args.end(), args.begin(), args.end());
  }

  // Ends of the current block; predecessors are numbered in the order in which these are called.
  void jump(BlockId to) {
    graph.blocks[at].end = End::jump;
    edge(0, to);
  }
  void branch(NodeId condition, BlockId yes, BlockId no) {
    graph.blocks[at].end = End::branch;
    graph.blocks[at].value = condition;
    edge(0, yes);
    edge(1, no);
  }
  void link(u8 side, StateId state) {
    graph.blocks[at].end = End::link;
    graph.blocks[at].side = side;
    graph.blocks[at].state = state;
  }
  void indirect(NodeId pc, StateId state) {
    graph.blocks[at].end = End::indirect;
    graph.blocks[at].value = pc;
    graph.blocks[at].state = state;
  }

  Graph graph;
  BlockId at = 0;

 private:
  void edge(u32 side, BlockId to) {
    graph.blocks[at].next[side] = to;
    graph.blocks[to].before.push_back(at);
  }
};

}  // namespace pagoda::opt
