// SPDX-License-Identifier: MIT
// Pagoda's RISC-V SBI firmware as bytes in the program: the default of `-bios` on RISC-V machines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace pagoda {

// A flat image. Load it at any address aligned to kRiscv64SbiFirmwareRegionSize (`virt`: 0x80000000), afresh on every
// machine reset, and start all harts at its first byte with a0 = hart id, a1 = device tree, a2 = fw_dynamic_info.
extern const std::span<const std::byte> riscv64_sbi_firmware;

// Memory the firmware owns from its load address on. Supervisor and user mode get access faults there, so the device
// tree must reserve it (`no-map`).
inline constexpr std::uint64_t kRiscv64SbiFirmwareRegionSize = 0x40000;

}  // namespace pagoda
