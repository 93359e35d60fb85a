// SPDX-License-Identifier: MIT
// Memory map and interrupts of the RISC-V `virt` machine, as QEMU's machine of that name has them.
#pragma once

#include "base/types.h"
#include "machines/riscv_board.h"

namespace pagoda::riscv_virt {

using Window = RiscvBoard::Window;

// Physical address space; what lies between is not there.
inline constexpr Window kResetRom{0x0000'1000, 0xf000};  // harts start here
inline constexpr Window kTest{0x0010'0000, 0x1000};      // SiFive test finisher: power off, reset
inline constexpr Window kRtc{0x0010'1000, 0x1000};       // Goldfish
inline constexpr Window kClint{0x0200'0000, 0x1'0000};   // machine software interrupts, machine timer
inline constexpr Window kPciIo{0x0300'0000, 0x1'0000};   // PCI I/O space
inline constexpr Window kPlic{0x0c00'0000, 0x60'0000};   // contexts: M and S mode of each hart in turn
// With -M virt,aia=: APLIC domains in the PLIC's place, a page for each hart's interrupt file.
inline constexpr Window kAplicMachine{0x0c00'0000, 0x8000};
inline constexpr Window kAplicSupervisor{0x0d00'0000, 0x8000};
inline constexpr Window kImsicMachine{0x2400'0000, 0x400'0000};
inline constexpr Window kImsicSupervisor{0x2800'0000, 0x400'0000};
inline constexpr Window kUart{0x1000'0000, 0x100};             // 16550A
inline constexpr Window kVirtio{0x1000'1000, 0x1000};          // slot 0; the others follow at this distance
inline constexpr Window kFwCfg{0x1010'0000, 0x18};             // firmware configuration
inline constexpr Window kFlash{0x2000'0000, 0x200'0000};       // bank 0; bank 1 follows
inline constexpr Window kPciEcam{0x3000'0000, 0x1000'0000};    // configuration space of 256 buses
inline constexpr Window kPciMemory{0x4000'0000, 0x4000'0000};  // bus addresses are the same
inline constexpr u64 kRamBase = 0x8000'0000;
// Bus addresses above 4 GiB: a window of this size, at the first multiple of it behind RAM.
inline constexpr u64 kPciHighMemory = u64{16} << 30;

inline constexpr u32 kVirtioSlots = 8;
inline constexpr u32 kFlashBanks = 2;

// Sources of the PLIC or the APLIC.
inline constexpr u32 kVirtioIrq = 1;  // slot 0; one more for each next
inline constexpr u32 kUartIrq = 10;
inline constexpr u32 kRtcIrq = 11;
inline constexpr u32 kPciIrq = 0x20;  // wire 0 of 4; the next ones follow
inline constexpr u32 kSources = 96;   // 0, which does not exist, included

}  // namespace pagoda::riscv_virt
