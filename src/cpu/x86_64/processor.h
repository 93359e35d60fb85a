// SPDX-License-Identifier: MIT
// Processor: the state of an x86-64 vcpu that user-mode code sees (SDM volume 1, chapter 3).
//
// Starts with the VcpuFrame, so that translated code reaches it by offset. Owned by the vcpu's thread.
#pragma once

#include <span>

#include "base/types.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/host/x87.h"
#include "tcg/ir/block.h"

namespace pagoda::x86_64 {

// Slot numbers in state.def order: Slot::rax, Slot::flags ...
enum class Slot : u32 {
#define STATE(name, type, member, group) name,
#include "cpu/x86_64/state.def"
#undef STATE
};
inline constexpr u32 kSlotCount = 0
#define STATE(name, type, member, group) +1
#include "cpu/x86_64/state.def"
#undef STATE
    ;
// Slot of general register 0 to 15.
constexpr u32 gpr_slot(u32 reg) { return static_cast<u32>(Slot::rax) + reg; }
constexpr u32 xmm_slot(u32 reg) { return static_cast<u32>(Slot::xmm0) + reg; }
constexpr u32 ymm_high_slot(u32 reg) { return static_cast<u32>(Slot::ymmh0) + reg; }
inline constexpr u32 kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsp = 4, kRbp = 5, kRsi = 6, kRdi = 7;

// A 256-bit register as two halves.
struct alignas(32) VectorRegister {
  u64 low[2], high[2];
};

struct Processor : VcpuFrame {
  u64 gpr[16];
  u64 string_step;   // DF as what string instructions go by: 1 or -1
  u64 system_flags;  // RFLAGS without DF and the status flags; bit 1 is always set
  u64 fs_base, gs_base;
  VectorRegister vec[16];
  alignas(16) u64 scratch[2];
  X87State x87;
  u32 unmasked;  // MXCSR: bits 7 to 12 that are clear; the host's are always set. The rest is fp_control's
  u64 flags;     // status flags, bits numbered as ir::Flag: n is SF, z ZF, c CF, v OF, a AF, p PF
};

// Bits of MXCSR that exist; others fault when they are set.
inline constexpr u32 kMxcsrMask = 0xffff;

const ir::SlotTable& slot_table();

// Frame offsets of the registers that compilers keep in host registers, hottest first.
std::span<const u16> pinned_registers();

// RFLAGS bits (SDM volume 1, 3.4.3).
namespace rflags {
inline constexpr u64 kCarry = 1 << 0, kFixed = 1 << 1, kParity = 1 << 2, kAdjust = 1 << 4, kZero = 1 << 6,
                     kSign = 1 << 7, kTrap = 1 << 8, kInterrupt = 1 << 9, kDirection = 1 << 10, kOverflow = 1 << 11,
                     kNested = 1 << 14, kAlignment = 1 << 18, kIdentify = 1 << 21;
inline constexpr u64 kStatus = kCarry | kParity | kAdjust | kZero | kSign | kOverflow;
}  // namespace rflags

// RFLAGS as a program sees it, put together and taken apart.
u64 read_rflags(const Processor& processor);
void write_rflags(Processor& processor, u64 value);

// Exception vectors (SDM volume 3, 6.3.1): the causes that translated code and slow paths record.
enum class Vector : u64 {
  divide_error = 0,
  breakpoint = 3,
  invalid_opcode = 6,
  stack_fault = 12,
  general_protection = 13,
  page_fault = 14,
  x87_error = 16,
};

}  // namespace pagoda::x86_64
