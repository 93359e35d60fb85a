// SPDX-License-Identifier: MIT
// Register allocation: the order of blocks, natural loops, and how often blocks are expected to run.
#include <algorithm>

#include "base/check.h"
#include "tcg/opt/regalloc.h"

namespace pagoda::opt::ra {
namespace {

void find_order(const LirCode& code, Facts& facts) {
  const size_t count = code.blocks.size();
  struct Step {
    u32 block, side;
  };
  std::vector<Step> way{{0, 0}};
  std::vector<u8> seen(count);
  seen[0] = 1;
  facts.order.clear();
  while (!way.empty()) {
    Step& step = way.back();
    const LirBlock& block = code.blocks[step.block];
    if (step.side == block.successors) {
      facts.order.push_back(step.block);
      way.pop_back();
      continue;
    }
    // The first successor last: it then comes first in the order.
    const u32 next = block.next[block.successors - 1 - step.side++];
    if (seen[next] == 0) {
      seen[next] = 1;
      way.push_back({next, 0});
    }
  }
  std::ranges::reverse(facts.order);
  facts.number.assign(count, kNone);
  for (u32 i = 0; i < facts.order.size(); ++i) facts.number[facts.order[i]] = i;
}

// By number in the order.
std::vector<u32> find_dominators(const LirCode& code, const Facts& facts) {
  std::vector<u32> dominator(facts.order.size(), kNone);
  dominator[0] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = 1; i < facts.order.size(); ++i) {
      u32 common = kNone;
      for (const u32 before : code.blocks[facts.order[i]].before) {
        u32 other = facts.number[before];
        if (other == kNone || dominator[other] == kNone) continue;
        if (common == kNone) common = other;
        while (common != other) {
          if (common > other) {
            common = dominator[common];
          } else {
            other = dominator[other];
          }
        }
      }
      if (dominator[i] != common) {
        dominator[i] = common;
        changed = true;
      }
    }
  }
  return dominator;
}

// Inner loops first: their headers come later in the order. A jump back to what does not dominate it makes no loop.
void find_natural_loops(const LirCode& code, Facts& facts) {
  const std::vector<u32> dominator = find_dominators(code, facts);
  const auto dominates = [&](u32 a, u32 b) {
    while (b > a) b = dominator[b];
    return a == b;
  };
  facts.loops.assign(1, {});
  std::vector<u32> work;
  for (u32 i = static_cast<u32>(facts.order.size()); i-- > 1;) {
    const u32 header = facts.order[i];
    work.clear();
    for (const u32 before : code.blocks[header].before) {
      const u32 number = facts.number[before];
      if (number != kNone && number >= i && dominates(i, number)) work.push_back(before);
    }
    if (work.empty()) continue;
    const u32 loop = static_cast<u32>(facts.loops.size());
    facts.loops.push_back({.header = header});
    while (!work.empty()) {
      u32 block = work.back();
      work.pop_back();
      u32 inner = facts.blocks[block].loop;
      if (inner == 0) {
        facts.blocks[block].loop = loop;
      } else {
        while (facts.loops[inner].parent != 0) inner = facts.loops[inner].parent;
        if (inner == loop) continue;
        facts.loops[inner].parent = loop;
        block = facts.loops[inner].header;
      }
      if (block == header) continue;
      for (const u32 before : code.blocks[block].before) {
        if (facts.number[before] != kNone) work.push_back(before);
      }
    }
  }
  // A parent has a higher index than its children.
  for (u32 loop = static_cast<u32>(facts.loops.size()); loop-- > 1;) {
    facts.loops[loop].depth = facts.loops[facts.loops[loop].parent].depth + 1;
  }
}

// Counts are those of a small sample: what it has not seen may run all the same, if seldom. Where there are none at
// all, loops are what there is to go by.
void find_frequencies(const LirCode& code, Facts& facts) {
  constexpr u64 kMost = 1u << 14;
  constexpr u32 kRarer = 16;
  const bool has_counts = std::ranges::any_of(code.blocks, [](const LirBlock& block) { return block.seen != 0; });
  for (const u32 b : facts.order) {
    const LirBlock& block = code.blocks[b];
    BlockFacts& of = facts.blocks[b];
    if (has_counts) {
      of.frequency = static_cast<u32>(std::min(block.seen, kMost)) << 10 | (block.is_cold ? 4u : 256u);
    } else {
      const u32 depth = std::min(std::max(facts.loops[of.loop].depth, block.depth), 5u);
      of.frequency = (block.is_cold ? 4u : 1024u) << 3 * depth;
    }
    const u32 header = facts.loops[of.loop].header;
    of.is_rare = block.is_cold || (of.loop != 0 && of.frequency < facts.blocks[header].frequency / kRarer);
  }
}

}  // namespace

bool Facts::contains(u32 loop, u32 block) const {
  for (u32 inner = blocks[block].loop; inner != 0; inner = loops[inner].parent) {
    if (inner == loop) return true;
  }
  return loop == 0;
}

u32 Facts::edge_length(const LirCode& code, u32 from, u32 to) const {
  u32 length = 0;
  for (u32 loop = blocks[from].loop; loop != 0 && !contains(loop, to); loop = loops[loop].parent) length += kExitLength;
  if (code.blocks[to].is_cold && !code.blocks[from].is_cold) {
    length += kColdLength;
  } else if (blocks[to].is_rare && !blocks[from].is_rare) {
    length += kRareLength;
  }
  return length;
}

Wants wants_of(const LirCode& code, const LirInsn& insn) {
  Wants wants;
  wants.lost = both(insn.clobbers);
  for (const Operand& operand : code.operands_of(insn)) {
    if (operand.fixed == kAnyReg) continue;
    const u32 reg = bit(reg_id(code.vregs[operand.reg].of, operand.fixed));
    switch (operand.role) {
      case Role::use:
      case Role::use_late:
      case Role::use_def:
        wants.uses |= reg;
        break;
      case Role::def:
        wants.defs |= reg;
        break;
      case Role::temp:
        wants.temps |= reg;
        break;
    }
  }
  return wants;
}

void find_flow(const LirCode& code, Facts& facts) {
  facts.blocks.assign(code.blocks.size(), {});
  find_order(code, facts);
  find_natural_loops(code, facts);
  find_frequencies(code, facts);
  for (const u32 b : facts.order) {
    const BlockFacts& block = facts.blocks[b];
    if (block.loop == 0 || block.is_rare) continue;
    u32 lost = 0;
    for (u32 i = 0; i < code.blocks[b].count; ++i) {
      lost |= wants_of(code, code.insns[code.blocks[b].first + i]).all();
    }
    for (u32 loop = block.loop; loop != 0; loop = facts.loops[loop].parent) facts.loops[loop].lost |= lost;
  }
}

bool analyse(const LirCode& code, Facts& facts) {
  CHECK(!code.blocks.empty());
  find_flow(code, facts);
  return find_lives(code, facts);
}

}  // namespace pagoda::opt::ra
