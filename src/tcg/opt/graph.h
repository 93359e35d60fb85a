// SPDX-License-Identifier: MIT
// Graph: a region as tier 2 compiles it: several blocks of IR as a control flow graph in SSA form.
//
// Guest registers are values: what a slot holds at some point is found in the states, and nowhere else. A State names,
// for one guest instruction, the value of each slot that no longer is in the frame what it was when the region was
// entered ("before" map: the instruction has not begun). Nodes that may leave the region carry one: if they leave, the
// slots of the state are written to the frame, and the budget and the pc are made to be that instruction's. An access
// that was done, but after which the region has to be left (VcpuFrame::leave), leaves by the same state, and its result
// is kept: the instruction is executed once more by tier 0 with the accesses that were done replayed (State::replayed,
// then the access itself), so no other map is needed.
//
// Nodes are numbered from 1 and stay where they are in `nodes`; blocks list them in order. A pass that removes a node
// takes it out of its block's list and redirects its uses. Values of states count as uses. Plain data; one thread.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "tcg/ir/block.h"

namespace pagoda {
struct Unit;
}

namespace pagoda::opt {

enum class Op : u16 {
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) name,
#include "tcg/ir/ops.def"
#undef OP
#define NODE(name, effects, meaning) name,
#include "tcg/opt/nodes.def"
#undef NODE
};
inline constexpr u32 kOpCount = ir::kOpCount
#define NODE(name, effects, meaning) +1
#include "tcg/opt/nodes.def"
#undef NODE
    ;
constexpr Op from_ir(ir::Op op) { return static_cast<Op>(op); }
// Only where is_ir.
constexpr ir::Op to_ir(Op op) { return static_cast<ir::Op>(op); }
constexpr bool is_ir(Op op) { return static_cast<u32>(op) < ir::kOpCount; }
const char* op_name(Op op);
// By op: ir::Effect; of a call those of a plain helper: kFpFlags at most.
inline constexpr auto kNodeEffects = [] {
  using namespace ir;
  return std::array<u16, kOpCount>{
#define OP(name, T, result, a, b, c, d, aux, effects, meaning) Op::name == Op::call ? u16{kFpFlags} : u16{effects},
#include "tcg/ir/ops.def"
#undef OP
#define NODE(name, effects, meaning) effects,
#include "tcg/opt/nodes.def"
#undef NODE
  };
}();
constexpr u32 effects_of(Op op) { return kNodeEffects[static_cast<u32>(op)]; }

using NodeId = u32;   // 0: none
using BlockId = u32;  // index into Graph::blocks
using StateId = u32;  // index into Graph::states; 0: none

struct Node {
  Op op{};
  ir::Type type = ir::Type::none;  // the op's own type, as in ir::Inst
  u8 aux = 0;
  NodeId args[4] = {};
  u32 extra = 0;
  u64 imm = 0;
  StateId state = 0;  // of what may leave
  BlockId block = 0;
};

struct SlotValue {
  u32 slot;
  NodeId value;
};
struct State {
  i64 pc = 0;      // of the instruction, from the start of the region's page
  i32 budget = 0;  // instructions to give back to the budget on leaving here: those that begin_unit took and that did
                   // not happen
  u32 first = 0, count = 0;              // in Graph::state_values: each slot once
  u32 first_replayed = 0, replayed = 0;  // in Graph::replayed: what the instruction accessed before; a store has 0
};

// How a block ends.
enum class End : u8 {
  jump,      // to next[0]
  branch,    // value (i1) ? next[0] : next[1]
  link,      // out of the region, as unit `unit` leaves by its link `side`
  indirect,  // out of the region, to the guest virtual pc `value` (i64), as unit `unit` does
};
struct Block {
  std::vector<NodeId> phis, nodes;
  std::vector<BlockId> before;  // predecessors, in the order of phi arguments
  End end = End::jump;
  NodeId value = 0;
  BlockId next[2] = {};
  // link, indirect: whose exit it is; all slots of `state` are written back.
  const Unit* unit = nullptr;
  i32 page = 0;  // virtual pages from the region's to the unit's
  u8 side = 0;
  StateId state = 0;
  bool is_cold = false;  // expected to run rarely
  // How often it ran, and how often control went from it to each of `next`, as far as is known: numbers of a small
  // sample, of which only proportions matter and which need not add up.
  u64 count = 0, went[2] = {};
  // Set by find_loops().
  u32 depth = 0;     // loops around it
  BlockId loop = 0;  // header of the innermost loop around it; itself for a header; 0: none (the entry is no header)
};

struct Graph {
  std::vector<Node> nodes;    // nodes[0] is nothing
  std::vector<Block> blocks;  // blocks[0] is the entry: slot_in nodes, then a jump to the region's first unit
  std::vector<State> states;  // states[0] is nothing
  std::vector<SlotValue> state_values;
  std::vector<NodeId> replayed;
  std::vector<NodeId> phi_args;
  ir::SlotTable slots;
  u32 guest_insns = 0;

  void clear();
  NodeId add(const Node& node) {
    nodes.push_back(node);
    return static_cast<NodeId>(nodes.size() - 1);
  }
  Node& operator[](NodeId id) { return nodes[id]; }
  const Node& operator[](NodeId id) const { return nodes[id]; }
  ir::Type type_of(NodeId id) const {
    const Node& node = nodes[id];
    if (is_ir(node.op)) return ir::result_type(to_ir(node.op), node.type);
    return node.op == Op::begin_unit || node.op == Op::store_at ? ir::Type::none : node.type;
  }
  std::span<NodeId> args_of_phi(NodeId id) { return {phi_args.data() + nodes[id].imm, nodes[id].extra}; }
  std::span<const NodeId> args_of_phi(NodeId id) const { return {phi_args.data() + nodes[id].imm, nodes[id].extra}; }
  u32 arg_count(NodeId id) const;  // of what is no phi
  std::span<SlotValue> slots_of(StateId id) { return {state_values.data() + states[id].first, states[id].count}; }
  std::span<const SlotValue> slots_of(StateId id) const {
    return {state_values.data() + states[id].first, states[id].count};
  }
  std::span<const NodeId> replayed_of(StateId id) const {
    return {replayed.data() + states[id].first_replayed, states[id].replayed};
  }
  bool is_constant(NodeId id) const { return nodes[id].op == Op::constant; }
  // A value as another one and what constants add to it, modulo 2^64.
  struct Based {
    NodeId base;
    u64 offset;
  };
  Based without_constants(NodeId id) const;
};

u32 successor_count(const Block& block);
// By which side of its predecessor of that index control comes to the block.
u32 side_of_way(const Graph& graph, BlockId to, u32 index);
// Blocks that can be reached, each before its successors but for jumps back.
std::vector<BlockId> reverse_postorder(const Graph& graph);
// By block: the block that every way to it comes by last; of the entry and of what cannot be reached, the entry.
std::vector<BlockId> dominators(const Graph& graph, std::span<const BlockId> order);
// Fills Block::depth and Block::loop. Jumps back into the middle of a loop are no loops of their own.
void find_loops(Graph& graph);
// Takes out of states the slots that have the value they had when the region was entered.
void drop_unchanged_slots(Graph& graph);
// Gives each block that ends with a branch to a block with other predecessors a block between: afterwards what belongs
// to an edge has a place.
void split_edges(Graph& graph);

}  // namespace pagoda::opt
