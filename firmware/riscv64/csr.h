// SPDX-License-Identifier: MIT
// Machine-mode CSR numbers, fields and accessors (RISC-V privileged specification, chapters "CSRs" and "Machine-Level
// ISA").
#pragma once

#include <stdint.h>

#include "layout.h"

namespace pagoda::firmware {

// Numbers instead of names: assemblers differ in which of the younger names they know.
enum Csr : unsigned {
  kSie = 0x104,
  kStvec = 0x105,
  kScounteren = 0x106,
  kSscratch = 0x140,
  kSepc = 0x141,
  kScause = 0x142,
  kStval = 0x143,
  kStimecmp = 0x14d,
  kSatp = 0x180,
  kMstatus = 0x300,
  kMisa = 0x301,
  kMedeleg = 0x302,
  kMideleg = 0x303,
  kMie = 0x304,
  kMcounteren = 0x306,
  kMenvcfg = 0x30a,
  kMstateen0 = 0x30c,
  kMcountinhibit = 0x320,
  kMepc = 0x341,
  kMtval = 0x343,
  kMip = 0x344,
  kPmpcfg0 = 0x3a0,
  kPmpcfg2 = 0x3a2,
  kPmpaddr0 = 0x3b0,
  kMseccfg = 0x747,
  kMvendorid = 0xf11,
  kMarchid = 0xf12,
  kMimpid = 0xf13,
  kTime = 0xc01,
};

// Bits of mip, mie and mideleg.
inline constexpr uint64_t kSupervisorSoft = 1u << 1;
inline constexpr uint64_t kMachineSoft = 1u << 3;
inline constexpr uint64_t kSupervisorTimer = 1u << 5;
inline constexpr uint64_t kMachineTimer = 1u << 7;
inline constexpr uint64_t kSupervisorExternal = 1u << 9;
inline constexpr uint64_t kCounterOverflow = 1u << 13;
inline constexpr uint64_t kSupervisorInterrupts = kSupervisorSoft | kSupervisorTimer | kSupervisorExternal;

// mstatus
inline constexpr uint64_t kStatusSie = 1u << 1;
inline constexpr uint64_t kStatusSpie = 1u << 5;
inline constexpr uint64_t kStatusSpp = 1u << 8;
inline constexpr uint64_t kStatusVsInitial = 1u << 9;
inline constexpr uint64_t kStatusMppMask = 3u << 11;
inline constexpr uint64_t kStatusMppSupervisor = 1u << 11;
inline constexpr uint64_t kStatusFsInitial = 1u << 13;
inline constexpr uint64_t kStatusMprv = 1u << 17;
inline constexpr uint64_t kStatusMxr = 1u << 19;

// mseccfg
inline constexpr uint64_t kSecSseed = 1u << 9;

// menvcfg
inline constexpr uint64_t kEnvCbieInvalidate = 3u << 4;
inline constexpr uint64_t kEnvCbcfe = 1u << 6;
inline constexpr uint64_t kEnvCbze = 1u << 7;
inline constexpr uint64_t kEnvAdue = 1ull << 61;
inline constexpr uint64_t kEnvPbmte = 1ull << 62;
inline constexpr uint64_t kEnvStce = 1ull << 63;

// mcause
inline constexpr uint64_t kCauseInterrupt = 1ull << 63;
inline constexpr uint64_t kCauseMachineSoft = kCauseInterrupt | 3;
inline constexpr uint64_t kCauseMachineTimer = kCauseInterrupt | 7;
inline constexpr uint64_t kCauseIllegalInstruction = 2;
inline constexpr uint64_t kCauseSupervisorEcall = 9;

constexpr uint64_t misa_bit(char letter) { return 1ull << (letter - 'A'); }

template <Csr csr>
inline uint64_t csr_read() {
  uint64_t value;
  asm volatile("csrr %0, %1" : "=r"(value) : "i"(csr) : "memory");
  return value;
}

template <Csr csr>
inline void csr_write(uint64_t value) {
  asm volatile("csrw %0, %1" : : "i"(csr), "r"(value) : "memory");
}

template <Csr csr>
inline void csr_set(uint64_t bits) {
  asm volatile("csrs %0, %1" : : "i"(csr), "r"(bits) : "memory");
}

template <Csr csr>
inline void csr_clear(uint64_t bits) {
  asm volatile("csrc %0, %1" : : "i"(csr), "r"(bits) : "memory");
}

// Whether the CSR can be read on this hart: the read traps if not, and trap_from_machine in entry.S continues at 1.
template <Csr csr>
inline bool csr_exists() {
  uint64_t value;
  uint64_t exists;
  asm volatile(
      "li %1, 0\n"
      "lla t0, 1f\n"
      "sd t0, %3(tp)\n"
      "csrr %0, %2\n"
      "li %1, 1\n"
      "1: sd zero, %3(tp)"
      : "=&r"(value), "=&r"(exists)
      : "i"(csr), "i"(HART_RECOVER)
      : "t0", "memory");
  return exists != 0;
}

inline void wait_for_interrupt() { asm volatile("wfi" : : : "memory"); }

// Written as the FENCE it is, so that assemblers without Zihintpause take it.
inline void pause() { asm volatile(".word 0x0100000f" : : : "memory"); }

// Orders memory and device accesses both ways: before a doorbell is rung, after it is acknowledged.
inline void fence_all() { asm volatile("fence iorw, iorw" : : : "memory"); }

}  // namespace pagoda::firmware
