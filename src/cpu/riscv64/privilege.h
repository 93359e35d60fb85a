// SPDX-License-Identifier: MIT
// Privilege modes, exception causes, interrupt numbers and status fields (Privileged ISA 1.2, 3.1.6, 3.1.9, 3.1.15).
#pragma once

#include "base/types.h"

namespace pagoda::riscv64 {

enum class Mode : u8 { user = 0, supervisor = 1, machine = 3 };

namespace cause {
inline constexpr u64 kFetchMisaligned = 0, kFetchAccess = 1, kIllegal = 2, kBreakpoint = 3, kLoadMisaligned = 4,
                     kLoadAccess = 5, kStoreMisaligned = 6, kStoreAccess = 7, kEcallUser = 8, kEcallSupervisor = 9,
                     kEcallMachine = 11, kFetchPage = 12, kLoadPage = 13, kStorePage = 15;
inline constexpr u64 kInterrupt = u64{1} << 63;
}  // namespace cause

// Interrupts: bit numbers in mip and mie.
namespace irq {
inline constexpr u32 kSsi = 1, kMsi = 3, kSti = 5, kMti = 7, kSei = 9, kMei = 11, kLcofi = 13;
inline constexpr u64 kSsip = 1 << kSsi, kMsip = 1 << kMsi, kStip = 1 << kSti, kMtip = 1 << kMti, kSeip = 1 << kSei,
                     kMeip = 1 << kMei, kLcofip = 1 << kLcofi;
inline constexpr u64 kSupervisor = kSsip | kStip | kSeip;
inline constexpr u64 kAll = kSupervisor | kMsip | kMtip | kMeip;  // without Sscofpmf, which adds kLcofip
}  // namespace irq

namespace status {
inline constexpr u64 kSie = 1 << 1, kMie = 1 << 3, kSpie = 1 << 5, kMpie = 1 << 7, kSpp = 1 << 8, kMppShift = 11,
                     kMpp = 3 << 11, kFsShift = 13, kFs = 3 << 13, kMprv = 1 << 17, kSum = 1 << 18, kMxr = 1 << 19,
                     kTvm = 1 << 20, kTw = 1 << 21, kTsr = 1 << 22;
inline constexpr u64 kUxl = u64{2} << 32, kSxl = u64{2} << 34, kSd = u64{1} << 63;  // both lengths are 64, read-only
inline constexpr u64 kMachineWritable =
    kSie | kMie | kSpie | kMpie | kSpp | kMpp | kFs | kMprv | kSum | kMxr | kTvm | kTw | kTsr;
inline constexpr u64 kSupervisorWritable = kSie | kSpie | kSpp | kFs | kSum | kMxr;
}  // namespace status

// mseccfg (Zkr): whether supervisor and user mode reach the seed.
namespace seccfg {
inline constexpr u64 kUseed = 1 << 8, kSseed = 1 << 9;
}

// mstateen0 (Smstateen): what supervisor mode may use. In mstateen1 to 3 only the topmost bit exists.
namespace stateen {
inline constexpr u64 kStateen = u64{1} << 63, kEnvcfg = u64{1} << 62, kWindow = u64{1} << 60, kAia = u64{1} << 59,
                     kImsic = u64{1} << 58;
}

// menvcfg and senvcfg.
namespace envcfg {
inline constexpr u64 kFiom = 1, kCbieShift = 4, kCbie = 3 << 4, kCbcfe = 1 << 6, kCbze = 1 << 7, kAdue = u64{1} << 61,
                     kPbmte = u64{1} << 62, kStce = u64{1} << 63;
}  // namespace envcfg

}  // namespace pagoda::riscv64
