// SPDX-License-Identifier: MIT
// Selection's core: blocks, sites, entry, exits; memory accesses and calls.
#include "tcg/opt/select.h"

#include <algorithm>

#include "base/check.h"
#include "tcg/host/x86_64/light/registers.h"
#include "tcg/host/x86_64/opt/select_work.h"
#include "tcg/opt/layout.h"

namespace pagoda::opt {
namespace {

// Host registers by number, and those a call of C++ does not keep (System V ABI, 3.2.1).
constexpr u8 kRax = 0, kRcx = 1, kRdx = 2;
constexpr u32 kCallClobbersGpr = 1u << kRax | 1u << kRcx | 1u << kRdx | 1u << 6 | 1u << 7 | 0xf00;
constexpr u32 kCallClobbersXmm = 0xffff;

}  // namespace

bool can_select(ir::Op op, ir::Type type, const ir::Inst& inst) {
  using ir::Op;
  using ir::Round;
  using ir::Type;
  const bool narrow = type == Type::i8 || type == Type::i16;
  switch (op) {
    case Op::clmul:
    case Op::clmulh:
    case Op::fclass:
    case Op::f16_widen:
    case Op::f16_narrow:
      return false;
    case Op::mulh_s:
    case Op::mulh_u:
    case Op::mulh_su:
      return type == Type::i64;
    case Op::shl:
    case Op::shr:
    case Op::sar:
    case Op::rotl:
    case Op::rotr:
    case Op::div_s:
    case Op::div_u:
    case Op::rem_s:
    case Op::rem_u:
    case Op::clz:
    case Op::ctz:
    case Op::popcnt:
    case Op::min_s:
    case Op::max_s:
    case Op::min_u:
    case Op::max_u:
      return !narrow;
    case Op::bswap:
      return type != Type::i8;
    case Op::select:
      return !ir::is_float(type);
    case Op::f_to_i: {
      const auto round = static_cast<Round>(inst.aux & 15);
      const bool is_signed = static_cast<ir::Sign>(inst.aux >> 4) == ir::Sign::is_signed;
      return !narrow && (round == Round::to_zero || (is_signed && round == Round::mode));
    }
    case Op::i_to_f:
      return static_cast<Round>(inst.aux & 15) == Round::mode;
    default:
      return true;
  }
}

Selector::Work::Work(const light::Layout& with) : layout(with) {}
Selector::Selector(const light::Layout& layout) : work_(std::make_unique<Work>(layout)) {}
Selector::~Selector() = default;

LirInsn& Selector::Work::emit(LirInsn insn, std::initializer_list<Operand> operands) {
  insn.first = static_cast<u32>(code->operands.size());
  insn.operands = static_cast<u8>(operands.size());
  code->operands.insert(code->operands.end(), operands);
  code->insns.push_back(insn);
  return code->insns.back();
}

VReg Selector::Work::constant(u64 value) {
  VReg& reg = constants[value];
  if (reg == 0) {
    reg = new_gpr();
    code->vregs[reg].is_constant = true;
    code->vregs[reg].imm = value;
    emit({.op = Lir::imm, .imm = static_cast<i64>(value)}, {def(reg)});
  }
  return reg;
}

VReg Selector::Work::own(NodeId id, RegClass of) {
  VReg& reg = vregs[static_cast<u32>(of)][id];
  if (reg == 0 || reg == kNeeded) {
    const u32 bytes = ir::type_bytes(graph->type_of(id));
    reg = code->new_vreg(of, of == RegClass::xmm && bytes <= 4 ? 4 : 8);
  }
  return reg;
}

VReg Selector::Work::reg(NodeId id, RegClass of) {
  id = alias(id, of);
  if (node(id).op == Op::constant) {
    const VReg value = constant(node(id).imm);
    if (of == RegClass::gpr) return value;
    const VReg moved = code->new_vreg(RegClass::xmm);
    emit({.op = Lir::gpr_to_xmm, .size = 8}, {def(moved), use(value)});
    return moved;
  }
  DCHECK(vregs[static_cast<u32>(of)][id] != 0, "node {} was not marked", id);
  return own(id, of);
}

Recipe Selector::Work::recipe(NodeId id) {
  if (id == 0) return {};
  const Node& from = node(id);
  if (from.op == Op::constant) return {.form = Recipe::constant, .imm = from.imm, .place = {}};
  if (from.op == Op::pc) return {.form = Recipe::pc, .imm = from.imm, .place = {}};
  if (from.op == Op::f32_box)
    return {.form = Recipe::box32, .of = RegClass::xmm, .reg = xmm(from.args[0]), .place = {}};
  if (const NodeId low = extended_on_leaving(id); low != 0) {
    if (!graph->is_constant(low)) return {.form = Recipe::sext32, .of = RegClass::gpr, .reg = gpr(low), .place = {}};
    return {.form = Recipe::constant, .imm = static_cast<u64>(i64{static_cast<i32>(node(low).imm)}), .place = {}};
  }
  const RegClass of = class_of(id);
  return {.form = Recipe::value, .of = of, .reg = reg(id, of), .place = {}};
}

u32 Selector::Work::site(StateId id, u32 memory_op) {
  const State& state = graph->states[id];
  Site made{.pc = state.pc, .budget = state.budget, .memory_op = memory_op, .slots = {}, .replayed = {}};
  made.slots.reserve(state.count);
  for (const SlotValue& each : graph->slots_of(id)) {
    const ir::SlotInfo& slot = graph->slots.slots[each.slot];
    made.slots.push_back({.offset = slot.offset, .bytes = type_size(slot.type), .recipe = recipe(each.value)});
  }
  for (const NodeId each : graph->replayed_of(id)) made.replayed.push_back(recipe(each));
  code->sites.push_back(std::move(made));
  return static_cast<u32>(code->sites.size() - 1);
}

void Selector::Work::emit_memory(NodeId id) {
  const Node& from = node(id);
  const bool stores = from.op == Op::store;
  const ir::MemOp op = ir::MemOp::unpack(from.extra);
  const Address address = address_of(from.args[0]);
  const VReg base = gpr(address.base);
  const PageUse page = options.pages ? pages.uses[id] : PageUse{};
  constexpr Lir kOps[2][3] = {{Lir::load, Lir::load_page, Lir::load_new_page},
                              {Lir::store, Lir::store_page, Lir::store_new_page}};
  LirInsn insn{.op = kOps[stores ? 1 : 0][page.kind],
               .size = static_cast<u8>(op.size()),
               .imm = address.displacement,
               .aux = from.extra};
  Operand value;
  if (!stores) {
    value = def(own(id, class_of(id)));
  } else if (node(from.args[1]).op == Op::f32_box && op.size_log2 == 2) {
    value = late(xmm(node(from.args[1]).args[0]));
  } else {
    value = late(reg(from.args[1]));
  }
  insn.site = site(from.state, from.extra);
  // Slow paths read the operands after the temporaries were written.
  const Operand first = stores ? late(base) : value, second = stores ? value : late(base);
  if (page.kind == PageUse::tlb) {
    emit(insn, {first, second, temp(), temp()});
    return;
  }
  insn.write = pages.is_written[page.group];
  const auto [minus, host] = page_vregs[page.group];
  emit(insn, {first, second, {minus, Role::use_def}, {host, Role::use_def}, temp()});
}

// Accesses whose page was found, and finding it.
void Selector::Work::emit_at(NodeId id) {
  const Node& from = node(id);
  if (from.op == Op::find_page) {
    emit({.op = Lir::find_page,
          .size = static_cast<u8>(1 << (from.aux & 15)),
          .write = (from.aux & 16) != 0,
          .imm = static_cast<i64>(from.imm),
          .imm2 = from.extra},
         {def(own(id, RegClass::gpr)), late(gpr(from.args[0])), temp(), temp()});
    return;
  }
  const bool stores = from.op == Op::store_at;
  const Address address = address_of(from.args[0]);
  const VReg base = gpr(address.base), page = gpr(from.args[stores ? 2 : 1]);
  LirInsn insn{.op = stores ? Lir::store_at : Lir::load_at,
               .size = static_cast<u8>(ir::MemOp::unpack(from.extra).size()),
               .imm = address.displacement,
               .aux = from.extra};
  if (!stores) {
    emit(insn, {def(own(id, class_of(id))), use(base), use(page)});
    return;
  }
  const bool low_of_box = node(from.args[1]).op == Op::f32_box && insn.size == 4;
  emit(insn, {use(low_of_box ? xmm(node(from.args[1]).args[0]) : reg(from.args[1])), use(base), use(page)});
}

void Selector::Work::emit_call(NodeId id) {
  const Node& from = node(id);
  constexpr i64 kArgs = offsetof(VcpuFrame, call_args);
  for (u32 i = 0; i < 3; ++i) {
    LirInsn store{.op = Lir::frame_store, .size = 8, .imm = kArgs + 8 * i};
    if (i >= graph->arg_count(id) || from.args[i] == 0) {
      emit(store, {});
      continue;
    }
    const NodeId arg = from.args[i];
    // What is above a narrow value does not reach the helper.
    if (ir::is_integer(graph->type_of(arg)) && ir::type_bits(graph->type_of(arg)) < 64 && !is_clean(arg) &&
        node(arg).op != Op::constant) {
      const VReg wide = new_gpr();
      emit({.op = Lir::zext, .size = type_size(graph->type_of(arg))}, {def(wide), use(gpr(arg))});
      emit(store, {use(wide)});
    } else {
      emit(store, {use(reg(arg))});
    }
  }
  LirInsn last{.op = Lir::frame_store, .size = 8, .imm = kArgs + 24};
  const auto imm = static_cast<i64>(from.imm);
  if (imm == static_cast<i32>(imm)) {
    last.imm2 = imm;
    emit(last, {});
  } else {
    emit(last, {use(constant(from.imm))});
  }
  LirInsn call{.op = Lir::helper, .imm = from.extra};
  call.clobbers[0] = kCallClobbersGpr;
  call.clobbers[1] = kCallClobbersXmm;
  const VReg result = code->new_vreg(RegClass::gpr);
  emit(call, {fixed(def(result), kRax)});
  if (graph->type_of(id) == ir::Type::none) return;
  if (ir::is_float(graph->type_of(id))) {
    emit({.op = Lir::gpr_to_xmm, .size = type_size(from.type)}, {def(own(id, RegClass::xmm)), use(result)});
  } else {
    emit({.op = Lir::move}, {def(own(id, RegClass::gpr)), use(result)});
  }
}

LirInsn Selector::Work::compare_insn(Lir op, const Compare& compare) const {
  return {.op = op, .size = compare.size, .cc = compare.cc, .test = compare.test, .imm = compare.imm};
}

void Selector::Work::emit_node(NodeId id) {
  const Node& from = node(id);
  switch (from.op) {
    case Op::constant:
    case Op::slot_in:
      return;  // where they are used, and at the entry
    case Op::begin_unit:
      emit({.op = Lir::begin_unit, .imm = static_cast<i64>(from.imm), .imm2 = from.aux, .site = site(from.state, 0)},
           {});
      return;
    case Op::load:
    case Op::store:
      return emit_memory(id);
    case Op::find_page:
    case Op::load_at:
    case Op::store_at:
      return emit_at(id);
    case Op::fence:
      if (static_cast<ir::Order>(from.aux) == ir::Order::seq_cst) emit({.op = Lir::fence}, {});
      return;
    case Op::call:
      return emit_call(id);
    case Op::trap_if: {
      const Compare compare = compare_of(from.args[0], at);
      LirInsn insn = compare_insn(Lir::trap_if, compare);
      insn.imm2 = static_cast<i64>(from.imm);
      CHECK(!compare.is_float);
      const VReg value = gpr(from.args[1]), left = gpr(compare.a);
      const VReg right = compare.b != 0 ? gpr(compare.b) : 0;
      insn.site = site(from.state, 0);
      if (right != 0) {
        emit(insn, {use(left), use(right), late(value)});
      } else {
        emit(insn, {use(left), late(value)});
      }
      return;
    }
    default:
      break;
  }
  if (vregs[0][id] == 0 && vregs[1][id] == 0) return;  // folded into what uses it, or dead
  if (!emit_integer(id) && !emit_float(id)) CHECK(false, "no selection for {}", op_name(from.op));
}

void Selector::Work::emit_entry() {
  pinned_vregs.clear();
  LirInsn enter{.op = Lir::enter, .operands = static_cast<u8>(layout.pinned.size())};
  enter.first = static_cast<u32>(code->operands.size());
  for (u32 i = 0; i < layout.pinned.size(); ++i) {
    pinned_vregs.push_back(new_gpr());
    code->operands.push_back(fixed(def(pinned_vregs[i]), static_cast<u8>(light::kPinned[i].id())));
    code->vregs[pinned_vregs[i]].fixed_hint = static_cast<u8>(light::kPinned[i].id());
  }
  code->insns.push_back(enter);
  for (const NodeId id : graph->blocks[0].nodes) {
    const Node& from = node(id);
    if (from.op != Op::slot_in) continue;
    if (const std::optional<u32> pinned = pinned_index(from.extra)) {
      vregs[0][id] = pinned_vregs[*pinned];
      continue;
    }
    const RegClass of = class_of(id);
    if (vregs[static_cast<u32>(of)][id] == 0) continue;
    const ir::SlotInfo& slot = graph->slots.slots[from.extra];
    const VReg to = own(id, of);
    if (type_size(slot.type) == 8) {
      code->vregs[to].frame_home = static_cast<i32>(slot.offset);
      if (home_slot(*code, to) != 0) {
        Operand in_frame = def(to);
        in_frame.may_be_spilled = true;
        emit({.op = Lir::in_frame}, {in_frame});
        continue;
      }
    }
    emit({.op = Lir::frame_load, .size = type_size(slot.type), .imm = slot.offset}, {def(to)});
  }
  for (const auto& [minus, host] : page_vregs) {
    emit({.op = Lir::imm, .imm = static_cast<i64>(kNoPage)}, {def(minus)});
    emit({.op = Lir::imm, .imm = 0}, {def(host)});
  }
}

// Values that come with an edge are made before it.
void Selector::Work::emit_phi_constants(const Block& block) {
  if (block.end != End::jump) return;  // others lead to blocks without phis (split_edges)
  const Block& to = graph->blocks[block.next[0]];
  if (to.phis.empty()) return;
  LirBlock& lir_to = code->blocks[place_of[block.next[0]]];
  const auto way = static_cast<u32>(std::ranges::find(to.before, at) - to.before.begin());
  u32 number = 0;
  for (const NodeId phi : to.phis) {
    for (const RegClass of : {RegClass::gpr, RegClass::xmm}) {
      if (vregs[static_cast<u32>(of)][phi] == 0) continue;
      code->phi_args[lir_to.phis[number++].first + way] = reg(graph->args_of_phi(phi)[way], of);
    }
  }
}

VReg Selector::Work::in_gpr(NodeId id) {
  if (node(id).op == Op::constant || class_of(id) == RegClass::gpr) return gpr(id);
  const VReg moved = new_gpr();
  emit({.op = Lir::xmm_to_gpr, .size = type_size(graph->type_of(id))}, {def(moved), use(xmm(id))});
  return moved;
}

void Selector::Work::emit_exit(const Block& block) {
  const bool indirect = block.end == End::indirect;
  std::vector<Operand> operands;
  // What the frame has of the entry's values goes away here where the slot is another's, and they may be there alone.
  const auto is_written = [&](i32 offset) {
    return std::ranges::any_of(graph->slots_of(block.state), [&](const SlotValue& each) {
      return static_cast<i32>(graph->slots.slots[each.slot].offset) == offset && !pinned_index(each.slot);
    });
  };
  const auto leaving = [&](NodeId id, bool in_general) {
    const NodeId low = extended_on_leaving(id);
    if (low == 0) return in_general ? in_gpr(id) : reg(id);
    const VReg extended = new_gpr();
    emit({.op = Lir::sext, .size = 4, .size2 = 8}, {def(extended), use(gpr(low))});
    return extended;
  };
  const auto safe = [&](VReg value) {
    if (code->vregs[value].frame_home < 0 || !is_written(code->vregs[value].frame_home)) return value;
    const VReg moved = code->new_vreg(code->vregs[value].of, code->vregs[value].bytes);
    emit({.op = Lir::move}, {def(moved), use(value)});
    return moved;
  };
  if (indirect) operands.push_back(fixed(late(safe(gpr(block.value))), kRax));
  std::vector<VReg> pinned = pinned_vregs;
  std::vector<std::pair<const ir::SlotInfo*, VReg>> stores;
  for (const SlotValue& each : graph->slots_of(block.state)) {
    const ir::SlotInfo& slot = graph->slots.slots[each.slot];
    if (const std::optional<u32> index = pinned_index(each.slot)) {
      pinned[*index] = safe(leaving(each.value, true));
    } else if (!immediate(each.value, 8)) {
      stores.push_back({&slot, safe(leaving(each.value, false))});
    }
  }
  for (const auto& [slot, value] : stores) {
    emit({.op = Lir::frame_store, .size = type_size(slot->type), .imm = slot->offset},
         {use(value, type_size(slot->type) == 8)});
  }
  for (const SlotValue& each : graph->slots_of(block.state)) {
    const ir::SlotInfo& slot = graph->slots.slots[each.slot];
    const std::optional<i64> imm = immediate(each.value, 8);
    if (!imm || pinned_index(each.slot)) continue;
    emit({.op = Lir::frame_store, .size = type_size(slot.type), .imm = slot.offset, .imm2 = *imm}, {});
  }
  for (u32 i = 0; i < layout.pinned.size(); ++i) {
    operands.push_back(fixed(late(pinned[i]), static_cast<u8>(light::kPinned[i].id())));
  }
  LirInsn insn{.op = indirect ? Lir::exit_indirect : Lir::exit_link,
               .side = block.side,
               .operands = static_cast<u8>(operands.size()),
               .first = static_cast<u32>(code->operands.size()),
               .imm = indirect ? -1 : i64{block.page} * 4096,
               .unit = block.unit};
  code->operands.insert(code->operands.end(), operands.begin(), operands.end());
  code->insns.push_back(insn);
}

void Selector::Work::emit_end(const Block& block) {
  switch (block.end) {
    case End::jump:
      emit({.op = Lir::jump}, {});
      return;
    case End::branch: {
      const Compare compare = compare_of(block.value, at);
      if (compare.is_float) {
        emit({.op = Lir::fbranch, .size = compare.size, .imm = compare.imm},
             {use(xmm(compare.a)), use(xmm(compare.b))});
      } else if (compare.b != 0) {
        const VReg left = gpr(compare.a), right = gpr(compare.b);
        emit(compare_insn(Lir::branch, compare), {use(left, true), use(right, true)});
      } else {
        emit(compare_insn(Lir::branch, compare), {use(gpr(compare.a), true)});
      }
      return;
    }
    case End::link:
    case End::indirect:
      return emit_exit(block);
  }
}

void Selector::select(const Graph& graph, const SelectOptions& options, LirCode& code) {
  Work& w = *work_;
  w.graph = &graph;
  w.code = &code;
  w.options = options;
  code.clear();
  w.order = lay_out(graph);
  w.place_of.assign(graph.blocks.size(), 0);
  for (u32 i = 0; i < w.order.size(); ++i) w.place_of[w.order[i]] = i;
  w.count_uses();
  w.find_xmm();
  w.mark();
  plan_pages(graph, w.pages);
  w.page_vregs.clear();
  for (u32 i = 0; options.pages && i < w.pages.is_written.size(); ++i)
    w.page_vregs.push_back({w.new_gpr(), w.new_gpr()});
  code.blocks.resize(w.order.size());
  const bool counted = has_counts(graph);
  for (u32 i = 0; i < w.order.size(); ++i) {
    const Block& from = graph.blocks[w.order[i]];
    LirBlock& to = code.blocks[i];
    to.depth = from.depth;
    to.seen = from.count;
    to.is_cold = from.end == End::link || is_seldom(graph, w.order[i], counted);
    for (const BlockId before : from.before) to.before.push_back(w.place_of[before]);
    to.successors = successor_count(from);
    for (u32 side = 0; side < to.successors; ++side) to.next[side] = w.place_of[from.next[side]];
    for (const NodeId phi : from.phis) {
      for (const RegClass of : {RegClass::gpr, RegClass::xmm}) {
        if (w.vregs[static_cast<u32>(of)][phi] == 0) continue;
        to.phis.push_back({w.own(phi, of), static_cast<u32>(code.phi_args.size())});
        code.phi_args.resize(code.phi_args.size() + from.before.size());
      }
    }
  }
  for (u32 i = 0; i < w.order.size(); ++i) {
    w.at = w.order[i];
    w.constants.clear();
    const Block& block = graph.blocks[w.at];
    code.blocks[i].first = static_cast<u32>(code.insns.size());
    if (w.at == 0) w.emit_entry();
    for (const NodeId id : block.nodes) w.emit_node(id);
    w.emit_phi_constants(block);
    w.emit_end(block);
    code.blocks[i].count = static_cast<u32>(code.insns.size()) - code.blocks[i].first;
  }
  // What the region's first instruction stores is there.
  for (u32 i = 0; i < w.pinned_vregs.size(); ++i) {
    const u32 offset = w.layout.pinned[i];
    code.pinned_slots.push_back(offset);
    if (!is_named_everywhere(code, offset)) code.vregs[w.pinned_vregs[i]].frame_home = static_cast<i32>(offset);
  }
}

}  // namespace pagoda::opt
