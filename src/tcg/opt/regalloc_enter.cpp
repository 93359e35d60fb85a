// SPDX-License-Identifier: MIT
// What a block begins with in registers, and in which.
#include <algorithm>
#include <bit>

#include "tcg/opt/regalloc_walk.h"

namespace pagoda::opt::ra {

void Walk::enter_block(u32 b) {
  const LirBlock& block = code_.blocks[b];
  for (const LiveIn& live : facts_.lives_of(b)) {
    entering_[live.reg] = stamp_;
    distance_[live.reg] = live.distance;
  }
  now_ = {};
  if (registers_.spill_everything) return;
  if (block.before.size() == 1 && block.phis.empty()) {
    enter_from(block.before[0]);
    return;
  }
  candidates_.clear();
  collect(b);
  u64 total = 0;
  for (const u32 before : block.before) {
    if (facts_.number[before] < stamp_) total += std::min(facts_.blocks[before].frequency, facts_.blocks[b].frequency);
  }
  chosen_.clear();
  keep_nearest(b, RegClass::gpr, total);
  keep_nearest(b, RegClass::xmm, total);
  assign(b);
  for (const Candidate& candidate : candidates_) candidate_[candidate.reg] = kNone;
}

void Walk::enter_from(u32 before) {
  const Held& held = exit[before];
  for (u32 set = held.held; set != 0; set &= set - 1) {
    const u32 r = static_cast<u32>(std::countr_zero(set));
    const VReg reg = held.at[r];
    if (entering_[reg] != stamp_) continue;
    now_.at[r] = reg;
    now_.held |= bit(r);
    reg_of_[reg] = static_cast<u8>(r);
    stored_[reg] = (held.stored >> r & 1) != 0;
  }
}

Walk::Candidate& Walk::candidate(VReg reg, u32 distance) {
  if (candidate_[reg] == kNone) {
    candidate_[reg] = static_cast<u32>(candidates_.size());
    // A constant is cheaper to have again than another value.
    candidates_.push_back({.reg = reg, .key = is_remade(reg) ? add_distance(2 * distance, 16) : distance});
  }
  return candidates_[candidate_[reg]];
}

// Values that come in registers, phis, and at a loop's header all that the loop uses.
void Walk::collect(u32 b) {
  const LirBlock& block = code_.blocks[b];
  for (u32 i = 0; i < block.before.size(); ++i) {
    const u32 before = block.before[i];
    if (facts_.number[before] >= stamp_) continue;
    const u64 weight = std::min(facts_.blocks[before].frequency, facts_.blocks[b].frequency);
    const Held& held = exit[before];
    for (u32 set = held.held; set != 0; set &= set - 1) {
      const u32 r = static_cast<u32>(std::countr_zero(set));
      const VReg reg = held.at[r];
      old_reg_[reg] = static_cast<u8>(r);
      if (entering_[reg] != stamp_) continue;
      Candidate& found = candidate(reg, distance_[reg]);
      found.have += weight;
      found.votes[r % 16] += weight;
    }
    collect_phis(b, i, before, weight);
    for (const VReg reg : held.at) old_reg_[reg] = kNoReg;
  }
  if (!facts_.is_header(b)) return;
  for (const LiveIn& live : facts_.lives_of(b)) {
    if (live.distance < kExitLength) candidate(live.reg, live.distance);
  }
}

void Walk::collect_phis(u32 b, u32 from, u32 before, u64 weight) {
  const LirBlock& block = code_.blocks[b];
  const u32* distances = facts_.phi_distances.data() + facts_.blocks[b].phi_distance;
  for (u32 p = 0; p < block.phis.size(); ++p) {
    if (distances[p] == kDead) continue;
    const VReg arg = code_.phi_args[block.phis[p].first + from];
    Candidate& found = candidate(block.phis[p].reg, distances[p]);
    found.is_phi = true;
    if (is_remade(arg)) found.remade += static_cast<u32>(weight);
    if (old_reg_[arg] == kNoReg) continue;
    found.have += weight;
    // Where the argument lives on, it keeps its register.
    const bool stays = facts_.number[before] < stamp_ && entering_[arg] == stamp_;
    found.votes[old_reg_[arg] % 16] += stays ? 0 : weight;
  }
}

bool Walk::is_worth(const Candidate& candidate, u64 total) const {
  if (candidate.is_phi && candidate.key < kExitLength) return true;
  return candidate.have + candidate.have >= total - std::min<u64>(candidate.remade, total - candidate.have);
}

void Walk::keep_nearest(u32 b, RegClass of, u64 total) {
  const u32 count = static_cast<u32>(std::popcount(allocatable_ & class_mask(of)));
  const bool is_header = facts_.is_header(b);
  near_.clear();
  far_.clear();
  for (u32 i = 0; i < candidates_.size(); ++i) {
    const Candidate& found = candidates_[i];
    if (code_.vregs[found.reg].of != of) continue;
    if (is_header) {
      if (std::ranges::binary_search(unfit_, std::pair(b, found.reg))) continue;
      (found.key < kExitLength ? near_ : far_).push_back(i);
    } else if (is_worth(found, total)) {
      near_.push_back(i);
    }
  }
  const auto by_key = [&](u32 a, u32 c) {
    return candidates_[a].key != candidates_[c].key ? candidates_[a].key < candidates_[c].key
                                                    : candidates_[a].reg < candidates_[c].reg;
  };
  std::ranges::sort(near_, by_key);
  if (near_.size() > count) near_.resize(count);
  chosen_.insert(chosen_.end(), near_.begin(), near_.end());
  if (!is_header) return;
  // What only lives through the loop: as many as never are in the way.
  const u32 pressure = facts_.loops[facts_.blocks[b].loop].pressure[static_cast<u32>(of)];
  u32 through = 0;
  for (const LiveIn& live : facts_.lives_of(b)) {
    through += live.distance >= kExitLength && code_.vregs[live.reg].of == of ? 1 : 0;
  }
  // A phi that changes has to be stored in each turn if it is in memory: it comes before the others.
  for (const u32 i : far_) {
    Candidate& found = candidates_[i];
    if (!found.is_phi) continue;
    if (is_stable(b, found.reg)) {
      ++through;
    } else {
      found.key = kExitLength;
    }
  }
  const u32 others = pressure > through ? pressure - through : 0;
  u32 room = others < count ? count - others : 0;
  room = std::min(room, count - static_cast<u32>(near_.size()));
  std::ranges::sort(far_, by_key);
  for (const u32 i : far_) {
    if (room == 0) break;
    if (candidates_[i].have == 0) continue;
    chosen_.push_back(i);
    --room;
  }
}

// Those that most of control comes with in a register choose first.
void Walk::assign(u32 b) {
  std::ranges::sort(chosen_, [&](u32 a, u32 c) {
    const Candidate &x = candidates_[a], &y = candidates_[c];
    if (x.have != y.have) return x.have > y.have;
    return x.is_phi != y.is_phi ? y.is_phi : x.reg < y.reg;
  });
  const bool is_header = facts_.is_header(b);
  const u32 lost = facts_.loops[facts_.blocks[b].loop].lost;
  const i64 frequency = facts_.blocks[b].frequency;
  u32 free = allocatable_;
  i64 votes[kRegs] = {};  // of those that have not chosen_
  const auto count_votes = [&](const Candidate& found, i64 sign) {
    const u32 first = of(found.reg) == RegClass::gpr ? 0 : 16;
    for (u32 r = 0; r < 16; ++r) votes[first + r] += sign * static_cast<i64>(found.votes[r]);
  };
  for (const u32 i : chosen_) count_votes(candidates_[i], 1);
  for (const u32 i : chosen_) {
    const Candidate& found = candidates_[i];
    count_votes(found, -1);
    u32 best = kNone;
    i64 most = 0;
    for (const u32 r : rank_) {
      if ((free & class_mask(of(found.reg)) & bit(r)) == 0) continue;
      i64 score = static_cast<i64>(found.votes[r % 16]) - votes[r] / 8;
      if ((lost & bit(r)) != 0) score -= frequency;
      if (home(found.reg) == r) score += frequency / 16;
      if (best == kNone || score > most) {
        best = r;
        most = score;
      }
    }
    free &= ~bit(best);
    now_.at[best] = found.reg;
    now_.held |= bit(best);
    reg_of_[found.reg] = static_cast<u8>(best);
    stored_[found.reg] = is_stored(b, found.reg);
    if (is_header || home(found.reg) == kNoReg) home_[web_[found.reg]] = static_cast<u8>(best);
  }
}

// Whether the value is in its spill slot on all ways that are known by now. Jumps back come from where it still is.
bool Walk::is_stored(u32 b, VReg reg) const {
  if (is_remade(reg)) return true;
  if (entering_[reg] != stamp_ || facts_.is_single[reg] == 0) return false;
  for (const u32 before : code_.blocks[b].before) {
    if (facts_.number[before] >= stamp_) continue;
    const Held& held = exit[before];
    for (u32 r = 0; r < kRegs; ++r) {
      if (held.at[r] == reg && (held.stored >> r & 1) == 0) return false;
    }
  }
  return true;
}

// A phi that jumps back leave as it is.
bool Walk::is_stable(u32 b, VReg reg) const {
  const LirBlock& block = code_.blocks[b];
  const auto phi = std::ranges::find(block.phis, reg, &LirPhi::reg);
  for (u32 i = 0; i < block.before.size(); ++i) {
    const u32 number = facts_.number[block.before[i]];
    if (number != kNone && number >= stamp_ && code_.phi_args[phi->first + i] != reg) return false;
  }
  return true;
}

bool Walk::find_unfit(Unfit& unfit) const {
  const size_t known = unfit.size();
  for (size_t loop = 1; loop < facts_.loops.size(); ++loop) {
    const u32 b = facts_.loops[loop].header;
    const LirBlock& block = code_.blocks[b];
    for (const VReg reg : entry[b].at) {
      if (reg == 0) continue;
      u64 loads = 0;
      for (u32 i = 0; i < block.before.size(); ++i) {
        const u32 before = block.before[i];
        if (facts_.number[before] < facts_.number[b] || facts_.number[before] == kNone) continue;
        VReg brought = reg;
        for (const LirPhi& phi : block.phis) {
          if (phi.reg == reg) brought = code_.phi_args[phi.first + i];
        }
        if (is_remade(brought) || std::ranges::find(exit[before].at, brought) != std::end(exit[before].at)) continue;
        loads += std::min(facts_.blocks[before].frequency, facts_.blocks[b].frequency);
      }
      if (2 * loads > facts_.blocks[b].frequency) unfit.emplace_back(b, reg);
    }
  }
  std::ranges::sort(unfit);
  return unfit.size() != known;
}

}  // namespace pagoda::opt::ra
