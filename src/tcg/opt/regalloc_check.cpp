// SPDX-License-Identifier: MIT
// Checks an allocation without knowing how it was made: which virtual registers' values each place is sure to hold, on
// all ways to it, found by following moves and instructions; then every use, recipe and constraint against that.
#include <algorithm>
#include <bit>
#include <optional>

#include <fmt/format.h>

#include "tcg/abi/vcpu_frame.h"
#include "tcg/opt/lir.h"

namespace pagoda::opt {
namespace {

// What a place is sure to hold: values of virtual registers, in rising order; a constant; of a guest register's place
// in the frame what it had when the region was entered, or what has to be there when it is left.
struct Cell {
  std::vector<VReg> regs;
  std::optional<u64> constant;
  bool is_entry = false, is_final = false;

  bool operator==(const Cell&) const = default;
  void remove(VReg reg) { std::erase(regs, reg); }
  void add(VReg reg) {
    const auto at = std::ranges::lower_bound(regs, reg);
    if (at == regs.end() || *at != reg) regs.insert(at, reg);
  }
};
using State = std::vector<Cell>;  // 16 general registers, 16 xmm, spill slots from 1

constexpr u32 kSlotCells = 32;

class Checker {
 public:
  Checker(const LirCode& code, const Registers& registers) : code_(code), registers_(registers), most_(code.spills) {
    for (VReg reg = 1; reg < code.vregs.size(); ++reg) most_ = std::max(most_, home_slot(code, reg));
    for (const Move& move : code.moves) {
      if (move.to.kind == Place::spill) most_ = std::max(most_, u32{move.to.spill_index});
    }
    for (const LirInsn& insn : code.insns) {
      if (insn.op == Lir::frame_store) most_ = std::max(most_, frame_slot(static_cast<i32>(insn.imm)));
    }
    for (const u32 offset : code.pinned_slots) pinned_.push_back(frame_slot(static_cast<i32>(offset)));
  }

  std::string check() {
    check_moves();
    if (!error_.empty()) return error_;
    find_constants();
    flow();
    reporting_ = true;
    for (u32 b = 0; b < code_.blocks.size() && error_.empty(); ++b) {
      if (!states_[b]) continue;
      State state = *states_[b];
      run(b, state);
    }
    return error_;
  }

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> text, Args&&... args) {
    if (error_.empty()) error_ = fmt::format(text, std::forward<Args>(args)...);
  }

  static u32 cell_of(RegClass of, const Place& place) {
    if (place.kind == Place::spill) return kSlotCells + place.spill_index - 1;
    return (of == RegClass::gpr ? 0 : 16) + place.reg_number;
  }

  bool is_place(RegClass of, const Place& place) const {
    if (place.kind == Place::spill) {
      const u32 slot = place.spill_index;
      return slot >= 1 && (slot <= code_.spills || (slot > kFrameTemps && slot <= most_));
    }
    return place.kind == Place::reg && place.reg_number < 16 &&
           (registers_.allocatable[static_cast<u32>(of)] >> place.reg_number & 1) != 0;
  }

  void check_moves() {
    if (code_.places.size() != code_.operands.size()) return fail("{} places", code_.places.size());
    for (size_t i = 0; i < code_.moves.size(); ++i) {
      const Move& move = code_.moves[i];
      if (move.at >= code_.insns.size() || (i > 0 && code_.moves[i - 1].at > move.at)) {
        return fail("move {}: before instruction {}", i, move.at);
      }
      if (!is_place(move.of, move.to) || (!move.is_imm && !is_place(move.of, move.from))) {
        return fail("move {}: to or from no place", i);
      }
      const bool to_reg = move.to.kind == Place::reg, from_reg = move.from.kind == Place::reg;
      if (!to_reg && move.to.spill_index > kFrameTemps) written_.push_back(move.to.spill_index);
      if (move.is_imm && to_reg && move.of != RegClass::gpr) return fail("move {}: a constant in an xmm register", i);
      if (move.is_exchange && (move.of != RegClass::gpr || !to_reg || !from_reg)) return fail("move {}: exchange", i);
    }
  }

  // Constants are believed only where their one def is an `imm` that says the same.
  void find_constants() {
    std::vector<u32> defs(code_.vregs.size());
    constants_.resize(code_.vregs.size());
    for (const LirBlock& block : code_.blocks) {
      for (const LirPhi& phi : block.phis) ++defs[phi.reg];
    }
    for (const LirInsn& insn : code_.insns) {
      for (const Operand& operand : code_.operands_of(insn)) {
        if (operand.role != Role::def && operand.role != Role::use_def) continue;
        ++defs[operand.reg];
        const LirCode::VRegInfo& info = code_.vregs[operand.reg];
        if (info.is_constant && insn.op == Lir::imm && static_cast<u64>(insn.imm) == info.imm) {
          constants_[operand.reg] = info.imm;
        }
      }
    }
    for (VReg reg = 0; reg < defs.size(); ++reg) {
      if (defs[reg] != 1) constants_[reg] = std::nullopt;
    }
  }

  bool holds(const Cell& cell, VReg reg) const {
    if (std::ranges::binary_search(cell.regs, reg)) return true;
    return constants_[reg] && cell.constant == constants_[reg];
  }

  // --- data flow
  void flow() {
    states_.resize(code_.blocks.size());
    states_[0] = State(kSlotCells + most_);
    for (u32 cell = kSlotCells + kFrameTemps; cell < states_[0]->size(); ++cell) (*states_[0])[cell].is_entry = true;
    std::vector<u32> work{0};
    while (!work.empty()) {
      const u32 b = work.back();
      work.pop_back();
      State state = *states_[b];
      run(b, state);
      for (u32 side = 0; side < code_.blocks[b].successors; ++side) {
        const u32 next = code_.blocks[b].next[side];
        if (merge(next, pass_phis(b, next, state))) work.push_back(next);
      }
    }
  }

  // Along an edge what holds an argument holds the phi; what held the phi before is old.
  State pass_phis(u32 from, u32 to, const State& state) const {
    const LirBlock& block = code_.blocks[to];
    if (block.phis.empty()) return state;
    const size_t index = static_cast<size_t>(std::ranges::find(block.before, from) - block.before.begin());
    State next = state;
    for (const LirPhi& phi : block.phis) {
      for (Cell& cell : next) cell.remove(phi.reg);
    }
    for (const LirPhi& phi : block.phis) {
      for (size_t c = 0; c < state.size(); ++c) {
        if (holds(state[c], code_.phi_args[phi.first + index])) next[c].add(phi.reg);
      }
    }
    return next;
  }

  bool merge(u32 b, const State& from) {
    std::optional<State>& to = states_[b];
    if (!to) {
      to = from;
      return true;
    }
    bool changed = false;
    for (size_t c = 0; c < from.size(); ++c) {
      Cell cell;
      for (const VReg reg : (*to)[c].regs) {
        if (holds(from[c], reg)) cell.regs.push_back(reg);
      }
      if ((*to)[c].constant) {
        if (from[c].constant == (*to)[c].constant) cell.constant = from[c].constant;
        for (const VReg reg : from[c].regs) {
          if (!cell.constant && constants_[reg] == (*to)[c].constant) cell.add(reg);
        }
      }
      cell.is_entry = (*to)[c].is_entry && from[c].is_entry;
      cell.is_final = (*to)[c].is_final && from[c].is_final;
      if (cell != (*to)[c]) {
        (*to)[c] = std::move(cell);
        changed = true;
      }
    }
    return changed;
  }

  void run(u32 b, State& state) {
    const LirBlock& block = code_.blocks[b];
    auto move = std::ranges::lower_bound(code_.moves, block.first, {}, &Move::at);
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      for (; move != code_.moves.end() && move->at == i; ++move) apply(*move, state);
      insn(i, state);
    }
  }

  static void apply(const Move& move, State& state) {
    Cell& to = state[cell_of(move.of, move.to)];
    if (move.is_imm) {
      to = {};
      to.constant = move.imm;
      return;
    }
    Cell& from = state[cell_of(move.of, move.from)];
    if (move.is_exchange) {
      std::swap(to, from);
    } else if (&to != &from) {
      to = from;
      to.is_entry = to.is_final = false;
    }
  }

  // Where a region is left, the frame has of a guest register what it should.
  void check_frame(u32 index, const State& state) {
    const LirInsn& insn = code_.insns[index];
    const bool leaves = insn.op == Lir::exit_link || insn.op == Lir::exit_indirect;
    for (const u32 slot : written_) {
      const Cell& cell = state[kSlotCells + slot - 1];
      if (insn.site != 0) {
        const bool is_named = std::ranges::any_of(code_.sites[insn.site].slots, [&](const SiteSlot& each) {
          return frame_slot(static_cast<i32>(each.offset)) == slot;
        });
        if (!is_named && !cell.is_entry) fail("instruction {}: slot {} is not what its site relies on", index, slot);
      }
      if (!leaves || cell.is_entry || cell.is_final || std::ranges::find(pinned_, slot) != pinned_.end()) continue;
      fail("instruction {}: slot {} is not what it has to be", index, slot);
    }
  }

  // --- one instruction
  void insn(u32 index, State& state) {
    const LirInsn& insn = code_.insns[index];
    if (reporting_) {
      check_places(index);
      check_values(index, state);
      check_overlaps(index);
      check_frame(index, state);
    }
    if (insn.op == Lir::frame_store) store(insn, state, code_);
    for (u32 of = 0; of < 2; ++of) {
      for (u32 lost = insn.clobbers[of] & 0xffff; lost != 0; lost &= lost - 1) {
        state[of * 16 + static_cast<u32>(std::countr_zero(lost))] = {};
      }
    }
    for (const Role role : {Role::temp, Role::use_def, Role::def}) {
      for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
        const Operand& operand = code_.operands[o];
        if (operand.role != role) continue;
        const Place& place = code_.places[o];
        if (role != Role::temp) {
          for (Cell& cell : state) cell.remove(operand.reg);
        }
        if (!is_place(code_.vregs[operand.reg].of, place)) continue;
        Cell& cell = state[cell_of(code_.vregs[operand.reg].of, place)];
        if (insn.op != Lir::in_frame) cell = {};
        if (role == Role::temp) continue;
        cell.add(operand.reg);
        const u32 home = home_slot(code_, operand.reg);
        if (home != 0 && role == Role::def) state[kSlotCells + home - 1].add(operand.reg);
        if (insn.op == Lir::imm) cell.constant = static_cast<u64>(insn.imm);
      }
    }
  }

  static void store(const LirInsn& insn, State& state, const LirCode& code) {
    const u32 slot = frame_slot(static_cast<i32>(insn.imm));
    if (slot == 0) return;
    Cell& cell = state[kSlotCells + slot - 1];
    cell = {};
    cell.is_final = true;
    if (insn.size == 8 && insn.operands != 0) cell.add(code.operands[insn.first].reg);
  }

  void check_places(u32 index) {
    const LirInsn& insn = code_.insns[index];
    for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
      const Operand& operand = code_.operands[o];
      const Place& place = code_.places[o];
      const bool is_unneeded = place.kind == Place::none && insn.op == Lir::imm && constants_[operand.reg];
      if (is_unneeded) continue;
      if (!is_place(code_.vregs[operand.reg].of, place)) fail("instruction {}: v{} has no place", index, operand.reg);
      if (place.kind == Place::spill && (!operand.may_be_spilled || operand.fixed != kAnyReg)) {
        fail("instruction {}: v{} is spilled", index, operand.reg);
      }
      if (operand.fixed != kAnyReg && place.reg_number != operand.fixed) {
        fail("instruction {}: v{} is in register {}", index, operand.reg, place.reg_number);
      }
    }
  }

  void check_values(u32 index, const State& state) {
    const LirInsn& insn = code_.insns[index];
    for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
      const Operand& operand = code_.operands[o];
      if (operand.role == Role::def || operand.role == Role::temp || !error_.empty()) continue;
      if (!holds(state[cell_of(code_.vregs[operand.reg].of, code_.places[o])], operand.reg)) {
        fail("instruction {}: operand {} is not v{}", index, o - insn.first, operand.reg);
      }
    }
    for_recipes(insn, [&](const Recipe& recipe) {
      if (recipe.form == Recipe::constant) {
        if (recipe.reg != 0 && constants_[recipe.reg] != recipe.imm)
          fail("instruction {}: constant in its site", index);
        return;
      }
      if (!is_place(recipe.of, recipe.place) || recipe.of != code_.vregs[recipe.reg].of) {
        fail("instruction {}: site has no place of v{}", index, recipe.reg);
      } else if (!holds(state[cell_of(recipe.of, recipe.place)], recipe.reg)) {
        fail("instruction {}: what its site has is not v{}", index, recipe.reg);
      }
    });
  }

  // Calls f with the recipes that name a register.
  template <typename F>
  void for_recipes(const LirInsn& insn, F f) const {
    if (insn.site == 0) return;
    const auto call = [&](const Recipe& recipe) {
      if (recipe.form != Recipe::pc) f(recipe);
    };
    for (const SiteSlot& slot : code_.sites[insn.site].slots) call(slot.recipe);
    for (const Recipe& recipe : code_.sites[insn.site].replayed) call(recipe);
  }

  // What is written while the instruction runs, or at its end, is not what it still reads.
  void check_overlaps(u32 index) {
    if (!error_.empty()) return;
    const LirInsn& insn = code_.insns[index];
    const auto is_late = [](Role role) { return role == Role::use_late || role == Role::use_def; };
    const auto is_lost = [&](u32 cell) { return cell < 32 && (insn.clobbers[cell / 16] >> cell % 16 & 1) != 0; };
    for (u32 a = insn.first; a < insn.first + insn.operands; ++a) {
      const Operand& one = code_.operands[a];
      if (code_.places[a].kind == Place::none) continue;
      const u32 cell = cell_of(code_.vregs[one.reg].of, code_.places[a]);
      if (is_late(one.role) && is_lost(cell)) {
        fail("instruction {}: operand {} is clobbered", index, a - insn.first);
      }
      for (u32 b = a + 1; b < insn.first + insn.operands; ++b) {
        const Operand& other = code_.operands[b];
        if (code_.places[b].kind == Place::none) continue;
        if (cell != cell_of(code_.vregs[other.reg].of, code_.places[b])) continue;
        if (!may_share(one, other)) fail("instruction {}: operands {} and {}", index, a - insn.first, b - insn.first);
      }
      if (one.role != Role::def && one.role != Role::temp) continue;
      for_recipes(insn, [&](const Recipe& recipe) {
        if (recipe.form == Recipe::constant) return;
        if (cell_of(recipe.of, recipe.place) == cell) fail("instruction {}: v{} of its site", index, recipe.reg);
      });
    }
    for_recipes(insn, [&](const Recipe& recipe) {
      if (recipe.form == Recipe::constant) return;
      if (is_lost(cell_of(recipe.of, recipe.place))) fail("instruction {}: v{} is clobbered", index, recipe.reg);
    });
  }

  static bool may_share(const Operand& a, const Operand& b) {
    if (a.role == Role::temp || b.role == Role::temp) {
      const Operand& other = a.role == Role::temp ? b : a;
      return other.role == Role::use && a.fixed != kAnyReg && a.fixed == b.fixed;
    }
    if (a.role == Role::def || b.role == Role::def) {
      return (a.role == Role::use || b.role == Role::use);
    }
    if (a.role == Role::use_def || b.role == Role::use_def) return a.reg == b.reg && a.role != b.role;
    return true;
  }

  const LirCode& code_;
  const Registers& registers_;
  u32 most_;                           // spill slots, homes among them
  std::vector<u32> written_, pinned_;  // slots: homes that moves write, and those of pinned registers
  std::vector<std::optional<u64>> constants_;
  std::vector<std::optional<State>> states_;
  bool reporting_ = false;
  std::string error_;
};

}  // namespace

std::string check_allocation(const LirCode& code, const Registers& registers) {
  return Checker(code, registers).check();
}

}  // namespace pagoda::opt
