// SPDX-License-Identifier: MIT
// Register allocation: the parts in order.
#include "tcg/opt/regalloc.h"

#include "tcg/opt/regalloc_edges.h"

namespace pagoda::opt {

bool allocate_registers(LirCode& code, const Registers& registers) {
  code.places.assign(code.operands.size(), {});
  code.moves.clear();
  code.spills = 0;
  ra::Facts facts;
  if (!ra::analyse(code, facts)) return false;
  ra::Walk walk(code, registers, facts);
  return walk.run() && ra::write_allocation(code, facts, walk);
}

}  // namespace pagoda::opt
