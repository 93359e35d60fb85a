// SPDX-License-Identifier: MIT
// Compare and swap of 16 bytes: one step for other harts, register pairs, faults before anything happens.
#include <thread>

#include <gtest/gtest.h>

#include "cpu_bench.h"
#include "riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kPlace = kRam + 0x1000;
constexpr u32 kWide = ir::MemOp{.size_log2 = 4, .align = true}.pack();

// Two harts add to both halves of one place: a step that is not one loses a count or shows halves that differ.
TEST(RiscvAtomic, SixteenBytesAreOneStep) {
  constexpr u64 kTimes = 30'000;
  CpuBench bench(2);
  std::atomic<u64> torn = 0;
  const auto add = [&](u32 index) {
    VcpuFrame& frame = bench.frame(index);
    u64 seen[2] = {0, 0};
    for (u64 done = 0; done < kTimes;) {
      const u64 guess[2] = {seen[0], seen[1]}, next[2] = {seen[0] + 1, seen[1] + 1};
      frame.slow->cas_wide(&frame, kPlace, seen, next, kWide);
      torn += seen[0] != seen[1];
      if (seen[0] != guess[0] || seen[1] != guess[1]) continue;
      ++done;
      seen[0] = next[0];
      seen[1] = next[1];
    }
  };
  std::thread other(add, 1u);
  add(0);
  other.join();
  EXPECT_EQ(torn, 0u);
  EXPECT_EQ(bench.get64(kPlace), 2 * kTimes);
  EXPECT_EQ(bench.get64(kPlace + 8), 2 * kTimes);
}

constexpr u64 registers(u32 rd, u32 rs2) { return rd | u64{rs2} << 8; }

TEST(RiscvAtomic, PairsOfRegisters) {
  Bench bench("max");
  Hart& hart = bench.hart();
  const auto set = [&](u64 low, u64 high) {
    bench.store64(kPlace, low);
    bench.store64(kPlace + 8, high);
  };
  hart.x[12] = 7, hart.x[13] = 8;
  // Equal: stored. The old value comes back in any case.
  set(1, 2);
  hart.x[10] = 1, hart.x[11] = 2;
  bench.helper(HelperId::amocas_q, kPlace, 0, 0, registers(10, 12));
  EXPECT_EQ(bench.load64(kPlace), 7u);
  EXPECT_EQ(bench.load64(kPlace + 8), 8u);
  EXPECT_EQ(hart.x[10], 1u);
  EXPECT_EQ(hart.x[11], 2u);
  // One half differs: not stored.
  set(1, 3);
  bench.helper(HelperId::amocas_q, kPlace, 0, 0, registers(10, 12));
  EXPECT_EQ(bench.load64(kPlace), 1u);
  EXPECT_EQ(hart.x[11], 3u);
  // x0 and x1 are not a pair but zero.
  set(0, 0);
  hart.x[1] = 5;
  bench.helper(HelperId::amocas_q, kPlace, 0, 0, registers(0, 12));
  EXPECT_EQ(bench.load64(kPlace + 8), 8u);
  EXPECT_EQ(hart.x[0], 0u);
  EXPECT_EQ(hart.x[1], 5u);
  hart.x[10] = 7, hart.x[11] = 8;
  bench.helper(HelperId::amocas_q, kPlace, 0, 0, registers(10, 0));
  EXPECT_EQ(bench.load64(kPlace), 0u);
  EXPECT_EQ(bench.load64(kPlace + 8), 0u);
}

TEST(RiscvAtomic, FaultsLeaveEverythingAsItWas) {
  Bench bench("max");
  Hart& hart = bench.hart();
  struct Fault {
    u64 address, cause;
  };
  constexpr u64 kStoreMisaligned = 6, kStoreAccess = 7;
  for (const auto& [address, cause] : {Fault{kPlace + 8, kStoreMisaligned}, Fault{kPlace + 1, kStoreMisaligned},
                                       Fault{kRam + kRamSize, kStoreAccess}, Fault{0x1000, kStoreAccess}}) {
    bench.store64(kPlace + 8, 4);
    hart.x[10] = 4, hart.x[11] = 0, hart.x[12] = 9;
    bench.helper(HelperId::amocas_q, address, 0, 0, registers(10, 12));
    ASSERT_TRUE(bench.faulted());
    EXPECT_EQ(hart.fault_cause, cause);
    EXPECT_EQ(hart.fault_value, address);
    EXPECT_EQ(hart.x[10], 4u);
    EXPECT_EQ(bench.load64(kPlace + 8), 4u);
  }
}

}  // namespace
}  // namespace pagoda::riscv64
