// SPDX-License-Identifier: MIT
// The state table as the IR's slots.
#include <cstddef>

#include "cpu/arm64/cpu.h"

// Cpu has a base; its members still have fixed offsets, which is all that is asked here.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace pagoda::arm64 {

const ir::SlotTable& slot_table() {
  static constexpr ir::SlotInfo slots[] = {
#define STATE(name, type, member, group) {#name, ir::Type::type, offsetof(Cpu, member)},
#include "cpu/arm64/state.def"
#undef STATE
  };
  static constexpr ir::SlotTable table{slots, kSlotCount};
  return table;
}

}  // namespace pagoda::arm64
