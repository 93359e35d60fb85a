// SPDX-License-Identifier: MIT
// RegionCount: how often a region is entered and by which way it is left, for those who look for bad regions.
//
// Only with the switch `count` (region_switches.h): code of a region then counts here. Counts of several vcpus may get
// lost. The object outlives the code.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace pagoda::opt {

struct RegionPlan;
struct LirCode;

struct RegionCount {
  // Code knows where these two are.
  u64 entries = 0;
  u64 insns = 0;  // guest instructions executed: budgets at entry less budgets on leaving

  u64 left_by_site = 0;  // by a poll, the budget, an exception
  struct Exit {
    u64 taken = 0;  // first: code has its address
    u64 from = 0;   // virtual address of the unit whose exit it is
    u64 to = 0;     // 0: indirect
  };
  std::vector<Exit> exits;  // by LirInsn::aux of the instructions that leave

  u64 pc = 0;  // virtual address of the root
  u32 guest_insns = 0;
  std::vector<u64> parts;  // their virtual addresses
};

// Numbers the exits of `code`, which is of `plan`, and has it count.
std::unique_ptr<RegionCount> count_region(const RegionPlan& plan, LirCode& code);
// A line for each region that was entered, most instructions first, and its hot exits.
std::string report(std::span<const std::unique_ptr<RegionCount>> regions);

}  // namespace pagoda::opt
