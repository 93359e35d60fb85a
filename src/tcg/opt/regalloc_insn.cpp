// SPDX-License-Identifier: MIT
// One instruction: what has to be where when it runs, and the moves before it that make it so.
//
// First who has to leave registers that the instruction wants for itself, then fixed uses, other uses, temps, defs:
// each finds a free register or takes that of a value that is no operand. All moves before the instruction happen at
// once.
#include <algorithm>
#include <bit>

#include "tcg/opt/regalloc_walk.h"

namespace pagoda::opt::ra {
namespace {

bool is_use(const Operand& operand) { return operand.role != Role::def && operand.role != Role::temp; }

}  // namespace

void Walk::insn(u32 index, u32 position) {
  index_ = index;
  position_ = position;
  const LirInsn& insn = code_.insns[index];
  wanted_ = wants_of(code_, insn);
  std::copy(now_.at, now_.at + kRegs, to_);
  held_ = held_before_ = now_.held;
  moved_.clear();
  copied_ = locked_ = late_copies_ = 0;
  temps_ = wanted_.temps;
  stores_.clear();
  moves_.clear();
  gather();
  clear_wanted();
  place_uses();
  if (!failed_) place_temps();
  if (!failed_) place_defs();
  if (failed_) return;
  write_moves();
  place_site();
  finish_insn();
}

// Flags of the values that the instruction uses.
void Walk::gather() {
  const LirInsn& insn = code_.insns[index_];
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (!is_use(operand)) continue;
    u8& flags = flags_[operand.reg];
    if (after_[o] == kDead) flags |= kDies;
    if (operand.role != Role::use) flags |= kLate;
    if (operand.fixed == kAnyReg) flags |= kOperand;
  }
  if (insn.site == 0) return;
  const u32 first = facts_.site_first[insn.site];
  const std::span<const VReg> site = facts_.regs_of_site(insn.site);
  for (u32 i = 0; i < site.size(); ++i) {
    flags_[site[i]] |= site_after_[first + i] == kDead ? kDies | kLate : kLate;
  }
}

// A value is to be in another register than before (kNoReg: in none).
void Walk::mark_moved(VReg reg, u32 from) {
  if ((flags_[reg] & kMoved) != 0) return;
  flags_[reg] |= kMoved;
  old_reg_[reg] = static_cast<u8>(from);
  moved_.push_back(reg);
}

// Values in registers that the instruction destroys or wants for others find another place; fixed uses get theirs.
void Walk::clear_wanted() {
  const LirInsn& insn = code_.insns[index_];
  if (wanted_.all() == 0) return;
  const u32 destroyed = wanted_.lost | wanted_.temps | wanted_.defs;
  for (const Operand& operand : code_.operands_of(insn)) {
    if (!is_use(operand) || operand.fixed == kAnyReg) continue;
    const u32 r = reg_id(of(operand.reg), operand.fixed);
    fixed_at_[r] = operand.reg;
    if (operand.role != Role::use) late_copies_ |= bit(r);
  }
  VReg displaced[kRegs];
  u32 count = 0;
  for (u32 set = held_ & wanted_.all(); set != 0; set &= set - 1) {
    const u32 r = static_cast<u32>(std::countr_zero(set));
    const VReg reg = to_[r];
    const u8 flags = flags_[reg];
    const bool stays = (flags & kDies) == 0 || (flags & kLate) != 0;
    const bool is_here = (wanted_.uses >> r & 1) != 0 && fixed_at_[r] == reg;
    // Where a temp destroys it, another operand needs it elsewhere, as does what comes later.
    const u32 lost = stays ? destroyed : (flags & kOperand) != 0 ? wanted_.temps : 0;
    if (is_here && (lost >> r & 1) == 0) {
      locked_ |= bit(r);
      continue;
    }
    // Read before the register is destroyed.
    if (!stays && (flags & kOperand) != 0 && ((wanted_.temps | wanted_.uses) >> r & 1) == 0) continue;
    mark_moved(reg, r);
    to_[r] = 0;
    held_ &= ~bit(r);
    reg_of_[reg] = kNoReg;
    if (stays || (flags & kOperand) != 0) displaced[count++] = reg;
  }
  place_fixed_uses();
  for (u32 i = 0; i < count; ++i) {
    if (reg_of_[displaced[i]] == kNoReg) place_displaced(displaced[i]);
  }
}

void Walk::place_fixed_uses() {
  const u32 destroyed = wanted_.lost | wanted_.temps | wanted_.defs;
  for (u32 set = wanted_.uses; set != 0; set &= set - 1) {
    const u32 r = static_cast<u32>(std::countr_zero(set));
    const VReg reg = fixed_at_[r];
    if (to_[r] == reg) continue;
    copied_ |= bit(r);
    const u32 from = source_of(reg);
    if (from == r) continue;
    moves_.push_back(from == kNoReg ? load(reg, r) : Step{Step::move, r, from, reg});
    if (from == kNoReg) stored_[reg] = 1;
  }
  for (u32 set = copied_; set != 0; set &= set - 1) {
    const u32 r = static_cast<u32>(std::countr_zero(set));
    const VReg reg = fixed_at_[r];
    const u8 flags = flags_[reg];
    const u32 elsewhere = reg_of_[reg];
    if (elsewhere != kNoReg) {
      // What dies with its fixed uses leaves its register before.
      const bool is_needed = (flags & kDies) == 0 || (flags & (kLate | kOperand)) != 0;
      if (is_needed || (wanted_.uses >> elsewhere & 1) != 0) continue;
      mark_moved(reg, elsewhere);
      to_[elsewhere] = 0;
      held_ &= ~bit(elsewhere);
      reg_of_[reg] = kNoReg;
    } else {
      mark_moved(reg, kNoReg);
    }
    if ((destroyed >> r & 1) != 0) continue;
    // It stays where the instruction has it.
    put(reg, r);
    copied_ &= ~bit(r);
    locked_ |= bit(r);
  }
}

// Another register if there is one, or if the instruction needs it there; else the spill slot.
void Walk::place_displaced(VReg reg) {
  const u8 flags = flags_[reg];
  const bool stays = (flags & kDies) == 0 || (flags & kLate) != 0;
  const u32 destroyed = stays ? wanted_.lost | wanted_.defs : 0;
  const u32 allowed = allocatable_ & class_mask(of(reg)) & ~destroyed & ~wanted_.temps & ~copied_ & ~wanted_.uses;
  const u32 free = allowed & ~held_;
  if ((flags & kOperand) == 0 && (free == 0 || (stored_[reg] != 0 && next_use_[reg] == kNever))) {
    u32 far = 0;
    for (u32 set = allowed & held_ & ~locked_; set != 0 && free == 0; set &= set - 1) {
      far = std::max(far, farness(to_[std::countr_zero(set)]));
    }
    if (far <= farness(reg)) {
      evict(reg);
      return;
    }
  }
  const u32 r = take(reg, allowed, hint_[reg]);
  if (r == kNone) return;
  put(reg, r);
  if ((flags & kOperand) != 0) locked_ |= bit(r);
}

void Walk::place_uses() {
  const LirInsn& insn = code_.insns[index_];
  for (u32 o = insn.first; o < insn.first + insn.operands && !failed_; ++o) {
    const Operand& operand = code_.operands[o];
    if (!is_use(operand)) continue;
    const VReg reg = operand.reg;
    const RegClass cls = of(reg);
    Place& place = code_.places[o];
    if (operand.fixed != kAnyReg) {
      place = {Place::reg, operand.fixed, 0};
      continue;
    }
    const u8 flags = flags_[reg];
    const bool stays = (flags & kDies) == 0 || (flags & kLate) != 0;
    u32 r = reg_of_[reg];
    if (r == kNoReg) {
      const u32 destroyed = stays ? wanted_.lost | wanted_.defs : 0;
      const u32 allowed = allocatable_ & class_mask(cls) & ~destroyed & ~wanted_.temps & ~wanted_.uses;
      if (operand.may_be_spilled && !is_remade(reg)) {
        const bool is_once = after_[o] == kDead || after_[o] >= position_ + kExitLength;
        if (registers_.spill_everything || is_once || (allowed & ~held_) == 0) {
          place = {Place::spill, 0, 0};
          continue;
        }
      }
      r = take(reg, allowed, hint_after_[o]);
      if (r == kNone) return;
      const u32 from = source_of(reg);
      moves_.push_back(load(reg, r));
      if (from != kNoReg) moves_.back() = {Step::move, r, from, reg};
      if (from == kNoReg) stored_[reg] = 1;
      // Not to be taken for a value that was there before.
      mark_moved(reg, kNoReg);
      put(reg, r);
    }
    locked_ |= bit(r);
    place = {Place::reg, static_cast<u8>(r % 16), 0};
  }
}

void Walk::place_temps() {
  const LirInsn& insn = code_.insns[index_];
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (operand.role != Role::temp) continue;
    u32 r = operand.fixed;
    if (operand.fixed == kAnyReg) {
      const u32 allowed = allocatable_ & class_mask(of(operand.reg)) & ~(wanted_.all() | temps_);
      end_[operand.reg] = position_;
      r = take(operand.reg, allowed, kNoReg);
      if (r == kNone) return;
      temps_ |= bit(r);
      r %= 16;
    }
    code_.places[o] = {Place::reg, static_cast<u8>(r), 0};
  }
}

void Walk::place_defs() {
  const LirInsn& insn = code_.insns[index_];
  // What dies when the instruction begins leaves its register to a def, best of all the first use.
  u32 dying = 0, first_dying = kNoReg;
  bool is_first = true;
  for (const Operand& operand : code_.operands_of(insn)) {
    if (!is_use(operand)) continue;
    const u8 flags = flags_[operand.reg];
    const u32 r = reg_of_[operand.reg];
    if ((flags & (kDies | kLate)) == kDies && r != kNoReg) {
      dying |= bit(r);
      if (is_first) first_dying = r;
    }
    is_first = false;
  }
  u32 taken = wanted_.lost | wanted_.defs | temps_ | late_copies_;
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (operand.role != Role::def) continue;
    if (operand.fixed != kAnyReg) {
      code_.places[o] = {Place::reg, operand.fixed, 0};
      continue;
    }
    if (operand.may_be_spilled && home_slot(code_, operand.reg) != 0) {  // it is there already
      code_.places[o] = {Place::spill, 0, 0};
      continue;
    }
    const u32 allowed = allocatable_ & class_mask(of(operand.reg)) & ~taken;
    const u32 free = allowed & ~(held_ & ~dying);
    if (after_[o] == kDead) end_[operand.reg] = position_;
    u32 r = kNone;
    if (free != 0) {
      const u32 hint = hint_after_[o] != kNoReg && (free >> hint_after_[o] & 1) != 0 ? hint_after_[o] : first_dying;
      r = choose(operand.reg, free, hint);
    } else if (is_remade(operand.reg)) {
      code_.places[o] = {};
      continue;
    } else if (operand.may_be_spilled && after_[o] >= position_ + kExitLength) {
      code_.places[o] = {Place::spill, 0, 0};
      needs_slot[operand.reg] = 1;
      continue;
    } else {
      r = make_room(allowed);
      if (r == kNone) {
        failed_ = true;
        return;
      }
    }
    taken |= bit(r);
    code_.places[o] = {Place::reg, static_cast<u8>(r % 16), 0};
  }
}

void Walk::write_moves() {
  for (const Step& store : stores_) events.push_back({index_, store, true});
  for (const VReg reg : moved_) {
    const u32 r = reg_of_[reg];
    if (r == kNoReg || old_reg_[reg] == kNoReg || old_reg_[reg] == r) continue;
    const bool is_there = std::ranges::any_of(moves_, [&](const Step& move) { return move.to == r; });
    if (!is_there) moves_.push_back({Step::move, r, old_reg_[reg], reg});
  }
  if (moves_.size() == 1) {
    events.push_back({index_, moves_[0], false});
    return;
  }
  if (moves_.empty()) return;
  for (const Step& move : moves_) parallel_.add(move);
  list_.clear();
  const u32 used = held_ | held_before_ | copied_ | temps_;
  const u32 spares = parallel_.put_in_order(code_, allocatable_ & ~used, static_cast<u32>(code_.vregs.size()), list_);
  spare_slots = std::max(spare_slots, spares);
  for (const Step& step : list_) events.push_back({index_, step, false});
}

void Walk::place_site() {
  const LirInsn& insn = code_.insns[index_];
  if (insn.site == 0) return;
  Site& site = code_.sites[insn.site];
  const auto place = [&](Recipe& recipe) {
    if (!recipe.has_reg()) return;
    const u32 r = reg_of_[recipe.reg];
    if (r != kNoReg) {
      recipe.place = {Place::reg, static_cast<u8>(r % 16), 0};
    } else if (is_remade(recipe.reg)) {
      const u64 imm = code_.vregs[recipe.reg].imm;
      recipe.imm = recipe.form == Recipe::sext32 ? static_cast<u64>(i64{static_cast<i32>(imm)}) : imm;
      if (recipe.form == Recipe::sext32) recipe.reg = 0;  // it is no longer that one's value
      recipe.form = Recipe::constant;
    } else {
      recipe.place = {Place::spill, 0, 0};
    }
  };
  for (SiteSlot& slot : site.slots) place(slot.recipe);
  for (Recipe& recipe : site.replayed) place(recipe);
}

// What dies goes, what is made comes.
void Walk::finish_insn() {
  const LirInsn& insn = code_.insns[index_];
  const auto finish = [&](VReg reg, u32 after) {
    flags_[reg] = 0;
    if (after != kDead) {
      next_use_[reg] = after;
    } else if (reg_of_[reg] != kNoReg) {
      to_[reg_of_[reg]] = 0;
      held_ &= ~bit(reg_of_[reg]);
      reg_of_[reg] = kNoReg;
    }
  };
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (!is_use(operand)) continue;
    finish(operand.reg, after_[o]);
    hint_[operand.reg] = hint_after_[o];
    if (operand.role == Role::use_def) stored_[operand.reg] = 0;
  }
  if (insn.site != 0) {
    const u32 first = facts_.site_first[insn.site];
    const std::span<const VReg> site = facts_.regs_of_site(insn.site);
    for (u32 i = 0; i < site.size(); ++i) finish(site[i], site_after_[first + i]);
  }
  for (const VReg reg : moved_) flags_[reg] = 0;
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (operand.role != Role::def || code_.places[o].kind != Place::reg || after_[o] == kDead) continue;
    const u32 r = reg_id(of(operand.reg), code_.places[o].reg_number);
    if (reg_of_[operand.reg] != kNoReg) {
      to_[reg_of_[operand.reg]] = 0;
      held_ &= ~bit(reg_of_[operand.reg]);
    }
    put(operand.reg, r);
    if (home(operand.reg) == kNoReg) home_[web_[operand.reg]] = static_cast<u8>(r);
    stored_[operand.reg] = is_remade(operand.reg) || home_slot(code_, operand.reg) != 0 ? 1 : 0;
    next_use_[operand.reg] = after_[o];
    hint_[operand.reg] = hint_after_[o];
  }
  std::copy(to_, to_ + kRegs, now_.at);
  now_.held = held_;
  if (registers_.spill_everything) evict_all(index_ + 1);
}

}  // namespace pagoda::opt::ra
