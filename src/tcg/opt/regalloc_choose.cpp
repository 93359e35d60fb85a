// SPDX-License-Identifier: MIT
// Which register a value gets, and which value leaves when there is none.
#include <algorithm>
#include <bit>

#include "tcg/opt/regalloc_walk.h"

namespace pagoda::opt::ra {
namespace {

// What a choice saves or costs, in moves and parts of them.
constexpr i32 kHint = 12;       // the next use wants it there
constexpr i32 kHome = 8;        // no move at the loop's end
constexpr i32 kWanted = 20;     // an instruction will want the register while the value lives
constexpr i32 kWished = 6;      // another value would like it
constexpr i32 kLostInLoop = 7;  // an instruction of the loop wants it, in another block

}  // namespace

u32 Walk::choose(VReg reg, u32 allowed, u32 hint) {
  const u32 end = end_[reg];
  const bool lives_on = end == kNever;
  const u32 lost = facts_.loops[facts_.blocks[block_].loop].lost;
  const u32 own = home(reg);
  u32 best = kNone;
  i32 most = 0;
  for (u32 n = 0; n < kRegs; ++n) {
    // What lives long takes registers from the end, away from what instructions want.
    const u32 r = rank_[lives_on && random_ == 0 ? kRegs - 1 - n : n];
    if ((allowed & bit(r)) == 0) continue;
    i32 score = 0;
    std::vector<Want>& wants = wants_[r];
    while (!wants.empty() && wants.back().at <= position_) wants.pop_back();
    if (!wants.empty() && wants.back().at < end && wants.back().reg != reg) {
      const Want& want = wants.back();
      if (!want.is_wish) score -= kWanted;
      if (want.is_wish && web_[want.reg] != web_[reg]) score -= kWished;
    } else if (lives_on && (lost & bit(r)) != 0) {
      score -= kLostInLoop;
    }
    if (r == hint) score += kHint;
    if (r == own) score += kHome;
    if (random_ != 0) {
      random_ = random_ * 1664525 + 1013904223;
      if (random_ >> 30 == 0) score += 2 * kWanted;
    }
    if (best == kNone || score > most) {
      best = r;
      most = score;
    }
  }
  return best;
}

// How far the value's next use is, as far as it makes a difference to who leaves.
u32 Walk::farness(VReg reg) const {
  const u32 distance = next_use_[reg] > position_ ? next_use_[reg] - position_ : 0;
  if (is_remade(reg)) return add_distance(2 * distance, 16);
  return stored_[reg] != 0 ? add_distance(distance, distance / 4) : distance;
}

// Gives the register of the value, among those allowed, whose next use is farthest. kNone: all are operands.
u32 Walk::make_room(u32 allowed) {
  u32 best = kNone, farthest = 0;
  for (u32 set = allowed & held_ & ~locked_ & ~copied_; set != 0; set &= set - 1) {
    const u32 r = static_cast<u32>(std::countr_zero(set));
    const u32 far = farness(to_[r]);
    if (best == kNone || far > farthest) {
      best = r;
      farthest = far;
    }
  }
  if (best != kNone) evict(to_[best]);
  return best;
}

u32 Walk::take(VReg reg, u32 allowed, u32 hint) {
  const u32 free = allowed & ~held_ & ~copied_ & ~temps_;
  const u32 r = free != 0 ? choose(reg, free, hint) : make_room(allowed);
  if (r == kNone) failed_ = true;
  return r;
}

void Walk::put(VReg reg, u32 r) {
  to_[r] = reg;
  held_ |= bit(r);
  reg_of_[reg] = static_cast<u8>(r);
}

// The register the value is in before the moves of the current instruction.
u32 Walk::source_of(VReg reg) const { return (flags_[reg] & kMoved) != 0 ? old_reg_[reg] : reg_of_[reg]; }

Step Walk::load(VReg reg, u32 to) const {
  if (is_remade(reg)) return {Step::constant, to, 0, reg};
  return {Step::move, to, kSlots + reg, reg};
}

void Walk::evict(VReg reg) {
  const u32 from = source_of(reg);
  if (stored_[reg] == 0 && !is_remade(reg)) {
    stores_.push_back({Step::move, kSlots + reg, from, reg});
    note_store(reg, block_);
  }
  if (reg_of_[reg] != kNoReg) {
    to_[reg_of_[reg]] = 0;
    held_ &= ~bit(reg_of_[reg]);
  }
  reg_of_[reg] = kNoReg;
}

void Walk::evict_all(u32 at) {
  for (u32 r = 0; r < kRegs; ++r) {
    const VReg reg = now_.at[r];
    if (reg == 0) continue;
    if (stored_[reg] == 0 && !is_remade(reg)) {
      events.push_back({at, {Step::move, kSlots + reg, r, reg}, true});
      note_store(reg, block_);
    }
    reg_of_[reg] = kNoReg;
    now_.at[r] = 0;
  }
  now_.held = 0;
}

}  // namespace pagoda::opt::ra
