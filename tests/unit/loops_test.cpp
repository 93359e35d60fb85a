// SPDX-License-Identifier: MIT
// Code that several units of a loop have in common (tcg/cache/loops.cpp): it is made, counts and faults exactly, and
// ends with each of its units.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

using namespace rv;

constexpr u64 kCode = CpuBench::kRam, kData = CpuBench::kRam + 0x10000;
constexpr CodeOptions kTier1{.max_tier = 1, .min_tier = 1}, kTier0{.max_tier = 0};

constexpr u32 andi(u32 rd, u32 rs1, i32 imm) { return itype(0x13, 7, rd, rs1, imm); }

// A loop of three units: at 0, at 12 for even t0, and at 16.
void put_loop(CpuBench& bench) {
  bench.put(kCode, {addi(t0, t0, 1), andi(t1, t0, 1), bne(t1, x0, 8), addi(a0, a0, 3), addi(a1, a1, 1),
                    bne(t0, a2, -20), j(0)});
}

bool has_compiler(CpuBench& bench) {
  bench.put(kData, {li(t0, 1), j(0)});
  bench.run_from(kData, 60);
  bench.x(t0) = 0;
  return bench.cache().host_bytes != 0;
}

TEST(Loops, UnitsThatLeadToEachOtherGetCodeInCommon) {
  CpuBench bench(1, kTier1);
  if (!has_compiler(bench)) GTEST_SKIP() << "no executable memory";
  put_loop(bench);
  bench.x(a2) = 1000;
  bench.run_from(kCode, 100000);
  EXPECT_GE(bench.cache().loops, 1u);
  EXPECT_EQ(bench.x(t0), 1000u);
  EXPECT_EQ(bench.x(a0), 1500u);
  EXPECT_EQ(bench.x(a1), 1000u);
}

TEST(Loops, BudgetsEndThemAtEveryInstruction) {
  CpuBench one(1, kTier1), none(1, kTier0);
  for (CpuBench* bench : {&one, &none}) {
    put_loop(*bench);
    bench->x(a2) = ~u64{0};
    bench->run_from(kCode, 4000);
  }
  for (i64 budget = 1; budget < 70; ++budget) {
    for (CpuBench* bench : {&one, &none}) EXPECT_EQ(bench->vcpu().run(budget), Vcpu::Stop::budget);
    ASSERT_EQ(one.pc(), none.pc()) << budget;
    ASSERT_EQ(one.vcpu().instructions(), none.vcpu().instructions()) << budget;
    for (const u32 reg : {t0, t1, a0, a1}) ASSERT_EQ(one.x(reg), none.x(reg)) << budget << " x" << reg;
  }
}

TEST(Loops, FaultsInTheMiddleOfThemAreExact) {
  CpuBench one(1, kTier1), none(1, kTier0);
  for (CpuBench* bench : {&one, &none}) {
    // Stores through all of memory, a page ahead each turn for odd t0, until there is none.
    bench->put(kCode, {addi(t0, t0, 1), andi(t1, t0, 1), bne(t1, x0, 8), addi(a0, a0, 3), sd(t0, a3, 8),
                       itype(0x33, 0, a3, a3, static_cast<i32>(a4)), addi(a1, a1, 1), bne(t0, a2, -28), j(0)});
    bench->x(a2) = ~u64{0};
    bench->x(a3) = kData;
    bench->x(a4) = 0x800;
    bench->vcpu().state<riscv64::Hart>().mtvec = kCode + 32;
    bench->run_from(kCode, 100000);
  }
  EXPECT_NE(none.vcpu().state<riscv64::Hart>().mcause, 0u);
  EXPECT_EQ(one.vcpu().state<riscv64::Hart>().mepc, none.vcpu().state<riscv64::Hart>().mepc);
  EXPECT_EQ(one.vcpu().state<riscv64::Hart>().mtval, none.vcpu().state<riscv64::Hart>().mtval);
  for (const u32 reg : {t0, t1, a0, a1, a3}) EXPECT_EQ(one.x(reg), none.x(reg)) << reg;
}

// Whichever of its units goes, the loop's code goes.
TEST(Loops, TheyEndWithEachOfTheirUnits) {
  for (const u64 at : {u64{0}, u64{12}, u64{16}}) {
    CpuBench bench(1, kTier1);
    if (!has_compiler(bench)) GTEST_SKIP() << "no executable memory";
    // Each unit in a granule of its own.
    bench.put(kCode, {addi(t0, t0, 1), andi(t1, t0, 1), bne(t1, x0, 128 - 8), j(64 - 12)});
    bench.put(kCode + 64, {addi(a0, a0, 3), j(64 - 4)});
    bench.put(kCode + 128, {addi(a1, a1, 1), bne(t0, a2, -132), j(0)});
    bench.x(a2) = 1000;
    bench.run_from(kCode, 20000);
    ASSERT_GE(bench.cache().loops, 1u);
    ASSERT_EQ(bench.x(a1), 1000u);
    if (at == 0) bench.put(kCode, {addi(t0, t0, 2)});
    if (at == 12) bench.put(kCode + 64, {addi(a0, a0, 5)});
    if (at == 16) bench.put(kCode + 128, {addi(a1, a1, 7)});
    bench.x(t0) = bench.x(a0) = bench.x(a1) = 0;
    bench.run_from(kCode, 20000);
    EXPECT_EQ(bench.x(t0), 1000u);
    EXPECT_EQ(bench.x(a1), at == 0 ? 500u : at == 16 ? 7000u : 1000u);
    EXPECT_EQ(bench.x(a0), at == 12 ? 2500u : 1500u);
  }
}

TEST(Loops, WhoIsInsideLeavesWhenAUnitIsWritten) {
  CpuBench bench(1, kTier1);
  if (!has_compiler(bench)) GTEST_SKIP() << "no executable memory";
  bench.put(kCode, {addi(t0, t0, 1), bne(t0, x0, 8), addi(a0, a0, 1), sd(t0, a3, 0), bne(t0, x0, -16), j(0)});
  bench.x(a3) = kData;
  bench.run_from(kCode, 1000);
  ASSERT_GE(bench.cache().loops, 1u);
  const u64 before = bench.get64(kData);
  std::thread runner([&] { EXPECT_EQ(bench.run_from(kCode, i64{1} << 60), Vcpu::Stop::waiting); });
  while (bench.get64(kData) < before + 1'000'000) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  bench.put(kCode + 16, {wfi(), j(0)});
  runner.join();
}

}  // namespace
}  // namespace pagoda
