// SPDX-License-Identifier: MIT
// Each step of the translator fails once, by index: an allocation of unit memory or code memory, or a compilation. The
// guest ends as if nothing had happened, with more of it on a lower tier.
#include <gtest/gtest.h>

#include "tcg/cache/injection.h"
#include "unit/riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kCode = kRam + 0x1000, kData = kRam + 0x2000;

// Sums in a loop with calls, stores, loads and a branch that goes both ways.
constexpr u32 kProgram[] = {
    0x00000513,  //  0: addi a0, x0, 0
    0x00000593,  //  4: addi a1, x0, 0
    0x01c000ef,  //  8: jal ra, 0x24
    0x00158593,  //  c: addi a1, a1, 1
    0x0075f613,  // 10: andi a2, a1, 7
    0xfe061ae3,  // 14: bne a2, x0, 0x8
    0x00a6b423,  // 18: sd a0, 8(a3)
    0x00150513,  // 1c: addi a0, a0, 1
    0xfe9ff06f,  // 20: jal x0, 0x8
    0x00b6b023,  // 24: sd a1, 0(a3)
    0x0006b703,  // 28: ld a4, 0(a3)
    0x00e50533,  // 2c: add a0, a0, a4
    0x00008067,  // 30: jalr x0, 0(ra)
};

struct Ending {
  u64 x[32], pc, data, tier1;
};

Ending run(u64 fail_at, u64 every, u64* fired) {
  Bench bench("rv64", {.max_tier = 1, .min_tier = 1, .code_bytes = u64{1} << 20});
  CHECK(bench.memory.write(GuestPhys(kCode), std::as_bytes(std::span(kProgram))));
  Hart& hart = bench.hart();
  hart.x[13] = kData;
  hart.pc = kCode;
  injection::arm(fail_at, every);
  CHECK(bench.vcpu->run(5000) == Vcpu::Stop::budget);
  *fired = injection::fired();
  injection::arm(0, 0);
  Ending ending{};
  std::copy(std::begin(hart.x), std::end(hart.x), ending.x);
  ending.pc = hart.pc;
  CHECK(bench.memory.load(GuestPhys(kData), &ending.data));
  ending.tier1 = bench.vcpu->statistics().tier_instructions[1];
  return ending;
}

void expect_equal(const Ending& a, const Ending& b, const std::string& what) {
  for (u32 i = 0; i < 32; ++i) EXPECT_EQ(a.x[i], b.x[i]) << what << ", x" << i;
  EXPECT_EQ(a.pc, b.pc) << what;
  EXPECT_EQ(a.data, b.data) << what;
}

TEST(Injection, EachStepByIndex) {
  u64 fired = 0;
  const Ending plain = run(0, 0, &fired);
  ASSERT_EQ(fired, 0u);
  ASSERT_GT(plain.x[10], 1000u);
  if (!tier::is_available(tier::default_backend()) || plain.tier1 == 0) GTEST_SKIP() << "no tier 1 on this host";
  u64 index = 1, lower = 0;
  for (;; ++index) {
    const Ending ending = run(index, 0, &fired);
    if (fired == 0) break;
    expect_equal(plain, ending, "step " + std::to_string(index));
    lower += ending.tier1 < plain.tier1;
    ASSERT_LT(index, 1000u);
  }
  // Three steps a block at least: its unit, its compilation, its code.
  EXPECT_GT(index, 12u);
  EXPECT_GT(lower, 4u);
}

TEST(Injection, EveryFewSteps) {
  u64 fired = 0;
  const Ending plain = run(0, 0, &fired);
  for (const u64 every : {1, 2, 3, 4, 5, 7}) {
    expect_equal(plain, run(0, every, &fired), "every " + std::to_string(every));
    EXPECT_GT(fired, 1u);
  }
}

}  // namespace
}  // namespace pagoda::riscv64
