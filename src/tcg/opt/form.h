// SPDX-License-Identifier: MIT
// Region formation: from a sample of where control went to a plan.
//
// When a unit turns out to be hot, its vcpu executes a few hundred units one by one and writes down which: that says
// what the likely ways are, where indirect jumps lead, and who calls whom, at no cost to compiled code. The plan has
// the units that were seen between two visits of the hot one. What is called is there once for each way it is called
// (parts), so that its return is a jump to a known place.
// Threading: samples belong to a vcpu; plans to who made them. Units are looked at while they cannot go away.
#pragma once

#include <span>
#include <vector>

#include "tcg/abi/helper_table.h"
#include "tcg/opt/plan.h"

namespace pagoda::opt {

struct Sample {
  Unit* unit;
  u64 pc;
};

struct FormLimits {
  u32 parts = 96;
  u32 guest_insns = 600;
  u32 pages = 4;       // of guest code
  u32 call_depth = 4;  // of calls within calls
  // Guest instructions that are executed each time control comes to the region, as the sample has it: with fewer of
  // them, coming and going costs more than is gained.
  u32 fewest_insns = 20;
};

// The region of samples[0], which is its root. No parts: there is none worth having. `may_have` says whether a unit may
// be in a region; it is asked once for each.
RegionPlan form_region(std::span<const Sample> samples, u32 memory_mode, const FormLimits& limits,
                       bool (*may_have)(const Unit& unit, u32 mode));

// Takes parts out of a plan whose blocks (which it has by now) no region can have, and what only they lead to. Part 0
// is none of these.
void leave_out_unbuildable(RegionPlan& plan, HelperTable helpers);

}  // namespace pagoda::opt
