// SPDX-License-Identifier: MIT
// Register allocation: the parts in order.
#include "tcg/opt/regalloc.h"

#include "tcg/opt/regalloc_edges.h"

namespace pagoda::opt {

namespace {
constexpr u32 kMoreRounds = 1;
}

bool allocate_registers(LirCode& code, const Registers& registers) {
  code.places.assign(code.operands.size(), {});
  code.moves.clear();
  code.spills = 0;
  ra::Facts facts;
  if (!ra::analyse(code, facts)) return false;
  ra::Unfit unfit;
  for (u32 round = 0;; ++round) {
    ra::Walk walk(code, registers, facts, unfit);
    if (!walk.run()) return false;
    // What a walk finds out about loops makes the next one better; a third one seldom pays for itself.
    if (round < kMoreRounds && walk.find_unfit(unfit)) continue;
    return ra::write_allocation(code, facts, walk);
  }
}

}  // namespace pagoda::opt
