// SPDX-License-Identifier: MIT
// The walk over blocks, and the look at a block from its end that comes first: for each operand, where the value is
// wanted next.
#include "tcg/opt/regalloc_walk.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace pagoda::opt::ra {

Walk::Walk(LirCode& code, const Registers& registers, const Facts& facts, const Unfit& unfit)
    : entry(code.blocks.size()),
      exit(code.blocks.size()),
      needs_slot(code.vregs.size()),
      store_cost(code.vregs.size()),
      code_(code),
      registers_(registers),
      facts_(facts),
      unfit_(unfit),
      allocatable_(both(registers.allocatable)),
      random_(registers.shuffle_seed),
      home_(code.vregs.size(), kNoReg),
      reg_of_(code.vregs.size(), kNoReg),
      old_reg_(code.vregs.size(), kNoReg),
      stored_(code.vregs.size()),
      flags_(code.vregs.size()),
      live_(code.vregs.size(), kNone),
      next_use_(code.vregs.size()),
      end_(code.vregs.size()),
      hint_(code.vregs.size(), kNoReg),
      entering_(code.vregs.size(), kNone),
      distance_(code.vregs.size()),
      candidate_(code.vregs.size(), kNone),
      after_(code.operands.size()),
      hint_after_(code.operands.size()),
      site_after_(facts.site_regs.size()) {
  std::iota(rank_, rank_ + kRegs, 0);
  if (random_ != 0) {
    for (u32 i = kRegs; i-- > 1;) {
      random_ = random_ * 1664525 + 1013904223;
      std::swap(rank_[i], rank_[(random_ >> 16) % (i + 1)]);
    }
  }
  join_webs();
}

void Walk::join_webs() {
  web_.resize(code_.vregs.size());
  std::iota(web_.begin(), web_.end(), 0);
  const auto find = [&](VReg reg) {
    while (web_[reg] != reg) reg = web_[reg] = web_[web_[reg]];
    return reg;
  };
  for (const u32 b : facts_.order) {
    const LirBlock& block = code_.blocks[b];
    for (const LirPhi& phi : block.phis) {
      for (size_t i = 0; i < block.before.size(); ++i) {
        const VReg arg = code_.phi_args[phi.first + i];
        if (!is_remade(arg)) web_[find(arg)] = find(phi.reg);
      }
    }
  }
  for (VReg reg = 0; reg < web_.size(); ++reg) web_[reg] = find(reg);
}

bool Walk::run() {
  for (const u32 b : facts_.order) {
    block(b);
    if (failed_) return false;
  }
  return true;
}

void Walk::block(u32 b) {
  const LirBlock& block = code_.blocks[b];
  block_ = b;
  stamp_ = facts_.number[b];
  for (auto& wants : wants_) wants.clear();
  enter_block(b);
  note_stored();
  entry[b] = now_;
  look_ahead(b);
  look_back(b);
  for (u32 i = 0; i < block.count && !failed_; ++i) insn(block.first + i, i);
  leave_block(b);
}

// A value that lives, seen from the end.
void Walk::set_live(VReg reg, u32 position) {
  if (live_[reg] == stamp_) return;
  live_[reg] = stamp_;
  next_use_[reg] = kNever;
  end_[reg] = position;
  hint_[reg] = kNoReg;
}

void Walk::look_ahead(u32 b) {
  const LirBlock& block = code_.blocks[b];
  const auto reach = [&](VReg reg, u32 distance, u32 length) {
    set_live(reg, kNever);
    next_use_[reg] = std::min(next_use_[reg], add_distance(distance, length + block.count));
  };
  for (u32 side = 0; side < block.successors; ++side) {
    const u32 to = block.next[side];
    const LirBlock& next = code_.blocks[to];
    const u32 length = facts_.edge_length(code_, b, to);
    for (const LiveIn& live : facts_.lives_of(to)) reach(live.reg, live.distance, length);
    const bool is_back = facts_.number[to] <= facts_.number[b];
    if (is_back) {
      for (u32 reg = 0; reg < kRegs; ++reg) {
        const VReg held = entry[to].at[reg];
        if (held != 0 && live_[held] == stamp_) hint_[held] = static_cast<u8>(reg);
      }
    }
    for (u32 i = 0; i < next.before.size() && !next.phis.empty(); ++i) {
      if (next.before[i] != b) continue;
      for (u32 phi = 0; phi < next.phis.size(); ++phi) {
        const VReg arg = code_.phi_args[next.phis[phi].first + i];
        reach(arg, facts_.phi_distances[facts_.blocks[to].phi_distance + phi], length);
        if (!is_back) continue;
        for (u32 reg = 0; reg < kRegs; ++reg) {
          if (entry[to].at[reg] == next.phis[phi].reg) hint_[arg] = static_cast<u8>(reg);
        }
      }
    }
  }
}

void Walk::look_back(u32 b) {
  const LirBlock& block = code_.blocks[b];
  for (u32 i = block.count; i-- > 0;) look_at(block, i);
}

void Walk::look_at(const LirBlock& block, u32 position) {
  const LirInsn& insn = code_.insns[block.first + position];
  u8 hint = kNoReg;
  for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
    const Operand& operand = code_.operands[o];
    if (operand.fixed != kAnyReg) {
      wants_[reg_id(of(operand.reg), operand.fixed)].push_back(
          {position, operand.role == Role::temp ? 0 : operand.reg, false});
    }
    if (operand.role == Role::temp) continue;
    const bool is_live = live_[operand.reg] == stamp_;
    after_[o] = is_live ? next_use_[operand.reg] : kDead;
    hint_after_[o] = is_live ? hint_[operand.reg] : kNoReg;
    if (operand.role != Role::def) continue;
    if (hint_after_[o] == kNoReg && operand.fixed == kAnyReg) {
      const u8 home = home_[web_[operand.reg]];
      const LirCode::VRegInfo& info = code_.vregs[operand.reg];
      hint_after_[o] = home != kNoReg               ? home
                       : info.fixed_hint != kAnyReg ? static_cast<u8>(reg_id(info.of, info.fixed_hint))
                                                    : kNoReg;
      if (home != kNoReg) wants_[home].push_back({position, operand.reg, true});
    }
    hint = operand.fixed != kAnyReg ? static_cast<u8>(reg_id(of(operand.reg), operand.fixed)) : hint_after_[o];
  }
  for (u32 lost = both(insn.clobbers); lost != 0; lost &= lost - 1) {
    wants_[std::countr_zero(lost)].push_back({position, 0, false});
  }
  const std::span<const VReg> site = insn.site != 0 ? facts_.regs_of_site(insn.site) : std::span<const VReg>{};
  for (u32 i = 0; i < site.size(); ++i) {
    site_after_[facts_.site_first[insn.site] + i] = live_[site[i]] == stamp_ ? next_use_[site[i]] : kDead;
  }
  for (const Operand& operand : code_.operands_of(insn)) {
    if (operand.role == Role::def) live_[operand.reg] = kNone;
  }
  for (const VReg reg : site) set_live(reg, position);
  bool is_first = true;
  for (const Operand& operand : code_.operands_of(insn)) {
    if (operand.role == Role::def || operand.role == Role::temp) continue;
    const bool was_live = live_[operand.reg] == stamp_;
    set_live(operand.reg, position);
    next_use_[operand.reg] = position;
    if (operand.fixed != kAnyReg) {
      hint_[operand.reg] = static_cast<u8>(reg_id(of(operand.reg), operand.fixed));
    } else if (is_first && !was_live && hint != kNoReg && class_of(hint) == of(operand.reg)) {
      // The result may take its place: it had better be the one that the result would like.
      hint_[operand.reg] = hint;
    }
    is_first = false;
  }
}

void Walk::note_stored() {
  now_.stored = 0;
  for (u32 set = now_.held; set != 0; set &= set - 1) {
    const u32 reg = static_cast<u32>(std::countr_zero(set));
    if (stored_[now_.at[reg]] != 0) now_.stored |= bit(reg);
  }
}

void Walk::leave_block(u32 b) {
  note_stored();
  exit[b] = now_;
  for (const VReg held : now_.at) reg_of_[held] = kNoReg;
  now_ = {};
}

}  // namespace pagoda::opt::ra
