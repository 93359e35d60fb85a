// SPDX-License-Identifier: MIT
// Homes: the places that guest registers have in the frame, as spill slots. Internal to the register allocator.
//
// What is spilled is mostly what a guest register holds. In that register's own place it needs no move at the region's
// entry, where it comes from there, and none at an exit, where it has to be there. But until something is written to
// it, a home has what the guest register held when the region was entered, and who leaves by a site that does not name
// the register relies on that.
#pragma once

#include <bitset>
#include <span>
#include <vector>

#include "tcg/opt/regalloc.h"

namespace pagoda::opt::ra {

// Instructions first to last, counted as in LirCode::insns, with two positions each: when it begins, when it has ended.
struct Range {
  u32 from, to;
};
using Ranges = std::vector<Range>;

// Whether they meet; adds the steps that took to `work`.
bool overlap(const Ranges& a, const Ranges& b, u64& work);
void unite(Ranges& a, const Ranges& b, u64& work);

class Homes {
 public:
  Homes(const LirCode& code, const Facts& facts);

  // Gives each of the values (`leader` by vreg: those that are one) that gains by it a home: writes its number to
  // `slots`. `ranges`: by vreg, where leaders live, and the values that have a home from the start.
  void assign(std::span<const VReg> leaders, std::span<const VReg> leader, std::span<const Ranges> ranges,
              std::vector<u32>& slots, u64& work);

 private:
  static constexpr u32 kMost = 128;
  using Set = std::bitset<kMost>;
  struct Store {
    u32 insn;
    VReg reg;  // 0: a constant
  };
  struct Home {
    u32 slot;                   // as home_slot()
    bool is_pinned;             // at exits the frame's value does not matter
    Ranges taken;               // where it has what may not be overwritten
    std::vector<Store> stores;  // on leaving
  };
  struct Vote {
    VReg leader;
    u32 home;
    u64 weight;
  };

  void find_homes();
  void find_entry_values();
  Set named_by(u32 site) const;
  u32 home_at(u32 offset) const;  // kNone: no such home
  void vote(std::span<const VReg> leader);
  bool may_have(const Home& home, VReg leader_of, const Ranges& ranges, std::span<const VReg> leader, u64& work) const;

  const LirCode& code_;
  const Facts& facts_;
  std::vector<Home> homes_;
  std::vector<u32> index_;  // by slot
  std::vector<Vote> votes_;
};

}  // namespace pagoda::opt::ra
