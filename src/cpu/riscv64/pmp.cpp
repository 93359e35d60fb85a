// SPDX-License-Identifier: MIT
// PMP registers, and which entry decides for an address.
#include "cpu/riscv64/pmp.h"

#include <algorithm>
#include <bit>

#include "memory/address.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kAddressMask = (u64{1} << 54) - 1;

u8 match_of(u8 cfg) { return (cfg & pmpcfg::kMatch) >> pmpcfg::kMatchShift; }

}  // namespace

bool Pmp::write_cfg(u32 entry, u8 value) {
  if ((cfg[entry] & pmpcfg::kLock) != 0) return false;
  value &= pmpcfg::kLock | pmpcfg::kMatch | pmpcfg::kRead | pmpcfg::kWrite | pmpcfg::kExecute;
  // Write without read is reserved; the field is WARL.
  if ((value & pmpcfg::kRead) == 0) value &= static_cast<u8>(~pmpcfg::kWrite);
  if (value == cfg[entry]) return false;
  cfg[entry] = value;
  return true;
}

bool Pmp::write_address(u32 entry, u64 value) {
  if ((cfg[entry] & pmpcfg::kLock) != 0) return false;
  // A locked top-of-range entry locks the register that holds its start.
  if (entry + 1 < kPmpEntries && (cfg[entry + 1] & pmpcfg::kLock) != 0 && match_of(cfg[entry + 1]) == pmpcfg::kTor)
    return false;
  value &= kAddressMask;
  if (value == address[entry]) return false;
  address[entry] = value;
  return true;
}

void Pmp::update() {
  region_count = 0;
  for (u32 i = 0; i < kPmpEntries; ++i) {
    const u64 own = address[i] << 2;
    Region region{own, own + 3, cfg[i]};
    switch (match_of(cfg[i])) {
      case pmpcfg::kOff:
        continue;
      case pmpcfg::kTor:
        region.first = i == 0 ? 0 : address[i - 1] << 2;
        if (region.first >= own) continue;
        region.last = own - 1;
        break;
      case pmpcfg::kNa4:
        break;
      case pmpcfg::kNapot: {
        const u64 low_ones = (u64{1} << std::countr_one(address[i])) - 1;
        region.first = (address[i] & ~low_ones) << 2;
        region.last = region.first | low_ones << 3 | 7;
        break;
      }
    }
    regions[region_count++] = region;
  }
}

PmpResult pmp_lookup(const Pmp& pmp, u64 address, Mode mode) {
  constexpr u8 kAll = pmpcfg::kRead | pmpcfg::kWrite | pmpcfg::kExecute;
  PmpResult result{address & kPageMask, address | ~kPageMask, mode == Mode::machine ? kAll : u8{0}};
  // In machine mode entries without lock decide too: they hide later locked ones, and bound what one access may touch.
  for (u32 i = 0; i < pmp.region_count; ++i) {
    const Pmp::Region& region = pmp.regions[i];
    if (region.last < result.first || region.first > result.last) continue;
    if (address >= region.first && address <= region.last) {
      result.first = std::max(result.first, region.first);
      result.last = std::min(result.last, region.last);
      if (mode != Mode::machine || (region.cfg & pmpcfg::kLock) != 0) result.permissions = region.cfg & kAll;
      return result;
    }
    // A stronger entry begins or ends inside the page: the stretch ends there.
    if (region.last < address) {
      result.first = region.last + 1;
    } else {
      result.last = region.first - 1;
    }
  }
  return result;
}

}  // namespace pagoda::riscv64
