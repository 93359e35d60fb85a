// SPDX-License-Identifier: MIT
// Cpu: the architectural state of an ARM64 vcpu, as far as user code sees it (Arm ARM, chapter B1.2).
//
// Starts with the VcpuFrame, so that translated code reaches it by offset. Owned by the vcpu's thread.
#pragma once

#include <span>

#include "base/types.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/ir/block.h"

namespace pagoda::arm64 {

// Slot numbers in state.def order: Slot::x0, Slot::v0 ...
enum class Slot : u32 {
#define STATE(name, type, member, group) name,
#include "cpu/arm64/state.def"
#undef STATE
};
inline constexpr u32 kSlotCount = 0
#define STATE(name, type, member, group) +1
#include "cpu/arm64/state.def"
#undef STATE
    ;
constexpr u32 slot(Slot which) { return static_cast<u32>(which); }
constexpr u32 x_slot(u32 reg) { return slot(Slot::x0) + reg; }  // x0..x30, 31: sp
constexpr u32 v_slot(u32 reg) { return slot(Slot::v0) + reg; }

struct alignas(16) Vector {
  u64 half[2];  // low, high
};

struct Cpu : VcpuFrame {
  u64 x[31];
  u64 sp;
  alignas(16) Vector v[32];
  Vector saturated;  // any bit: FPSR.QC is set
  u64 tpidr_el0;
  // The exclusive monitor: address and what was loaded from it; kNoExclusive when it is open.
  u64 exclusive_address, exclusive_value[2];
  u64 nzcv;  // as ir::Flag numbers bits
  u32 fpsr;  // QC, unless it is in `saturated`, and IDC; the other sticky flags live in the host's format
             // (VcpuFrame::fp_control)
  u32 fpcr;
};
// The mode key: FPCR flushes denormals or wants default NaNs, so that arithmetic is not the IR's own.
inline constexpr u32 kModeSlowFp = 1;
inline constexpr u64 kNoExclusive = ~u64{0};

const ir::SlotTable& slot_table();
// Frame offsets of the registers that compilers keep in host registers, hottest first.
std::span<const u16> pinned_registers();

}  // namespace pagoda::arm64
