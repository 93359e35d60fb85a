// SPDX-License-Identifier: MIT
// Graph construction: one pass over the plan's parts in the order in which control reaches them.
#include "tcg/opt/build.h"

#include <algorithm>

#include "base/check.h"
#include "tcg/opt/select.h"

namespace pagoda::opt {
namespace {

bool has_node(const ir::Block& block, const ir::Inst& inst, HelperTable helpers) {
  using ir::Op;
  using ir::Type;
  const auto is_scalar = [](Type type) { return type <= Type::i64 || ir::is_float(type); };
  if (!is_scalar(inst.type) || !is_scalar(ir::result_type(inst.op, inst.type))) return false;
  for (const ir::ValueId value : inst.args) {
    if (value != ir::kNoValue && !is_scalar(block.type_of(value))) return false;
  }
  if (!can_select(inst.op, inst.type, inst)) return false;
  switch (inst.op) {
    case Op::call:
      return (helpers.helpers[inst.extra].effects & ~u32{ir::kFpFlags}) == 0;
    case Op::load:
    case Op::store: {
      const ir::MemOp op = ir::MemOp::unpack(inst.extra);
      return op.mode == 0 && !op.big_endian && op.order != ir::Order::seq_cst && op.size_log2 <= 3;
    }
    case Op::atomic_rmw:
    case Op::atomic_cas:
    case Op::store_cond:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool can_build(const ir::Block& block, HelperTable helpers) {
  if (block.terminal.kind == ir::Terminal::Kind::exit || block.restartable) return false;
  return std::ranges::all_of(block.insts, [&](const ir::Inst& inst) { return has_node(block, inst, helpers); });
}

struct GraphBuilder::Work {
  Work(ir::SlotTable table, HelperTable with) : slots(table), helpers(with) {}

  ir::SlotTable slots;
  HelperTable helpers;
  Graph* graph = nullptr;
  const RegionPlan* plan = nullptr;
  std::vector<NodeId> slot_in;  // by slot
  std::vector<u8> is_written;   // by slot: somewhere in the region
  std::vector<NodeId> known;    // by block and slot: at the block's end so far
  struct Pending {
    u32 slot;
    NodeId phi;
  };
  struct Making {
    bool sealed = false;           // all predecessors are known
    std::vector<Pending> pending;  // phis without arguments yet
  };
  std::vector<Making> making;     // by block
  std::vector<BlockId> block_of;  // by part
  std::vector<NodeId> value_of;   // by IR value of the part being built
  std::vector<SlotValue> now;     // what the slots that are written anywhere hold, in that part
  std::vector<u32> place_in_now;  // by slot
  std::vector<NodeId> same_as;    // by node: what a phi turned out to be

  NodeId& last(BlockId block, u32 slot) { return known[block * slots.count + slot]; }
  NodeId found(NodeId id) {
    while (same_as[id] != 0) id = same_as[id];
    return id;
  }
  NodeId add(BlockId block, Node node) {
    node.block = block;
    const NodeId id = graph->add(node);
    same_as.resize(graph->nodes.size());
    (node.op == Op::phi ? graph->blocks[block].phis : graph->blocks[block].nodes).push_back(id);
    return id;
  }
  BlockId new_block() {
    graph->blocks.emplace_back();
    making.emplace_back();
    known.resize(graph->blocks.size() * slots.count);
    return static_cast<BlockId>(graph->blocks.size() - 1);
  }
  void edge(BlockId from, u32 side, BlockId to) {
    graph->blocks[from].next[side] = to;
    graph->blocks[to].before.push_back(from);
  }

  NodeId entry_value(u32 slot) {
    if (slot_in[slot] == 0)
      slot_in[slot] = add(0, {.op = Op::slot_in, .type = slots.slots[slot].type, .args = {}, .extra = slot});
    return slot_in[slot];
  }
  NodeId new_phi(BlockId block, u32 slot) {
    return add(block, {.op = Op::phi, .type = slots.slots[slot].type, .args = {}});
  }
  NodeId read(BlockId block, u32 slot) {
    if (is_written[slot] == 0) return entry_value(slot);
    if (last(block, slot) != 0) return found(last(block, slot));
    NodeId value;
    if (block == 0) {
      value = entry_value(slot);
    } else if (!making[block].sealed) {
      value = new_phi(block, slot);
      making[block].pending.push_back({slot, value});
    } else if (graph->blocks[block].before.size() == 1) {
      value = read(graph->blocks[block].before[0], slot);
    } else {
      value = new_phi(block, slot);
      last(block, slot) = value;  // ends the search where it comes round
      value = fill(block, slot, value);
    }
    last(block, slot) = value;
    return value;
  }
  // Gives a phi its arguments; what it is then, if it is not needed.
  NodeId fill(BlockId block, u32 slot, NodeId phi) {
    std::vector<NodeId> args;
    for (const BlockId before : graph->blocks[block].before) args.push_back(read(before, slot));
    NodeId same = 0;
    bool is_needed = false;
    for (NodeId& arg : args) {
      arg = found(arg);
      if (arg == phi || arg == same) continue;
      is_needed |= same != 0;
      same = arg;
    }
    Node& node = (*graph)[phi];
    node.imm = graph->phi_args.size();
    node.extra = static_cast<u32>(args.size());
    graph->phi_args.insert(graph->phi_args.end(), args.begin(), args.end());
    if (is_needed || same == 0) return phi;
    same_as[phi] = same;
    return same;
  }
  void seal(BlockId block) {
    making[block].sealed = true;
    // Filling may read, and so add, others: of other blocks only.
    for (const Pending& each : std::vector(std::move(making[block].pending))) fill(block, each.slot, each.phi);
  }

  void begin_part(BlockId block) {
    for (SlotValue& each : now) each.value = read(block, each.slot);
  }
  // Where the part is by now.
  StateId state_at(i64 pc, i32 budget, std::span<const NodeId> replayed = {}) {
    State state{.pc = pc, .budget = budget};
    state.first = static_cast<u32>(graph->state_values.size());
    for (const SlotValue& each : now) {
      const Node& node = (*graph)[each.value];
      if (node.op != Op::slot_in || node.extra != each.slot) graph->state_values.push_back(each);
    }
    state.count = static_cast<u32>(graph->state_values.size()) - state.first;
    state.first_replayed = static_cast<u32>(graph->replayed.size());
    state.replayed = static_cast<u32>(replayed.size());
    graph->replayed.insert(graph->replayed.end(), replayed.begin(), replayed.end());
    graph->states.push_back(state);
    return static_cast<StateId>(graph->states.size() - 1);
  }

  void add_part(u32 index);
  void end_part(u32 index, BlockId block);
  void leave(BlockId from, u32 side, u32 part, u32 exit, i64 pc);
  void leave_indirect(BlockId block, u32 part, NodeId target);
  void find_polls(u32 from, std::vector<u8>& seen, std::vector<u8>& polls) const;
  void finish();
};

GraphBuilder::GraphBuilder(ir::SlotTable slots, HelperTable helpers) : work_(std::make_unique<Work>(slots, helpers)) {}
GraphBuilder::~GraphBuilder() = default;

// Depth first: what leads to a part on the way to itself closes a way round, so that each way round has a poll.
void GraphBuilder::Work::find_polls(u32 from, std::vector<u8>& seen, std::vector<u8>& polls) const {
  seen[from] = 1;
  for (const i32 next : plan->parts[from].next) {
    if (next < 0) continue;
    const auto to = static_cast<u32>(next);
    if (seen[to] == 1) polls[to] = 1;
    if (seen[to] == 0) find_polls(to, seen, polls);
  }
  seen[from] = 2;
}

// The way out by one of the unit's links.
void GraphBuilder::Work::leave(BlockId from, u32 side, u32 part, u32 exit, i64 pc) {
  const BlockId out = new_block();
  edge(from, side, out);
  making[out].sealed = true;
  const StateId state = state_at(pc, 0);
  Block& block = graph->blocks[out];
  block.end = End::link;
  block.unit = plan->parts[part].unit;
  block.page = plan->parts[part].page;
  block.side = static_cast<u8>(exit);
  block.state = state;
  block.count = plan->parts[part].count[exit];
}

void GraphBuilder::Work::leave_indirect(BlockId from, u32 part, NodeId target) {
  const StateId state = state_at(0, 0);
  Block& block = graph->blocks[from];
  block.end = End::indirect;
  block.value = target;
  block.unit = plan->parts[part].unit;
  block.page = plan->parts[part].page;
  block.state = state;
}

void GraphBuilder::Work::end_part(u32 index, BlockId at) {
  using Kind = ir::Terminal::Kind;
  const Part& part = plan->parts[index];
  const ir::Terminal& terminal = part.block->terminal;
  const i64 start = offset_of(part);
  const auto go = [&](BlockId from, u32 side, u32 exit, i64 offset) {
    const i32 next = part.next[exit];
    graph->blocks[from].went[side] = part.count[exit];
    if (next < 0) return leave(from, side, index, exit, start + offset);
    edge(from, side, block_of[static_cast<u32>(next)]);
  };
  switch (terminal.kind) {
    case Kind::jump:
      graph->blocks[at].end = End::jump;
      return go(at, 0, 0, terminal.taken);
    case Kind::branch:
      graph->blocks[at].end = End::branch;
      graph->blocks[at].value = found(value_of[terminal.value]);
      go(at, 0, 0, terminal.taken);
      return go(at, 1, 1, terminal.not_taken);
    case Kind::jump_indirect: {
      const NodeId target = found(value_of[terminal.value]);
      if (part.next[0] < 0) return leave_indirect(at, index, target);
      const auto to = static_cast<u32>(part.next[0]);
      const NodeId expected = add(
          at, {.op = Op::pc, .type = ir::Type::i64, .args = {}, .imm = static_cast<u64>(offset_of(plan->parts[to]))});
      const NodeId is_expected = add(at, {.op = Op::eq, .type = ir::Type::i64, .args = {target, expected}});
      graph->blocks[at].end = End::branch;
      graph->blocks[at].value = is_expected;
      edge(at, 0, block_of[to]);
      const BlockId other = new_block();
      edge(at, 1, other);
      making[other].sealed = true;
      graph->blocks[other].count = part.count[1];
      for (const u32 side : {0, 1}) graph->blocks[at].went[side] = part.count[side];
      return leave_indirect(other, index, target);
    }
    case Kind::none:
    case Kind::exit:
      break;
  }
  CHECK(false);
}

void GraphBuilder::Work::add_part(u32 index) {
  const Part& part = plan->parts[index];
  const BlockId at = block_of[index];
  const ir::Block& from = *part.block;
  const i64 start = offset_of(part);
  const auto insns = static_cast<i32>(from.guest_insns);
  value_of.assign(from.insts.size(), 0);
  std::vector<NodeId> accesses;  // of the instruction
  i64 pc = start;
  i32 insn = -1;
  for (u32 i = 0; i < from.insts.size(); ++i) {
    const ir::Inst& inst = from.insts[i];
    const auto arg = [&](u32 number) { return found(value_of[inst.args[number]]); };
    switch (inst.op) {
      case ir::Op::insn:
        ++insn;
        pc = start + static_cast<i64>(inst.imm);
        accesses.clear();
        continue;
      case ir::Op::get_slot:
        value_of[i] = is_written[inst.extra] != 0 ? now[place_in_now[inst.extra]].value : entry_value(inst.extra);
        continue;
      case ir::Op::put_slot:
        now[place_in_now[inst.extra]].value = last(at, inst.extra) = arg(0);
        continue;
      case ir::Op::pc:
        value_of[i] =
            add(at, {.op = Op::pc, .type = ir::Type::i64, .args = {}, .imm = inst.imm + static_cast<u64>(start)});
        continue;
      default:
        break;
    }
    Node node{
        .op = from_ir(inst.op), .type = inst.type, .aux = inst.aux, .args = {}, .extra = inst.extra, .imm = inst.imm};
    for (u32 k = 0; k < 4; ++k) node.args[k] = inst.args[k] == ir::kNoValue ? 0 : arg(k);
    const u32 effects = effects_of(node.op);
    if ((effects & ir::kMayFault) != 0) node.state = state_at(pc, insns - insn, accesses);
    value_of[i] = add(at, node);
    if ((effects & ir::kMayFault) != 0 && (effects & (ir::kReadMem | ir::kWriteMem)) != 0)
      accesses.push_back(inst.op == ir::Op::store ? 0 : value_of[i]);
  }
  end_part(index, at);
}

// Replaces phis that are none, and forgets them.
void GraphBuilder::Work::finish() {
  Graph& g = *graph;
  for (Node& node : g.nodes) {
    for (NodeId& arg : node.args) arg = found(arg);
  }
  for (NodeId& arg : g.phi_args) arg = found(arg);
  for (SlotValue& each : g.state_values) each.value = found(each.value);
  for (NodeId& each : g.replayed) each = found(each);
  for (Block& block : g.blocks) {
    block.value = found(block.value);
    std::erase_if(block.phis, [&](NodeId phi) { return same_as[phi] != 0; });
  }
}

void GraphBuilder::build(const RegionPlan& plan, Graph& graph) {
  Work& w = *work_;
  graph.clear();
  graph.slots = w.slots;
  graph.guest_insns = plan.guest_insns();
  w.graph = &graph;
  w.plan = &plan;
  w.slot_in.assign(w.slots.count, 0);
  w.is_written.assign(w.slots.count, 0);
  w.known.clear();
  w.making.clear();
  w.same_as.assign(1, 0);
  for (const Part& part : plan.parts) {
    for (const ir::Inst& inst : part.block->insts) {
      if (inst.op == ir::Op::put_slot) w.is_written[inst.extra] = 1;
    }
  }
  w.now.clear();
  w.place_in_now.assign(w.slots.count, 0);
  for (u32 slot = 0; slot < w.slots.count; ++slot) {
    if (w.is_written[slot] == 0) continue;
    w.place_in_now[slot] = static_cast<u32>(w.now.size());
    w.now.push_back({slot, 0});
  }
  std::vector<u8> seen(plan.parts.size()), polls(plan.parts.size());
  polls[0] = 1;
  w.find_polls(0, seen, polls);
  w.new_block();  // the entry
  w.making[0].sealed = true;
  w.block_of.clear();
  std::vector<u32> to_come(plan.parts.size());  // edges
  to_come[0] = 1;
  for (const Part& part : plan.parts) {
    w.block_of.push_back(w.new_block());
    for (const i32 next : part.next) {
      if (next >= 0) ++to_come[static_cast<u32>(next)];
    }
  }
  graph.blocks[0].end = End::jump;
  w.edge(0, 0, w.block_of[0]);
  // In the order of the plan; a block is sealed when the last of its predecessors has its end.
  const auto seal_ready = [&] {
    for (u32 i = 0; i < plan.parts.size(); ++i) {
      const BlockId block = w.block_of[i];
      if (!w.making[block].sealed && graph.blocks[block].before.size() == to_come[i]) w.seal(block);
    }
  };
  for (u32 i = 0; i < plan.parts.size(); ++i) {
    seal_ready();
    const BlockId at = w.block_of[i];
    graph.blocks[at].count = plan.parts[i].count[0] + plan.parts[i].count[1];
    w.begin_part(at);
    const StateId state = w.state_at(offset_of(plan.parts[i]), 0);
    w.add(at,
          {.op = Op::begin_unit, .aux = polls[i], .args = {}, .imm = plan.parts[i].block->guest_insns, .state = state});
    w.add_part(i);
  }
  seal_ready();
  // It is entered as often as it is left.
  for (const Block& block : graph.blocks)
    graph.blocks[0].count += block.end == End::jump || block.end == End::branch ? 0 : block.count;
  graph.blocks[0].count = graph.blocks[0].went[0] = std::max<u64>(graph.blocks[0].count, 1);
  w.finish();
  drop_unchanged_slots(graph);
  split_edges(graph);
  find_loops(graph);
}

}  // namespace pagoda::opt
