// SPDX-License-Identifier: MIT
// Physical memory protection (Privileged ISA 3.7): 16 entries, granularity 4 bytes.
//
// Threading: the owning vcpu's thread only.
#pragma once

#include "base/types.h"
#include "cpu/riscv64/privilege.h"

namespace pagoda::riscv64 {

inline constexpr u32 kPmpEntries = 16;

namespace pmpcfg {
inline constexpr u8 kRead = 1, kWrite = 2, kExecute = 4, kMatchShift = 3, kMatch = 3 << 3, kLock = 1 << 7;
inline constexpr u8 kOff = 0, kTor = 1, kNa4 = 2, kNapot = 3;
}  // namespace pmpcfg

struct Pmp {
  u8 cfg[kPmpEntries];
  u64 address[kPmpEntries];  // bits 55-2 of a physical address

  // Made from the registers by update(): entries that match something, by priority.
  struct Region {
    u64 first, last;  // bytes, both included
    u8 cfg;
  };
  Region regions[kPmpEntries];
  u32 region_count;

  // Writes one register under the rules of locking and legal values. True if anything changed.
  bool write_cfg(u32 entry, u8 value);
  bool write_address(u32 entry, u64 value);
  void update();
};

// What holds around one physical address: permissions and the stretch of its page where the same entry decides for
// every byte. An access that reaches beyond the stretch fails whatever its permissions.
struct PmpResult {
  u64 first, last;  // bytes, both included, within the page
  u8 permissions;   // pmpcfg::kRead | kWrite | kExecute
};
PmpResult pmp_lookup(const Pmp& pmp, u64 address, Mode mode);

}  // namespace pagoda::riscv64
