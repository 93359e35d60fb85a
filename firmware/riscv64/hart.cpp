// SPDX-License-Identifier: MIT
// Finding harts by id, and the step from machine mode into the supervisor.
#include "hart.h"

#include "csr.h"
#include "platform.h"
#include "sbi.h"

extern "C" [[noreturn]] void enter_lower_mode(uint64_t a0, uint64_t a1);

namespace pagoda::firmware {

Hart* find_hart(uint64_t id) {
  // Usually ids count up from zero.
  if (id < hart_count && harts[id].id == id) return &harts[id];
  for (uint32_t i = 0; i < hart_count; ++i) {
    if (harts[i].id == id) return &harts[i];
  }
  return nullptr;
}

HartSelection select_harts(uint64_t mask, uint64_t base) {
  constexpr uint64_t kAllHarts = ~uint64_t{0};
  if (base == kAllHarts) return {true, kAllHarts >> (64 - hart_count)};
  uint64_t selected = 0;
  for (; mask != 0; mask &= mask - 1) {
    const uint64_t offset = static_cast<uint64_t>(__builtin_ctzll(mask));
    const Hart* hart = base + offset >= base ? find_hart(base + offset) : nullptr;
    if (hart == nullptr) return {false, 0};
    selected |= uint64_t{1} << hart->index;
  }
  return {true, selected};
}

bool supervisor_range(uint64_t address, uint64_t size) {
  const PhysicalRange own = firmware_range();
  const uint64_t end = address + size;
  return end >= address && (end <= own.base || address >= own.base + own.size);
}

void enter_supervisor(Hart& hart, uint64_t address, uint64_t argument) {
  csr_write<kSatp>(0);
  csr_write<kStvec>(address & ~uint64_t{3});
  csr_write<kSscratch>(0);
  csr_write<kSie>(0);
  uint64_t status = kStatusMppSupervisor;
  const uint64_t misa = csr_read<kMisa>();
  if ((misa & misa_bit('F')) != 0) status |= kStatusFsInitial;
  if ((misa & misa_bit('V')) != 0) status |= kStatusVsInitial;
  csr_write<kMstatus>(status);
  csr_write<kMepc>(address);
  asm volatile("sfence.vma\n fence.i" : : : "memory");
  enter_lower_mode(hart.id, argument);
}

}  // namespace pagoda::firmware
