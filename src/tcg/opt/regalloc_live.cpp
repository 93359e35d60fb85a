// SPDX-License-Identifier: MIT
// Register allocation: which values live at the start of each block, how far their next uses are, and how many live at
// once in loops.
#include <algorithm>
#include <bit>

#include "tcg/opt/regalloc.h"

namespace pagoda::opt::ra {
namespace {

constexpr u64 kMostWork = 32u << 20;  // words of sets, entries of lists
constexpr u32 kRounds = 4;            // of distances: nested loops deeper than that get estimates

class Lives {
 public:
  Lives(const LirCode& code, Facts& facts) : code_(code), facts_(facts) {}

  bool find() {
    find_defs();
    find_site_regs();
    find_globals();
    if (!find_sets() || !list()) return false;
    for (u32 round = 0; round < kRounds; ++round) {
      if (!measure()) break;
    }
    find_pressure();
    return true;
  }

 private:
  const LirInsn& insn(const LirBlock& block, u32 i) const { return code_.insns[block.first + i]; }

  void find_defs() {
    const size_t regs = code_.vregs.size();
    facts_.is_single.assign(regs, 1);
    facts_.def_block.assign(regs, kNone);
    facts_.def_operand.assign(regs, kNone);
    facts_.def_insn.assign(regs, kNone);
    const auto define = [&](VReg reg, u32 block, u32 operand, u32 insn) {
      if (facts_.def_block[reg] != kNone) facts_.is_single[reg] = 0;
      facts_.def_block[reg] = block;
      facts_.def_operand[reg] = operand;
      facts_.def_insn[reg] = insn;
    };
    for (const u32 b : facts_.order) {
      const LirBlock& block = code_.blocks[b];
      for (const LirPhi& phi : block.phis) define(phi.reg, b, kNone, kNone);
      for (u32 i = block.first; i < block.first + block.count; ++i) {
        const LirInsn& insn = code_.insns[i];
        for (u32 o = insn.first; o < insn.first + insn.operands; ++o) {
          const Operand& operand = code_.operands[o];
          if (operand.role == Role::def) define(operand.reg, b, o, i);
          if (operand.role == Role::use_def) facts_.is_single[operand.reg] = 0;
        }
      }
    }
  }

  // From the ends of blocks: what a later site of a block names lives at the earlier ones anyway.
  void find_site_regs() {
    facts_.site_regs.clear();
    facts_.site_first.assign(code_.sites.size(), 0);
    facts_.site_count.assign(code_.sites.size(), 0);
    std::vector<u32> seen(code_.vregs.size(), kNone);
    for (const u32 b : facts_.order) {
      const LirBlock& block = code_.blocks[b];
      for (u32 i = block.count; i-- > 0;) {
        const u32 site = insn(block, i).site;
        if (site == 0) continue;
        const auto first = static_cast<u32>(facts_.site_regs.size());
        const auto add = [&](const Recipe& recipe) {
          if (!recipe.has_reg() || seen[recipe.reg] == b) return;
          seen[recipe.reg] = b;
          facts_.site_regs.push_back(recipe.reg);
        };
        for (const SiteSlot& slot : code_.sites[site].slots) add(slot.recipe);
        for (const Recipe& recipe : code_.sites[site].replayed) add(recipe);
        facts_.site_first[site] = first;
        facts_.site_count[site] = static_cast<u32>(facts_.site_regs.size()) - first;
      }
    }
  }

  // Calls use(reg, insn) and define(reg) in the order of a block.
  template <typename Use, typename Define>
  void scan(const LirBlock& block, Use use, Define define) const {
    for (const LirPhi& phi : block.phis) define(phi.reg);
    for (u32 i = 0; i < block.count; ++i) {
      const LirInsn& at = insn(block, i);
      for (const Operand& operand : code_.operands_of(at)) {
        if (operand.role != Role::def && operand.role != Role::temp) use(operand.reg, i);
      }
      if (at.site != 0) {
        for (const VReg reg : facts_.regs_of_site(at.site)) use(reg, kNone);
      }
      for (const Operand& operand : code_.operands_of(at)) {
        if (operand.role == Role::def) define(operand.reg);
      }
    }
  }

  // What lives across blocks gets a number in the sets.
  void find_globals() {
    global_.assign(code_.vregs.size(), kNone);
    std::vector<u32> defined(code_.vregs.size(), kNone);
    const auto use = [&](VReg reg, u32 b) {
      if (defined[reg] == b || global_[reg] != kNone) return;
      global_[reg] = static_cast<u32>(globals_.size());
      globals_.push_back(reg);
    };
    for (const u32 b : facts_.order) {
      scan(code_.blocks[b], [&](VReg reg, u32) { use(reg, b); }, [&](VReg reg) { defined[reg] = b; });
      for_phi_uses(b, [&](VReg reg, u32, u32) { use(reg, b); });
    }
  }

  // Calls f(argument, phi's block, phi's index) for the phis of b's successors.
  template <typename F>
  void for_phi_uses(u32 b, F f) const {
    const LirBlock& block = code_.blocks[b];
    for (u32 side = 0; side < block.successors; ++side) {
      const LirBlock& next = code_.blocks[block.next[side]];
      if (next.phis.empty()) continue;
      for (u32 i = 0; i < next.before.size(); ++i) {
        if (next.before[i] != b) continue;
        for (u32 phi = 0; phi < next.phis.size(); ++phi) {
          f(code_.phi_args[next.phis[phi].first + i], block.next[side], phi);
        }
      }
    }
  }

  bool find_sets() {
    words_ = (globals_.size() + 63) / 64;
    const size_t size = words_ * code_.blocks.size();
    if (size * 8 > kMostWork) return false;
    live_.assign(size, 0);
    std::vector<u64> killed(size, 0);
    std::vector<u32> defined(code_.vregs.size(), kNone);
    for (const u32 b : facts_.order) {
      u64* live = live_.data() + b * words_;
      u64* kill = killed.data() + b * words_;
      const auto use = [&](VReg reg) {
        const u32 global = global_[reg];
        if (global != kNone && defined[reg] != b) live[global / 64] |= u64{1} << global % 64;
      };
      const auto define = [&](VReg reg) {
        defined[reg] = b;
        if (global_[reg] != kNone) kill[global_[reg] / 64] |= u64{1} << global_[reg] % 64;
      };
      scan(code_.blocks[b], [&](VReg reg, u32) { use(reg); }, define);
      for_phi_uses(b, [&](VReg reg, u32, u32) { use(reg); });
    }
    u64 work = 0;
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t n = facts_.order.size(); n-- > 0;) {
        const u32 b = facts_.order[n];
        const LirBlock& block = code_.blocks[b];
        u64* live = live_.data() + b * words_;
        const u64* kill = killed.data() + b * words_;
        for (u32 side = 0; side < block.successors; ++side) {
          const u64* next = live_.data() + block.next[side] * words_;
          for (size_t w = 0; w < words_; ++w) {
            const u64 more = live[w] | (next[w] & ~kill[w]);
            changed |= more != live[w];
            live[w] = more;
          }
        }
      }
      work += size;
      if (work > kMostWork) return false;
    }
    return true;
  }

  bool list() {
    std::vector<u32> stamp(code_.vregs.size(), kNone), first(code_.vregs.size()), needed(code_.vregs.size(), kNone);
    facts_.lives.clear();
    facts_.phi_distances.clear();
    for (const u32 b : facts_.order) {
      BlockFacts& block = facts_.blocks[b];
      const auto use = [&](VReg reg, u32 i) {
        needed[reg] = b;
        if (i == kNone || stamp[reg] == b) return;
        stamp[reg] = b;
        first[reg] = i;
      };
      for_phi_uses(b, [&](VReg reg, u32, u32) { needed[reg] = b; });
      scan(code_.blocks[b], use, [](VReg) {});
      block.live = static_cast<u32>(facts_.lives.size());
      for (size_t w = 0; w < words_; ++w) {
        for (u64 bits = live_[b * words_ + w]; bits != 0; bits &= bits - 1) {
          const VReg reg = globals_[w * 64 + static_cast<u32>(std::countr_zero(bits))];
          const u32 use_at = stamp[reg] == b ? first[reg] : kNone;
          facts_.lives.push_back({reg, use_at == kNone ? kNever : use_at, use_at});
        }
      }
      block.lives = static_cast<u32>(facts_.lives.size()) - block.live;
      block.phi_distance = static_cast<u32>(facts_.phi_distances.size());
      for (const LirPhi& phi : code_.blocks[b].phis) {
        const bool is_live = needed[phi.reg] == b || lives_behind(b, phi.reg);
        facts_.phi_distances.push_back(stamp[phi.reg] == b ? first[phi.reg] : is_live ? kNever : kDead);
      }
      if (facts_.lives.size() > kMostWork) return false;
    }
    return true;
  }

  bool lives_behind(u32 b, VReg reg) const {
    const u32 global = global_[reg];
    if (global == kNone) return false;
    for (u32 side = 0; side < code_.blocks[b].successors; ++side) {
      if ((live_[code_.blocks[b].next[side] * words_ + global / 64] >> global % 64 & 1) != 0) return true;
    }
    return false;
  }

  // Distances from the end of b, by register, into away_; those without one get kNever.
  void look_ahead(u32 b) {
    const LirBlock& block = code_.blocks[b];
    ++round_;
    const auto reach = [&](VReg reg, u32 distance) {
      if (seen_[reg] != round_) {
        seen_[reg] = round_;
        away_[reg] = distance;
      } else {
        away_[reg] = std::min(away_[reg], distance);
      }
    };
    for (u32 side = 0; side < block.successors; ++side) {
      const u32 length = facts_.edge_length(code_, b, block.next[side]);
      for (const LiveIn& live : facts_.lives_of(block.next[side])) reach(live.reg, add_distance(live.distance, length));
    }
    for_phi_uses(b, [&](VReg reg, u32 to, u32 phi) {
      const u32 distance = facts_.phi_distances[facts_.blocks[to].phi_distance + phi];
      reach(reg, add_distance(distance, facts_.edge_length(code_, b, to)));
    });
  }

  bool measure() {
    bool changed = false;
    seen_.resize(code_.vregs.size());
    away_.resize(code_.vregs.size());
    for (size_t n = facts_.order.size(); n-- > 0;) {
      const u32 b = facts_.order[n];
      const LirBlock& block = code_.blocks[b];
      const BlockFacts& facts = facts_.blocks[b];
      look_ahead(b);
      const auto better = [&](VReg reg, u32& distance) {
        const u32 found = seen_[reg] == round_ ? add_distance(away_[reg], block.count) : kNever;
        if (found >= distance) return;
        distance = found;
        changed = true;
      };
      for (LiveIn& live : std::span(facts_.lives).subspan(facts.live, facts.lives)) {
        if (live.first_use == kNone) better(live.reg, live.distance);
      }
      for (u32 phi = 0; phi < block.phis.size(); ++phi) {
        u32& distance = facts_.phi_distances[facts.phi_distance + phi];
        if (distance >= block.count && distance != kDead) better(block.phis[phi].reg, distance);
      }
    }
    return changed;
  }

  // Most values at once in each hot block of a loop, for that loop and those around it.
  void find_pressure() {
    std::vector<u8> live(code_.vregs.size());
    std::vector<VReg> listed;
    for (const u32 b : facts_.order) {
      const LirBlock& block = code_.blocks[b];
      if (facts_.blocks[b].loop == 0 || facts_.blocks[b].is_rare) continue;
      u32 count[2] = {}, most[2] = {};
      const auto add = [&](VReg reg) {
        if (live[reg] != 0) return;
        live[reg] = 1;
        listed.push_back(reg);
        ++count[static_cast<u32>(code_.vregs[reg].of)];
      };
      const auto remove = [&](VReg reg) {
        if (live[reg] == 0) return;
        live[reg] = 0;
        --count[static_cast<u32>(code_.vregs[reg].of)];
      };
      for (u32 side = 0; side < block.successors; ++side) {
        for (const LiveIn& live_in : facts_.lives_of(block.next[side])) add(live_in.reg);
      }
      for_phi_uses(b, [&](VReg reg, u32, u32) { add(reg); });
      for (u32 i = block.count; i-- > 0;) {
        const LirInsn& at = insn(block, i);
        u32 extra[2] = {static_cast<u32>(std::popcount(at.clobbers[0])),
                        static_cast<u32>(std::popcount(at.clobbers[1]))};
        const auto note = [&] {
          for (u32 of = 0; of < 2; ++of) most[of] = std::max(most[of], count[of] + extra[of]);
        };
        for (const Operand& operand : code_.operands_of(at)) {
          const u32 of = static_cast<u32>(code_.vregs[operand.reg].of);
          const bool is_clobbered = operand.fixed != kAnyReg && (at.clobbers[of] >> operand.fixed & 1) != 0;
          if (operand.role == Role::def) add(operand.reg);
          if (operand.role == Role::temp) ++extra[of];
          if (is_clobbered && operand.role != Role::use) --extra[of];
        }
        // What is used until the end is there together with what is made.
        if (at.site != 0) {
          for (const VReg reg : facts_.regs_of_site(at.site)) add(reg);
        }
        for (const Operand& operand : code_.operands_of(at)) {
          if (operand.role == Role::use_late || operand.role == Role::use_def) add(operand.reg);
        }
        note();
        for (const Operand& operand : code_.operands_of(at)) {
          if (operand.role == Role::def) remove(operand.reg);
        }
        for (const Operand& operand : code_.operands_of(at)) {
          if (operand.role == Role::use) add(operand.reg);
        }
        note();
      }
      for (const VReg reg : listed) live[reg] = 0;
      listed.clear();
      for (u32 loop = facts_.blocks[b].loop; loop != 0; loop = facts_.loops[loop].parent) {
        for (u32 of = 0; of < 2; ++of) {
          facts_.loops[loop].pressure[of] = std::max(facts_.loops[loop].pressure[of], most[of]);
        }
      }
    }
  }

  const LirCode& code_;
  Facts& facts_;
  std::vector<u32> global_;  // by vreg
  std::vector<VReg> globals_;
  size_t words_ = 0;
  std::vector<u64> live_;
  std::vector<u32> seen_, away_;
  u32 round_ = 0;
};

}  // namespace

bool find_lives(const LirCode& code, Facts& facts) { return Lives(code, facts).find(); }

}  // namespace pagoda::opt::ra
