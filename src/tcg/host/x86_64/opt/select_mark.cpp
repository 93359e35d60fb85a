// SPDX-License-Identifier: MIT
// Which nodes need a register, and of which class: the others are folded into those that use them.
#include <algorithm>

#include "tcg/host/x86_64/opt/select_work.h"

namespace pagoda::opt {
namespace {

bool is_integer_compare(Op op) { return op >= Op::eq && op <= Op::le_u; }

Condition condition_of(Op op) {
  switch (op) {
    case Op::eq:
      return Condition::eq;
    case Op::ne:
      return Condition::ne;
    case Op::lt_s:
      return Condition::lt_s;
    case Op::le_s:
      return Condition::le_s;
    case Op::lt_u:
      return Condition::lt_u;
    default:
      return Condition::le_u;
  }
}

Condition exchanged(Condition cc) {
  switch (cc) {
    case Condition::lt_s:
      return Condition::gt_s;
    case Condition::le_s:
      return Condition::ge_s;
    case Condition::gt_s:
      return Condition::lt_s;
    case Condition::ge_s:
      return Condition::le_s;
    case Condition::lt_u:
      return Condition::gt_u;
    case Condition::le_u:
      return Condition::ge_u;
    case Condition::gt_u:
      return Condition::lt_u;
    case Condition::ge_u:
      return Condition::le_u;
    default:
      return cc;
  }
}

}  // namespace

bool Selector::Work::is_clean(NodeId id) const {
  const Node& from = node(id);
  if (graph->type_of(id) == ir::Type::i1) return true;
  switch (from.op) {
    case Op::add:
    case Op::sub:
    case Op::mul:
    case Op::and_:
    case Op::or_:
    case Op::xor_:
    case Op::not_:
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rotl:
    case Op::rotr:
    case Op::clz:
    case Op::ctz:
    case Op::popcnt:
    case Op::div_s:
    case Op::div_u:
    case Op::rem_s:
    case Op::rem_u:
      return from.type == ir::Type::i32;
    case Op::load:
    case Op::load_at:
      return !ir::MemOp::unpack(from.extra).sign;
    default:
      return false;
  }
}

NodeId Selector::Work::alias(NodeId id, RegClass of) const {
  for (;;) {
    const Node& from = node(id);
    switch (from.op) {
      case Op::trunc:
        if (from.type == ir::Type::i1) return id;
        id = from.args[0];
        break;
      case Op::zext:
        if (!is_clean(from.args[0])) return id;
        id = from.args[0];
        break;
      case Op::bitcast: {
        // Registers of either class are looked for where the bits come from.
        if (class_of(from.args[0]) != of) return id;
        id = from.args[0];
        break;
      }
      default:
        return id;
    }
  }
}

std::optional<i64> Selector::Work::immediate(NodeId id, u8 size) const {
  const Node& from = node(id);
  if (from.op != Op::constant) return std::nullopt;
  if (size == 4) return static_cast<i32>(from.imm);
  if (size == 2) return static_cast<i16>(from.imm);
  if (size == 1) return static_cast<i8>(from.imm);
  const auto value = static_cast<i64>(from.imm);
  if (value != static_cast<i32>(value)) return std::nullopt;
  return value;
}

Selector::Work::Address Selector::Work::address_of(NodeId id) const {
  i64 displacement = 0;
  for (;;) {
    const Node& from = node(id);
    // An addition that is needed anyway is as good a base.
    if (from.op != Op::add || address_uses[id] != uses[id]) break;
    const std::optional<i64> more = immediate(from.args[1], 8);
    if (!more || displacement + *more != static_cast<i32>(displacement + *more)) break;
    displacement += *more;
    id = from.args[0];
  }
  return {id, displacement};
}

Selector::Work::Compare Selector::Work::compare_of(NodeId id, BlockId block) const {
  bool negated = false;
  const Node* from = &node(id);
  for (;;) {
    const bool is_not = from->block == block && from->type == ir::Type::i1 &&
                        (from->op == Op::not_ || ((from->op == Op::xor_ || from->op == Op::ne || from->op == Op::eq) &&
                                                  node(from->args[1]).op == Op::constant));
    if (!is_not) break;
    const bool one = from->op != Op::not_ && (node(from->args[1]).imm & 1) != 0;
    negated ^= from->op == Op::not_ || (from->op == Op::eq ? !one : one);
    id = from->args[0];
    from = &node(id);
  }
  Compare result;
  if (from->block == block && from->op == Op::fcmp && !negated && leaves_after[id] == 0) {
    result.is_float = true;
    result.a = from->args[0];
    result.b = from->args[1];
    result.imm = from->aux;
    result.size = type_size(from->type);
    return result;
  }
  if (from->block != block || !is_integer_compare(from->op) || from->type == ir::Type::i1) {
    result.a = id;
    result.cc = negated ? Condition::eq : Condition::ne;
    return result;
  }
  result.cc = condition_of(from->op);
  result.size = type_size(from->type);
  result.a = from->args[0];
  result.b = from->args[1];
  if (node(result.a).op == Op::constant && node(result.b).op != Op::constant) {
    std::swap(result.a, result.b);
    result.cc = exchanged(result.cc);
  }
  if (negated) {
    constexpr Condition opposite[] = {Condition::ne,   Condition::eq,   Condition::ge_s, Condition::gt_s,
                                      Condition::le_s, Condition::lt_s, Condition::ge_u, Condition::gt_u,
                                      Condition::le_u, Condition::lt_u};
    result.cc = opposite[static_cast<u8>(result.cc)];
  }
  if (const std::optional<i64> imm = immediate(result.b, result.size)) {
    result.b = 0;
    result.imm = *imm;
    const Node& tested = node(result.a);
    const bool about_zero = *imm == 0 && (result.cc == Condition::eq || result.cc == Condition::ne);
    if (about_zero && tested.op == Op::and_ && tested.block == block && uses[result.a] == 1 &&
        tested.type == from->type && !ir::is_float(tested.type)) {
      result.test = true;
      const NodeId mask = tested.args[1];
      result.a = tested.args[0];
      if (const std::optional<i64> bits = immediate(mask, result.size)) {
        result.imm = *bits;
      } else {
        result.b = mask;
      }
    }
  }
  return result;
}

std::optional<u32> Selector::Work::pinned_index(u32 slot) const {
  const u32 offset = graph->slots.slots[slot].offset;
  for (u32 i = 0; i < layout.pinned.size(); ++i) {
    if (layout.pinned[i] == offset) return i;
  }
  return std::nullopt;
}

bool Selector::Work::is_scaled(NodeId id) const {
  const Node& from = node(id);
  return from.op == Op::shl && from.type == ir::Type::i64 && uses[id] == 1 && graph->is_constant(from.args[1]) &&
         node(from.args[1]).imm >= 1 && node(from.args[1]).imm <= 3;
}

void Selector::Work::count_uses() {
  uses.assign(graph->nodes.size(), 0);
  address_uses.assign(graph->nodes.size(), 0);
  std::vector<u32> state_uses(graph->nodes.size());
  for (const Block& block : graph->blocks) {
    for (const NodeId phi : block.phis) {
      for (const NodeId arg : graph->args_of_phi(phi)) ++uses[arg];
    }
    const auto count_state = [&](StateId id) {
      if (id == 0) return;
      for (const SlotValue& each : graph->slots_of(id)) ++state_uses[each.value];
      for (const NodeId each : graph->replayed_of(id)) ++state_uses[each];
    };
    for (const NodeId id : block.nodes) {
      const Node& from = node(id);
      for (u32 i = 0; i < graph->arg_count(id); ++i) ++uses[from.args[i]];
      if (is_access(from.op)) ++address_uses[from.args[0]];
      count_state(from.state);
    }
    if (block.value != 0) ++uses[block.value];
    count_state(block.state);
  }
  leaves_after.assign(graph->nodes.size(), 0);
  for (const Block& block : graph->blocks) {
    bool leaves = false;
    for (u32 i = static_cast<u32>(block.nodes.size()); i-- > 0;) {
      leaves_after[block.nodes[i]] = leaves ? 1 : 0;
      leaves |= node(block.nodes[i]).state != 0;
    }
  }
  // What states need is there anyway.
  for (NodeId id = 1; id < uses.size(); ++id) uses[id] += state_uses[id] != 0 ? 1 : 0;
}

// Values of 64 bits that only floating point, memory and states look at live where floating point does.
void Selector::Work::find_xmm() {
  in_xmm.assign(graph->nodes.size(), 0);
  const auto is_candidate = [&](NodeId id) {
    const Node& from = node(id);
    if (from.op == Op::bitcast || from.op == Op::f32_box) return from.type == ir::Type::i64 || from.op == Op::f32_box;
    if (graph->type_of(id) != ir::Type::i64) return false;
    if (from.op == Op::load || from.op == Op::load_at) return ir::MemOp::unpack(from.extra).size_log2 == 3;
    if (from.op == Op::slot_in) return !pinned_index(from.extra).has_value();
    return from.op == Op::phi;
  };
  std::vector<u8> may(graph->nodes.size()), wanted(graph->nodes.size());
  for (NodeId id = 1; id < may.size(); ++id) may[id] = is_candidate(id) ? 1 : 0;
  const auto visit = [&](auto&& bad, auto&& good) {
    for (const Block& block : graph->blocks) {
      for (const NodeId id : block.nodes) {
        const Node& from = node(id);
        for (u32 i = 0; i < graph->arg_count(id); ++i) {
          const bool is_float_use = from.op == Op::f32_unbox || (from.op == Op::bitcast && ir::is_float(from.type));
          if (is_float_use) {
            good(from.args[i]);
          } else if (!((from.op == Op::store || from.op == Op::store_at) && i == 1)) {
            bad(from.args[i]);
          }
        }
      }
      if (block.value != 0) bad(block.value);
    }
  };
  visit([&](NodeId id) { may[id] = node(id).op == Op::bitcast || node(id).op == Op::f32_box ? may[id] : 0; },
        [&](NodeId id) { wanted[id] = 1; });
  for (bool changed = true; changed;) {
    changed = false;
    for (const Block& block : graph->blocks) {
      for (const NodeId phi : block.phis) {
        bool all = true, any = wanted[phi] != 0;
        for (const NodeId arg : graph->args_of_phi(phi)) {
          all &= may[arg] != 0 || graph->is_constant(arg);
          any |= wanted[arg] != 0 || node(arg).op == Op::bitcast || node(arg).op == Op::f32_box;
        }
        if (may[phi] != 0 && !all) may[phi] = 0, changed = true;
        if (may[phi] != 0 && any && wanted[phi] == 0) wanted[phi] = 1, changed = true;
        for (const NodeId arg : graph->args_of_phi(phi)) {
          const bool converts = node(arg).op == Op::bitcast || node(arg).op == Op::f32_box;
          if (may[phi] == 0 && may[arg] != 0 && !converts) may[arg] = 0, changed = true;
          if (may[phi] != 0 && wanted[phi] != 0 && wanted[arg] == 0) wanted[arg] = 1, changed = true;
        }
      }
    }
  }
  for (NodeId id = 1; id < may.size(); ++id) {
    const bool converts = node(id).op == Op::bitcast || node(id).op == Op::f32_box;
    in_xmm[id] = may[id] != 0 && (converts ? ir::is_float(graph->type_of(node(id).args[0])) : wanted[id] != 0) ? 1 : 0;
  }
}

void Selector::Work::need(NodeId id, RegClass of) {
  id = alias(id, of);
  if (node(id).op == Op::constant && of == RegClass::gpr) return;
  VReg& mark = vregs[static_cast<u32>(of)][id];
  if (mark != 0) return;
  mark = kNeeded;
  work.push_back({id, static_cast<u8>(of)});
}

void Selector::Work::need_compare(const Compare& compare) {
  need(compare.a, compare.is_float ? RegClass::xmm : RegClass::gpr);
  if (compare.b != 0) need(compare.b, compare.is_float ? RegClass::xmm : RegClass::gpr);
}

// What a node's instruction reads.
void Selector::Work::need_inputs(NodeId id, RegClass of) {
  const Node& from = node(id);
  const RegClass natural = class_of(id);
  if (of != natural && from.op != Op::bitcast && from.op != Op::f32_box)
    return need(id, natural);  // a move between classes
  switch (from.op) {
    case Op::phi:
      for (const NodeId arg : graph->args_of_phi(id)) need(arg, of);
      return;
    case Op::find_page:
      return need(from.args[0], RegClass::gpr);
    case Op::load_at:
      need(from.args[1], RegClass::gpr);
      [[fallthrough]];
    case Op::load:
      return need(address_of(from.args[0]).base, RegClass::gpr);
    case Op::store_at:
      need(from.args[2], RegClass::gpr);
      [[fallthrough]];
    case Op::store: {
      need(address_of(from.args[0]).base, RegClass::gpr);
      if (node(from.args[1]).op == Op::constant) return;
      const bool low_of_box = node(from.args[1]).op == Op::f32_box && ir::MemOp::unpack(from.extra).size_log2 == 2;
      return low_of_box ? need(node(from.args[1]).args[0], RegClass::xmm) : need(from.args[1]);
    }
    case Op::select:
      need_compare(compare_of(from.args[0], from.block));
      need(from.args[1]);
      return need(from.args[2]);
    case Op::trap_if:
      need_compare(compare_of(from.args[0], from.block));
      return need(from.args[1], RegClass::gpr);
    case Op::add:
      for (const NodeId arg : {from.args[0], from.args[1]}) {
        need(is_scaled(arg) && from.type == ir::Type::i64 ? node(arg).args[0] : arg, RegClass::gpr);
      }
      return;
    case Op::bitcast:
      return need(from.args[0]);
    case Op::eq:
    case Op::ne:
    case Op::lt_s:
    case Op::le_s:
    case Op::lt_u:
    case Op::le_u:
      if (from.type != ir::Type::i1) return need_compare(compare_of(id, from.block));
      break;
    default:
      break;
  }
  for (u32 i = 0; i < graph->arg_count(id); ++i) need(from.args[i]);
}

void Selector::Work::need_state(StateId id) {
  if (id == 0) return;
  const auto need_value = [&](NodeId value) {
    if (value == 0) return;
    const Node& from = node(value);
    if (from.op == Op::constant || from.op == Op::pc) return;
    if (from.op == Op::f32_box) return need(from.args[0], RegClass::xmm);
    const NodeId low = extended_on_leaving(value);
    low != 0 ? need(low, RegClass::gpr) : need(value);
  };
  for (const SlotValue& each : graph->slots_of(id)) need_value(each.value);
  for (const NodeId each : graph->replayed_of(id)) need_value(each);
}

NodeId Selector::Work::extended_on_leaving(NodeId id) const {
  const Node& from = node(id);
  const bool extends =
      from.op == Op::sext && from.type == ir::Type::i64 && graph->type_of(from.args[0]) == ir::Type::i32;
  return extends && vregs[0][id] == 0 ? from.args[0] : 0;
}

void Selector::Work::drain() {
  while (!work.empty()) {
    const auto [id, of] = work.back();
    work.pop_back();
    need_inputs(id, static_cast<RegClass>(of));
  }
}

void Selector::Work::mark() {
  for (auto& of : vregs) of.assign(graph->nodes.size(), 0);
  // States come last: what nothing else wants they make themselves of what it is made of.
  std::vector<StateId> states;
  for (const BlockId at_block : order) {
    const Block& block = graph->blocks[at_block];
    for (const NodeId id : block.nodes) {
      const Node& from = node(id);
      const u32 effects = effects_of(from.op);
      if ((effects & (ir::kMayFault | ir::kFpFlags | ir::kReadMem | ir::kWriteMem)) == 0 && from.op != Op::call)
        continue;
      if (graph->type_of(id) != ir::Type::none) {
        if (graph->type_of(id) == ir::Type::i1) {
          if (from.op == Op::fcmp && uses[id] == 1) continue;  // with its user, perhaps; which marks it if not
          need(id, RegClass::gpr);
        } else {
          need(id);
        }
      } else {
        need_inputs(id, RegClass::gpr);
      }
      states.push_back(from.state);
    }
    if (block.end == End::branch) need_compare(compare_of(block.value, at_block));
    if (block.end == End::indirect) need(block.value, RegClass::gpr);
  }
  drain();
  for (const StateId state : states) need_state(state);
  for (const BlockId at_block : order) {
    const Block& block = graph->blocks[at_block];
    if (block.state == 0) continue;  // written back by instructions
    for (const SlotValue& each : graph->slots_of(block.state)) {
      if (graph->is_constant(each.value)) continue;
      const NodeId low = extended_on_leaving(each.value);
      low != 0 ? need(low, RegClass::gpr) : need(each.value);
    }
  }
  drain();
}

}  // namespace pagoda::opt
