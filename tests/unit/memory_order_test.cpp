// SPDX-License-Identifier: MIT
// A full fence keeps a load behind the stores before it: two vcpus in step, so close that the host would reorder them.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

using namespace rv;

constexpr u32 fence() { return 0x0330000f; }  // fence rw, rw
constexpr u32 bltu(u32 rs1, u32 rs2, i32 imm) { return btype(6, rs1, rs2, imm); }
constexpr u32 bge(u32 rs1, u32 rs2, i32 imm) { return btype(5, rs1, rs2, imm); }
constexpr u32 andi(u32 rd, u32 rs1, i32 imm) { return itype(0x13, 7, rd, rs1, imm); }
constexpr u32 srl(u32 rd, u32 rs1, u32 rs2) { return itype(0x33, 5, rd, rs1, static_cast<i32>(rs2)); }

TEST(MemoryOrder, AFenceKeepsLoadsBehindStores) {
  constexpr u64 kData = CpuBench::kRam + 0x100000, kSeen = CpuBench::kRam + 0x200000, kRounds = 100;
  constexpr u64 kPlace[] = {kData, kData + 0x100}, kTurn[] = {kData + 0x200, kData + 0x300};
  CpuBench bench(2);
  // In step, then each waits for a while of its own: 64 times 64 combinations bring them together somewhere.
  bench.put(CpuBench::kRam, {addi(t0, t0, 1), sd(t0, a2, 0),   // my turn
                             ld(t1, a3, 0), bltu(t1, t0, -4),  // the other's
                             srl(t1, t0, s0), andi(t1, t1, 63), addi(t1, t1, -1), bge(t1, x0, -4), sd(t0, a0, 0),
                             fence(), ld(t2, a1, 0),  // mine, then the other's
                             sd(t2, a4, 0), addi(a4, a4, 8), bne(t0, a5, -52), wfi(), j(-4)});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
  u64 both_old = 0, seen_new = 0, before = 0;
  do {
    std::thread threads[2];
    for (const u64 address : {kPlace[0], kPlace[1], kTurn[0], kTurn[1]}) bench.put64(address, before);
    for (u32 i = 0; i < 2; ++i) {
      bench.vcpu(i).reset();  // it waits since the last time
      bench.x(t0, i) = before;
      bench.x(s0, i) = 6 * i;
      bench.x(a0, i) = kPlace[i];
      bench.x(a1, i) = kPlace[1 - i];
      bench.x(a2, i) = kTurn[i];
      bench.x(a3, i) = kTurn[1 - i];
      bench.x(a4, i) = kSeen + i * 0x10000;
      bench.x(a5, i) = before + kRounds;
    }
    // Not before both are set up: a running vcpu may ask the other one to drop tags.
    for (u32 i = 0; i < 2; ++i) {
      threads[i] = std::thread([&, i] {
        EXPECT_EQ(bench.run_from(CpuBench::kRam, i64{1} << 60, i), Vcpu::Stop::waiting);
        EXPECT_EQ(bench.x(t0, i), before + kRounds);
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (u64 n = 0; n < kRounds; ++n) {
      const u64 round = before + n + 1;
      const u64 first = bench.get64(kSeen + 8 * n), second = bench.get64(kSeen + 0x10000 + 8 * n);
      both_old += first < round && second < round;
      seen_new += first >= round || second >= round;
    }
    before += kRounds;
  } while (both_old == 0 && std::chrono::steady_clock::now() < end);
  EXPECT_EQ(both_old, 0u) << "of " << both_old + seen_new;
  EXPECT_GT(seen_new, 0u);
}

}  // namespace
}  // namespace pagoda
