// SPDX-License-Identifier: MIT
// RegionPlan: which units a region is made of, and how control goes between them.
//
// A unit may be there several times, once for each way it is called (inlined calls). Indices are into `parts`; part 0
// is where the region is entered. Plain data, made by CodeCache and the code manager, read by the builder.
#pragma once

#include <vector>

#include "tcg/cache/unit.h"
#include "tcg/ir/block.h"

namespace pagoda::opt {

struct Part {
  Unit* unit = nullptr;
  const ir::Block* block = nullptr;  // the unit's code, lifted again
  i32 page = 0;                      // virtual pages from the one of part 0
  // What the unit's exits lead to; -1: out of the region. An indirect jump has one expected way, next[0].
  i32 next[2] = {-1, -1};
  u64 count[2] = {};  // how often each way was taken, as far as is known
};

struct RegionPlan {
  std::vector<Part> parts;
  u32 memory_mode = 0;
  u64 pc = 0;  // virtual address of the root where it was sampled, for who reads of it
  u32 guest_insns() const {
    u32 total = 0;
    for (const Part& part : parts) total += part.unit->guest_insns;
    return total;
  }
};

// Bytes from the start of the region's page (that of part 0) to the part's first instruction.
inline i64 offset_of(const Part& part) { return i64{part.page} * 4096 + static_cast<i64>(part.unit->phys & 0xfff); }

}  // namespace pagoda::opt
