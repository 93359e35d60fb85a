// SPDX-License-Identifier: MIT
// After the walk: moves on edges, where values are stored, spill slots. Internal to the register allocator.
#pragma once

#include "tcg/opt/regalloc_walk.h"

namespace pagoda::opt::ra {

// By vreg: number of its spill slot, from 1; 0: none. False: more than there are, or too much work.
bool assign_slots(const LirCode& code, const Facts& facts, std::span<const u8> needs_slot, std::vector<u32>& slots,
                  u32& used);

// Writes the moves of all edges and blocks, and all places that are spill slots. False: more slots than there are.
bool write_allocation(LirCode& code, const Facts& facts, Walk& walk);

}  // namespace pagoda::opt::ra
