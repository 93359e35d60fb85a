// SPDX-License-Identifier: MIT
// Load-reserved and store-conditional (Unprivileged ISA, "Zalrsc"): what lets the store happen.
#include <gtest/gtest.h>

#include "riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kStore = kRam + 0x1000, kLoad = kStore + 0x10, kConditional = kStore + 0x20, kData = kRam + 0x4000;

struct Width {
  u32 load_reserved, store_conditional;  // lr a0, (a1); sc a2, a3, (a4)
  u64 mask;
};
constexpr Width kWidths[] = {{0x1005b52f, 0x18d7362f, ~u64{0}}, {0x1005a52f, 0x18d7262f, 0xffffffff}};

// Each width by the slow path and with a hit in the TLB.
class StoreConditional : public testing::TestWithParam<std::tuple<Width, bool>> {
 protected:
  StoreConditional() {
    // Each with an endless loop behind it.
    for (const u64 place : {kStore, kLoad, kConditional}) bench.store32(place + 4, 0x0000006f);
    bench.store32(kStore, 0x10f5b023);  // sd a5, 256(a1): gives the page its write tag
    bench.store32(kLoad, width().load_reserved);
    bench.store32(kConditional, width().store_conditional);
    bench.hart().x[11] = bench.hart().x[14] = kData;
    bench.store64(kData, 1);
    bench.store64(kData + 8, 1);
    if (std::get<1>(GetParam())) run(kStore);
  }
  const Width& width() { return std::get<0>(GetParam()); }
  void run(u64 pc) {
    bench.hart().pc = pc;
    bench.vcpu->run(100);  // less would be a unit for one run, which no compiler sees
  }
  void load() {
    run(kLoad);
    EXPECT_EQ(bench.hart().x[10], bench.load64(kData) & width().mask);
  }
  bool store(u64 value) {
    bench.hart().x[13] = value;
    bench.hart().x[12] = 99;
    run(kConditional);
    EXPECT_LE(bench.hart().x[12], 1u);
    return bench.hart().x[12] == 0;
  }
  Bench bench;
};

TEST_P(StoreConditional, HappensOnceAfterItsLoad) {
  load();
  EXPECT_TRUE(store(2));
  EXPECT_EQ(bench.load64(kData), 2u);
  EXPECT_FALSE(store(3));
  EXPECT_EQ(bench.load64(kData), 2u);
}

TEST_P(StoreConditional, NeedsALoad) {
  EXPECT_FALSE(store(2));
  EXPECT_EQ(bench.load64(kData), 1u);
}

TEST_P(StoreConditional, NeedsTheAddressOfTheLoad) {
  load();
  bench.hart().x[14] = kData + 8;
  EXPECT_FALSE(store(2));
  EXPECT_EQ(bench.load64(kData), 1u);
  EXPECT_EQ(bench.load64(kData + 8), 1u);
}

TEST_P(StoreConditional, FailsWhenTheValueHasChanged) {
  load();
  bench.store64(kData, 7);
  EXPECT_FALSE(store(2));
  EXPECT_EQ(bench.load64(kData), 7u);
}

INSTANTIATE_TEST_SUITE_P(Riscv, StoreConditional, testing::Combine(testing::ValuesIn(kWidths), testing::Bool()));

}  // namespace
}  // namespace pagoda::riscv64
