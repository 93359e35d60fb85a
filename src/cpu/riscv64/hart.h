// SPDX-License-Identifier: MIT
// Hart: the architectural state of a RISC-V 64 vcpu (Privileged ISA, CSR listing in chapter 2).
//
// Starts with the VcpuFrame, so that translated code reaches it by offset. Owned by the vcpu's thread; the atomics at
// the end are written by devices (hart_port.h).
#pragma once

#include <atomic>

#include "base/types.h"
#include "cpu/riscv64/extensions.h"
#include "cpu/riscv64/pmp.h"
#include "cpu/riscv64/privilege.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/ir/block.h"

namespace pagoda {
class InterruptFile;
}

namespace pagoda::riscv64 {

class HartPort;

// Whose interrupt file, window and top interrupt (AIA): index of Hart's arrays.
enum class AiaLevel : u32 { machine, supervisor };

// Ticks per second of the `time` CSR, mtime and stimecmp; the device tree says the same.
inline constexpr u64 kTimebaseHz = 10'000'000;
inline constexpr u64 kNanosecondsPerTick = 1'000'000'000 / kTimebaseHz;

// Counters 0 to 18: cycle, a gap where `time` is, instret, and 16 programmable ones.
inline constexpr u32 kCounters = 19;

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
  u64 x[32];             // x[0] stays 0
  u64 f[32];             // f32 values are NaN-boxed
  u64 reserved_address;  // of LR; kNoReservation when none
  u64 reserved_value;

  Mode privilege;
  u8 frm;                 // rounding mode field, as written (0..7); the sticky flags live in the host's format
  Extensions extensions;  // what this hart implements; kept by reset, as are the next two
  u64 hart_id;
  u64 reset_pc;

  // Storage of CSRs; numbers, masks and reset values in csr.def. mstatus is held without SD, UXL and SXL.
  u64 mstatus, medeleg, mideleg, mie, mtvec, mscratch, mepc, mcause, mtval, menvcfg, mcountinhibit, mcounteren;
  u64 stvec, sscratch, sepc, scause, stval, satp, senvcfg, scounteren, stimecmp;
  u64 miselect, siselect;
  u64 mseccfg, mstateen[4];
  u64 software_pending;  // bits of mip that software may set: SSIP, STIP (without Sstc), SEIP
  // Counters (counters.h). One that runs reads as retired instructions + its base, modulo 2^64, another one as its
  // base. Configuration: mcyclecfg, minstretcfg, mhpmevent. Overflows are due at an instruction count.
  u64 counter_base[kCounters], counter_config[kCounters], overflow_at[kCounters];
  u64 next_overflow;
  u32 running_counters, filtered_counters;
  Pmp pmp;

  // Interrupt files by AiaLevel, null: none; kept by reset. What mtopei and stopei gave last, and at which instruction.
  InterruptFile* files[2];
  u32 top_read[2];
  u64 top_read_at[2];

  HartPort* port;  // null: no interrupt pins, stimecmp is only compared when mip is read
  // Interrupt pins, bits numbered as in mip: MSIP, MTIP, SEIP, MEIP; STIP is stimecmp's. Any thread.
  std::atomic<u64> pins;
  std::atomic<u64> time_offset;  // ticks of `time` beyond those of virtual time. Any thread.
};
inline constexpr u64 kNoReservation = ~u64{0};

const ir::SlotTable& slot_table();

// The mode key: everything besides the bytes that the meaning of a translation depends on.
//   bits 0-1 privilege; bit 2 FS is not Off; bit 3 FS is Dirty; bits 6-8 memory mode
//   bits 4-5 rounding field: 0 static modes 0..3, 1 RMM, 2 reserved
struct ModeKey {
  static constexpr u32 kPrivilege = 3, kFpOn = 1 << 2, kFpDirty = 1 << 3, kRoundShift = 4, kMemoryShift = 6;
  static constexpr u32 kRoundMode = 0, kRoundAway = 1, kRoundReserved = 2;
};

// Memory modes, also table indices of the softmmu. M-mode without MPRV uses `bare`.
enum class MemoryMode : u32 { bare, user, user_mxr, supervisor, supervisor_sum, supervisor_mxr, supervisor_sum_mxr };
inline constexpr u32 kMemoryModeCount = 7;

}  // namespace pagoda::riscv64
