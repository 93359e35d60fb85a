// SPDX-License-Identifier: MIT
// The state table as the IR's slots, the order in which registers are pinned, RFLAGS.
#include "cpu/x86_64/processor.h"

#include <array>
#include <cstddef>

// Processor has a base; its members still have fixed offsets, which is all that is asked here.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace pagoda::x86_64 {
namespace {

struct StatusBit {
  u64 mask;
  ir::Flag flag;
};
constexpr StatusBit kStatusBits[] = {{rflags::kCarry, ir::Flag::c},  {rflags::kParity, ir::Flag::p},
                                     {rflags::kAdjust, ir::Flag::a}, {rflags::kZero, ir::Flag::z},
                                     {rflags::kSign, ir::Flag::n},   {rflags::kOverflow, ir::Flag::v}};

}  // namespace

const ir::SlotTable& slot_table() {
  static constexpr ir::SlotInfo slots[] = {
#define STATE(name, type, member, group) {#name, ir::Type::type, offsetof(Processor, member)},
#include "cpu/x86_64/state.def"
#undef STATE
  };
  static constexpr ir::SlotTable table{slots, kSlotCount};
  return table;
}

// By how often compilers use them: results and arguments first, then the stack, then what calls preserve.
std::span<const u16> pinned_registers() {
  static const std::array<u16, 10> offsets = [] {
    constexpr u32 registers[] = {kRax, kRdi, kRsi, kRdx, kRcx, kRsp, kRbx, kRbp, 8, 12};
    std::array<u16, 10> result{};
    for (u32 i = 0; i < 10; ++i) result[i] = static_cast<u16>(slot_table().slots[gpr_slot(registers[i])].offset);
    return result;
  }();
  return offsets;
}

u64 read_rflags(const Processor& processor) {
  u64 value = processor.system_flags | rflags::kFixed;
  for (const StatusBit& bit : kStatusBits) {
    if ((processor.flags >> static_cast<u32>(bit.flag) & 1) != 0) value |= bit.mask;
  }
  return processor.string_step == 1 ? value : value | rflags::kDirection;
}

void write_rflags(Processor& processor, u64 value) {
  u32 flags = 0;
  for (const StatusBit& bit : kStatusBits) {
    if ((value & bit.mask) != 0) flags |= 1u << static_cast<u32>(bit.flag);
  }
  processor.flags = static_cast<u8>(flags);
  processor.string_step = (value & rflags::kDirection) != 0 ? ~u64{0} : 1;
  processor.system_flags = (value & ~(rflags::kStatus | rflags::kDirection)) | rflags::kFixed;
}

}  // namespace pagoda::x86_64
