// SPDX-License-Identifier: MIT
// What a plugin may use of the program: the parts of tier 0 that exist once, as threaded code names its handlers by
// address and units lie in memory of the interpreter's. A plugin gets them with its Setup and needs no symbol of the
// program (tcg/plugins/door.cpp). Threading: as what stands behind them (tcg/interp).
#pragma once

#include "tcg/interp/handlers.h"
#include "tcg/interp/interp.h"

namespace pagoda::tier {

struct Services {
  interp::Handler (*handler_of)(const void* address);
  void (*step)(VcpuFrame& frame, const interp::ThreadedOp& op);
  void (*repair)(VcpuFrame& frame, const Unit& unit, u32 index);
  interp::LeaveInfo (*finish)(VcpuFrame& frame, const Unit& unit, u32 op, u32 index);
  interp::LeaveInfo (*execute)(VcpuFrame& frame, const Unit& unit);
  interp::Lowering* (*new_lowering)(ir::SlotTable slots, HelperTable helpers, u32 fusions);
  void (*free_lowering)(interp::Lowering* lowering);
  Unit* (*lower)(interp::Lowering& lowering, const ir::Block& block, const u8* next_page);
};

// This program's.
const Services& services();

}  // namespace pagoda::tier
