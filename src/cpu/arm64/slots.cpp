// SPDX-License-Identifier: MIT
// The state table as the IR's slots.
#include <array>
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

// By how often compilers use them: arguments, frame and stack pointer, then saved and temporary ones.
std::span<const u16> pinned_registers() {
  static const std::array<u16, 10> offsets = [] {
    constexpr u32 registers[] = {0, 1, 2, 3, 31, 8, 19, 20, 4, 29};
    std::array<u16, 10> result{};
    for (u32 i = 0; i < 10; ++i) result[i] = static_cast<u16>(slot_table().slots[x_slot(registers[i])].offset);
    return result;
  }();
  return offsets;
}

}  // namespace pagoda::arm64
