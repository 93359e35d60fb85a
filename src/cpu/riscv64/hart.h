// SPDX-License-Identifier: MIT
// Hart: the architectural state of a RISC-V 64 vcpu (Privileged ISA, CSR listing in chapter 2).
//
// Starts with the VcpuFrame, so that translated code reaches it by offset. Owned by the vcpu's thread; `pins` and the
// clock's fields are written by devices.
#pragma once

#include <atomic>

#include "base/types.h"
#include "cpu/riscv64/extensions.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/ir/block.h"

namespace pagoda::riscv64 {

enum class Mode : u8 { user = 0, supervisor = 1, machine = 3 };

// Slot numbers in state.def order: Slot::ra, Slot::ft0 ...
enum class Slot : u32 {
#define STATE(name, type, member, group) name,
#include "cpu/riscv64/state.def"
#undef STATE
};
inline constexpr u32 kSlotCount = 0
#define STATE(name, type, member, group) +1
#include "cpu/riscv64/state.def"
#undef STATE
    ;
// Slot of x1..x31 and of f0..f31.
constexpr u32 x_slot(u32 reg) { return static_cast<u32>(Slot::ra) + reg - 1; }
constexpr u32 f_slot(u32 reg) { return static_cast<u32>(Slot::ft0) + reg; }

struct Hart : VcpuFrame {
  u64 x[32];  // x[0] stays 0
  u64 f[32];  // f32 values are NaN-boxed
  u64 reserved_address;  // of LR; kNoReservation when none
  u64 reserved_value;

  Mode privilege;
  Extensions extensions;  // what this hart implements

  // Machine and supervisor state; CSR numbers and masks in csr.def.
  u64 mstatus, medeleg, mideleg, mie, mtvec, mscratch, mepc, mcause, mtval, menvcfg, mcountinhibit, mseccfg;
  u32 mcounteren, scounteren;
  u64 stvec, sscratch, sepc, scause, stval, satp, senvcfg, stimecmp;
  u64 software_pending;  // bits of mip that software may set: SSIP, STIP (without Sstc), SEIP
  u8 frm;                // rounding mode field, as written (0..7); the sticky flags live in the host's format
  i64 instret_offset;    // minstret = retired instructions + this
  i64 cycle_offset;      // mcycle likewise
  u8 pmpcfg[16];
  u64 pmpaddr[16];
  u64 hart_id;

  // Interrupt pins, bits numbered as in mip: MSIP, MTIP, SEIP, MEIP. Any thread.
  std::atomic<u64> pins;
};
inline constexpr u64 kNoReservation = ~u64{0};

const ir::SlotTable& slot_table();

// The mode key: everything besides the bytes that the meaning of a translation depends on.
//   bits 0-1 privilege; bit 2 FS is not Off; bit 3 FS is Dirty; bits 4-5 rounding field: 0 static modes 0..3, 1 RMM, 2 reserved
//   bits 6-8 memory mode
struct ModeKey {
  static constexpr u32 kPrivilege = 3, kFpOn = 1 << 2, kFpDirty = 1 << 3, kRoundShift = 4, kMemoryShift = 6;
  static constexpr u32 kRoundMode = 0, kRoundAway = 1, kRoundReserved = 2;
};

// Memory modes, also table indices of the softmmu. M-mode without MPRV uses `bare`.
enum class MemoryMode : u32 { bare, user, user_mxr, supervisor, supervisor_sum, supervisor_mxr, supervisor_sum_mxr };
inline constexpr u32 kMemoryModeCount = 7;

}  // namespace pagoda::riscv64
