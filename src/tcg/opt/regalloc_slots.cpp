// SPDX-License-Identifier: MIT
// Spill slots: values that never live at the same time share one, first of all a phi and its arguments, between which
// no move is needed then. What is a guest register's value goes to the place of that in the frame if it can (Homes).
#include <algorithm>
#include <numeric>

#include "tcg/abi/vcpu_frame.h"
#include "tcg/opt/regalloc_edges.h"
#include "tcg/opt/regalloc_homes.h"

namespace pagoda::opt::ra {
namespace {

constexpr u64 kMostWork = 16u << 20;

class Slots {
 public:
  Slots(const LirCode& code, const Facts& facts, std::span<const u8> needs_slot)
      : code_(code), facts_(facts), needs_slot_(needs_slot.begin(), needs_slot.end()) {}

  bool assign(std::vector<u32>& slots, u32& used) {
    slots.assign(code_.vregs.size(), 0);
    used = 0;
    std::vector<VReg> regs;
    for (VReg reg = 1; reg < code_.vregs.size(); ++reg) {
      if (home_slot(code_, reg) != 0) {
        slots[reg] = home_slot(code_, reg);
        needs_slot_[reg] = 1;
      } else if (needs_slot_[reg] != 0) {
        regs.push_back(reg);
      }
    }
    if (regs.empty()) return true;
    find_ranges();
    join_phis();
    std::vector<VReg> leaders;
    for (const VReg reg : regs) {
      if (find(reg) == reg) leaders.push_back(reg);
    }
    std::ranges::sort(leaders, [&](VReg a, VReg b) {
      const u32 x = start(a), y = start(b);
      return x != y ? x < y : a < b;
    });
    for (VReg reg = 0; reg < leader_.size(); ++reg) leader_[reg] = find(reg);
    if (work_ <= kMostWork) Homes(code_, facts_).assign(leaders, leader_, ranges_, slots, work_);
    std::vector<Ranges> taken;
    for (const VReg reg : leaders) {
      if (slots[reg] != 0) continue;
      u32 slot = 0;
      while (slot < taken.size() && (work_ > kMostWork || overlap(taken[slot], ranges_[reg], work_))) ++slot;
      if (slot + 2 >= kFrameTemps) return false;
      if (slot == taken.size()) taken.emplace_back();
      unite(taken[slot], ranges_[reg], work_);
      slots[reg] = slot + 1;
    }
    for (const VReg reg : regs) slots[reg] = slots[find(reg)];
    used = static_cast<u32>(taken.size());
    return true;
  }

 private:
  u32 start(VReg reg) const { return ranges_[reg].empty() ? 0 : ranges_[reg].front().from; }

  VReg find(VReg reg) {
    while (leader_[reg] != reg) reg = leader_[reg] = leader_[leader_[reg]];
    return reg;
  }

  // Blocks in the order of their code, so that each value's ranges come in order.
  void find_ranges() {
    ranges_.resize(code_.vregs.size());
    std::vector<u32> blocks(facts_.order);
    std::ranges::sort(blocks, {}, [&](u32 b) { return code_.blocks[b].first; });
    std::vector<Range> open(code_.vregs.size());
    std::vector<u32> is_open(code_.vregs.size(), kNone);
    std::vector<VReg> listed;
    for (const u32 b : blocks) {
      const LirBlock& block = code_.blocks[b];
      listed.clear();
      const auto touch = [&](VReg reg, u32 position) {
        if (needs_slot_[reg] == 0) return;
        if (is_open[reg] != b) {
          is_open[reg] = b;
          open[reg] = {position, position};
          listed.push_back(reg);
        }
        open[reg].to = position;
      };
      for (const LiveIn& live : facts_.lives_of(b)) touch(live.reg, 2 * block.first);
      for (const LirPhi& phi : block.phis) touch(phi.reg, 2 * block.first);
      for (u32 i = block.first; i < block.first + block.count; ++i) {
        const LirInsn& insn = code_.insns[i];
        if (insn.site != 0) {
          for (const VReg reg : facts_.regs_of_site(insn.site)) touch(reg, 2 * i + 1);
        }
        for (const Operand& operand : code_.operands_of(insn)) touch(operand.reg, 2 * i + 1);
      }
      const u32 end = 2 * (block.first + block.count - 1) + 1;
      for (u32 side = 0; side < block.successors; ++side) {
        const LirBlock& next = code_.blocks[block.next[side]];
        for (const LiveIn& live : facts_.lives_of(block.next[side])) touch(live.reg, end);
        for (u32 n = 0; n < next.before.size() && !next.phis.empty(); ++n) {
          if (next.before[n] != b) continue;
          for (const LirPhi& phi : next.phis) touch(code_.phi_args[phi.first + n], end);
        }
      }
      for (const VReg reg : listed) {
        Ranges& ranges = ranges_[reg];
        if (!ranges.empty() && ranges.back().to + 1 >= open[reg].from) {
          ranges.back().to = open[reg].to;
        } else {
          ranges.push_back(open[reg]);
        }
      }
    }
  }

  void join_phis() {
    leader_.resize(code_.vregs.size());
    std::iota(leader_.begin(), leader_.end(), 0);
    for (const u32 b : facts_.order) {
      const LirBlock& block = code_.blocks[b];
      for (const LirPhi& phi : block.phis) {
        for (u32 i = 0; i < block.before.size() && needs_slot_[phi.reg] != 0; ++i) {
          const VReg arg = code_.phi_args[phi.first + i];
          if (needs_slot_[arg] == 0 || home_slot(code_, arg) != 0 || work_ > kMostWork) continue;
          const VReg to = find(phi.reg), from = find(arg);
          if (to == from || overlap(ranges_[to], ranges_[from], work_)) continue;
          unite(ranges_[to], ranges_[from], work_);
          leader_[from] = to;
        }
      }
    }
  }

  const LirCode& code_;
  const Facts& facts_;
  std::vector<u8> needs_slot_;
  std::vector<Ranges> ranges_;
  std::vector<VReg> leader_;
  u64 work_ = 0;
};

}  // namespace

bool assign_slots(const LirCode& code, const Facts& facts, std::span<const u8> needs_slot, std::vector<u32>& slots,
                  u32& used) {
  return Slots(code, facts, needs_slot).assign(slots, used);
}

}  // namespace pagoda::opt::ra
