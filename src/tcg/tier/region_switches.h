// SPDX-License-Identifier: MIT
// Switches that make mistakes of tier 2 visible.
#pragma once

#include "base/types.h"

namespace pagoda::tier {

// How tier 2 compiles; for those who look for its mistakes.
struct RegionSwitches {
  u32 level = 3;                  // of passes
  u64 disabled_passes = 0;        // by bit
  i64 fuel = -1;                  // changes that passes may make to a region; negative: any number
  u64 most_regions = ~u64{0};     // that are compiled; then no more
  bool pages = true;              // accesses may share page checks
  bool spill_everything = false;  // values live in memory between instructions
  u32 shuffle_seed = 0;           // not 0: registers are chosen in an order made from it
  bool check = false;             // of what the register allocator did
  bool count = false;             // code counts how often it is entered and left, and where
};

}  // namespace pagoda::tier
