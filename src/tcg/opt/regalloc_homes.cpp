// SPDX-License-Identifier: MIT
// Which values may live in guest registers' places, and which gain by it.
#include "tcg/opt/regalloc_homes.h"

#include <algorithm>

namespace pagoda::opt::ra {
namespace {

bool leaves(const LirInsn& insn) { return insn.op == Lir::exit_link || insn.op == Lir::exit_indirect; }

}  // namespace

bool overlap(const Ranges& a, const Ranges& b, u64& work) {
  // Most of what has begun before is over.
  auto one = std::ranges::lower_bound(a, b.empty() ? 0 : b.front().from, {}, &Range::to);
  auto other = b.begin();
  while (one != a.end() && other != b.end()) {
    ++work;
    if (one->to < other->from) {
      ++one;
    } else if (other->to < one->from) {
      ++other;
    } else {
      return true;
    }
  }
  return false;
}

void unite(Ranges& a, const Ranges& b, u64& work) {
  Ranges both(a.size() + b.size());
  std::ranges::merge(a, b, both.begin(), {}, &Range::from, &Range::from);
  work += both.size();
  a.clear();
  for (const Range& range : both) {
    if (!a.empty() && range.from <= a.back().to) {
      a.back().to = std::max(a.back().to, range.to);
    } else {
      a.push_back(range);
    }
  }
}

Homes::Homes(const LirCode& code, const Facts& facts) : code_(code), facts_(facts) {
  find_homes();
  if (!homes_.empty()) find_entry_values();
}

u32 Homes::home_at(u32 offset) const {
  const u32 slot = frame_slot(static_cast<i32>(offset));
  return slot != 0 && slot < index_.size() ? index_[slot] : kNone;
}

void Homes::find_homes() {
  const auto add = [&](u32 offset) {
    const u32 slot = frame_slot(static_cast<i32>(offset));
    if (slot == 0 || homes_.size() == kMost) return;
    if (slot >= index_.size()) index_.resize(slot + 1, kNone);
    if (index_[slot] != kNone) return;
    index_[slot] = static_cast<u32>(homes_.size());
    const bool is_pinned = std::ranges::find(code_.pinned_slots, offset) != code_.pinned_slots.end();
    homes_.push_back({.slot = slot, .is_pinned = is_pinned, .taken = {}, .stores = {}});
  };
  for (const Site& site : code_.sites) {
    for (const SiteSlot& slot : site.slots) {
      if (slot.bytes == 8) add(slot.offset);
    }
  }
  for (const u32 b : facts_.order) {
    const LirBlock& block = code_.blocks[b];
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      const LirInsn& insn = code_.insns[i];
      if (insn.op != Lir::frame_store || insn.size != 8) continue;
      const auto offset = static_cast<u32>(insn.imm);
      add(offset);
      const u32 home = home_at(offset);
      if (home == kNone) continue;
      homes_[home].stores.push_back({i, insn.operands == 0 ? 0 : code_.operands[insn.first].reg});
    }
  }
}

Homes::Set Homes::named_by(u32 site) const {
  Set named;
  for (const SiteSlot& slot : code_.sites[site].slots) {
    if (const u32 home = home_at(slot.offset); home != kNone) named.set(home);
  }
  return named;
}

// Where a home has to keep what it had when the region was entered: as long as somebody may leave who relies on it.
void Homes::find_entry_values() {
  Set all, pinned;
  for (u32 home = 0; home < homes_.size(); ++home) {
    all.set(home);
    if (homes_[home].is_pinned) pinned.set(home);
  }
  std::vector<Set> wants(code_.blocks.size()), live(code_.blocks.size());
  std::vector<std::pair<u32, Set>> places;  // per block, from its end: what is wanted there first
  std::vector<u32> first(code_.blocks.size() + 1);
  for (u32 b = 0; b < code_.blocks.size(); ++b) {
    first[b] = static_cast<u32>(places.size());
    if (facts_.number[b] == kNone) continue;
    const LirBlock& block = code_.blocks[b];
    Set stored;
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      const LirInsn& insn = code_.insns[i];
      if (insn.op != Lir::frame_store) continue;
      if (const u32 home = home_at(static_cast<u32>(insn.imm)); home != kNone) stored.set(home);
    }
    for (u32 i = block.first + block.count; i-- > block.first;) {
      const LirInsn& insn = code_.insns[i];
      Set wanted;
      if (leaves(insn)) wanted = all & ~stored & ~pinned;
      if (insn.site != 0) wanted |= all & ~named_by(insn.site);
      wanted &= ~wants[b];
      if (wanted.none()) continue;
      wants[b] |= wanted;
      places.push_back({i, wanted});
    }
  }
  first.back() = static_cast<u32>(places.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 n = static_cast<u32>(facts_.order.size()); n-- > 0;) {
      const u32 b = facts_.order[n];
      Set now = wants[b];
      for (u32 side = 0; side < code_.blocks[b].successors; ++side) now |= live[code_.blocks[b].next[side]];
      if (now == live[b]) continue;
      live[b] = now;
      changed = true;
    }
  }
  std::vector<u32> blocks(facts_.order);
  std::ranges::sort(blocks, {}, [&](u32 b) { return code_.blocks[b].first; });
  for (const u32 b : blocks) {
    const LirBlock& block = code_.blocks[b];
    const u32 begin = 2 * block.first, end = 2 * (block.first + block.count - 1) + 1;
    Set through;
    for (u32 side = 0; side < block.successors; ++side) through |= live[block.next[side]];
    const auto take = [&](Set homes, u32 to) {
      for (u32 home = 0; home < homes_.size(); ++home) {
        if (!homes[home]) continue;
        Ranges& taken = homes_[home].taken;
        if (!taken.empty() && taken.back().to + 1 == begin) {
          taken.back().to = to;
        } else {
          taken.push_back({begin, to});
        }
      }
    };
    take(through, end);
    for (u32 p = first[b]; p < first[b + 1]; ++p) take(places[p].second & ~through, 2 * places[p].first + 1);
  }
}

void Homes::vote(std::span<const VReg> leader) {
  const auto add = [&](VReg reg, u32 home, u64 weight) {
    if (home != kNone && leader[reg] != 0) votes_.push_back({leader[reg], home, weight});
  };
  for (const u32 b : facts_.order) {
    const LirBlock& block = code_.blocks[b];
    for (const LirPhi& phi : block.phis) {
      for (u32 n = 0; n < block.before.size(); ++n) {
        const VReg arg = code_.phi_args[phi.first + n];
        const u32 slot = home_slot(code_, arg);
        if (slot == 0 || slot >= index_.size() || facts_.number[block.before[n]] == kNone) continue;
        add(phi.reg, index_[slot], facts_.blocks[block.before[n]].frequency);
      }
    }
    for (u32 i = block.first; i < block.first + block.count; ++i) {
      const u32 number = code_.insns[i].site;
      if (number == 0) continue;
      for (const SiteSlot& slot : code_.sites[number].slots) {
        if (slot.recipe.form == Recipe::value && slot.bytes == 8) add(slot.recipe.reg, home_at(slot.offset), 1);
      }
    }
  }
  for (u32 home = 0; home < homes_.size(); ++home) {
    for (const Store& store : homes_[home].stores) {
      if (store.reg != 0) add(store.reg, home, 64);
    }
  }
  std::ranges::sort(votes_, [](const Vote& a, const Vote& b) {
    return a.leader != b.leader ? a.leader < b.leader : a.home < b.home;
  });
  size_t kept = 0;
  for (size_t i = 0; i < votes_.size(); ++i) {
    if (kept != 0 && votes_[kept - 1].leader == votes_[i].leader && votes_[kept - 1].home == votes_[i].home) {
      votes_[kept - 1].weight += votes_[i].weight;
    } else {
      votes_[kept++] = votes_[i];
    }
  }
  votes_.resize(kept);
  std::ranges::sort(votes_, [](const Vote& a, const Vote& b) {
    if (a.weight != b.weight) return a.weight > b.weight;
    return a.leader != b.leader ? a.leader < b.leader : a.home < b.home;
  });
}

bool Homes::may_have(const Home& home, VReg leader_of, const Ranges& ranges, std::span<const VReg> leader,
                     u64& work) const {
  if (overlap(home.taken, ranges, work)) return false;
  // What is stored there on leaving is this value, or comes when nobody needs this one any more.
  return std::ranges::all_of(home.stores, [&](const Store& store) {
    if (store.reg != 0 && leader[store.reg] == leader_of) return true;
    const u32 at = 2 * store.insn + 1;
    const auto range = std::ranges::lower_bound(ranges, at + 1, {}, &Range::to);
    return range == ranges.end() || range->from > at;
  });
}

void Homes::assign(std::span<const VReg> leaders, std::span<const VReg> leader, std::span<const Ranges> ranges,
                   std::vector<u32>& slots, u64& work) {
  if (homes_.empty()) return;
  for (VReg reg = 1; reg < code_.vregs.size(); ++reg) {
    const u32 slot = home_slot(code_, reg);
    if (slot != 0 && slot < index_.size() && index_[slot] != kNone)
      unite(homes_[index_[slot]].taken, ranges[reg], work);
  }
  // Only leaders have votes.
  std::vector<VReg> voter(code_.vregs.size());
  for (const VReg reg : leaders) voter[reg] = reg;
  for (VReg reg = 0; reg < voter.size(); ++reg) voter[reg] = voter[leader[reg]];
  vote(voter);
  for (const Vote& each : votes_) {
    if (slots[each.leader] != 0) continue;
    Home& home = homes_[each.home];
    if (!may_have(home, each.leader, ranges[each.leader], voter, work)) continue;
    slots[each.leader] = home.slot;
    unite(home.taken, ranges[each.leader], work);
  }
}

}  // namespace pagoda::opt::ra
