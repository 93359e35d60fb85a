// SPDX-License-Identifier: MIT
// The state table as the IR's slots.
#include <cstddef>

#include "cpu/riscv64/hart.h"

// Hart has bases and atomics; its members still have fixed offsets, which is all that is asked here.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace pagoda::riscv64 {

const ir::SlotTable& slot_table() {
  static constexpr ir::SlotInfo slots[] = {
#define STATE(name, type, member, group) {#name, ir::Type::type, offsetof(Hart, member)},
#include "cpu/riscv64/state.def"
#undef STATE
  };
  static constexpr ir::SlotTable table{slots, kSlotCount};
  return table;
}

}  // namespace pagoda::riscv64
