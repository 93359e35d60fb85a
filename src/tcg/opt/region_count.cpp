// SPDX-License-Identifier: MIT
// Where counts lie, and what they say.
#include "tcg/opt/region_count.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "tcg/opt/lir.h"
#include "tcg/opt/plan.h"

namespace pagoda::opt {

std::unique_ptr<RegionCount> count_region(const RegionPlan& plan, LirCode& code) {
  auto count = std::make_unique<RegionCount>();
  count->pc = plan.pc;
  count->guest_insns = plan.guest_insns();
  const u64 page = plan.pc & ~u64{0xfff};
  for (const Part& part : plan.parts) count->parts.push_back(page + static_cast<u64>(offset_of(part)));
  for (LirInsn& insn : code.insns) {
    if (insn.op != Lir::exit_link && insn.op != Lir::exit_indirect) continue;
    insn.aux = static_cast<u32>(count->exits.size());
    RegionCount::Exit& exit = count->exits.emplace_back();
    const auto part = std::ranges::find(plan.parts, insn.unit, &Part::unit);
    if (part == plan.parts.end()) continue;
    exit.from = page + static_cast<u64>(offset_of(*part));
    if (insn.op == Lir::exit_link) exit.to = exit.from + static_cast<u64>(insn.unit->exit_offset[insn.side]);
  }
  code.count = count.get();
  return count;
}

std::string report(std::span<const std::unique_ptr<RegionCount>> regions) {
  std::vector<const RegionCount*> all;
  std::unordered_map<u64, u32> roots, inside;
  for (const auto& region : regions) {
    ++roots[region->pc];
    for (const u64 pc : region->parts) ++inside[pc];
    if (region->entries != 0) all.push_back(region.get());
  }
  std::ranges::sort(all, std::greater(), &RegionCount::insns);
  std::string text;
  for (const RegionCount* region : all) {
    const auto each = [&](u64 count) { return static_cast<double>(count) / static_cast<double>(region->entries); };
    text += fmt::format("region {:x}: {} parts, {} instructions; entered {} times, {} instructions, {:.1f} each",
                        region->pc, region->parts.size(), region->guest_insns, region->entries, region->insns,
                        each(region->insns));
    text += fmt::format("; left by a site {}\n", region->left_by_site);
    std::vector<const RegionCount::Exit*> exits;
    for (const RegionCount::Exit& exit : region->exits) {
      if (exit.taken * 50 >= region->entries && exit.taken != 0) exits.push_back(&exit);
    }
    std::ranges::sort(exits, std::greater(), &RegionCount::Exit::taken);
    for (const RegionCount::Exit* exit : exits) {
      text += fmt::format("  {:5.1f} % from {:x} ", 100 * each(exit->taken), exit->from);
      if (exit->to == 0) {
        text += "indirect\n";
        continue;
      }
      text += fmt::format("to {:x}", exit->to);
      if (roots.contains(exit->to)) text += fmt::format(", root of {}", roots[exit->to]);
      if (inside.contains(exit->to)) text += fmt::format(", inside {}", inside[exit->to]);
      text += '\n';
    }
  }
  return text;
}

}  // namespace pagoda::opt
