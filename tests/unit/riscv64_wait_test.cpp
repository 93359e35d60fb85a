// SPDX-License-Identifier: MIT
// Instructions by which one hart waits for another (Unprivileged ISA, "Zawrs" and "Zihintpause"): they give the host's
// processor away, and only while there is something to wait for.
#include <gtest/gtest.h>

#include "riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kCode = kRam + 0x1000, kData = kRam + 0x4000;
constexpr u32 kLoadReserved = 0x1005a52f;  // lr.w a0, (a1)
constexpr u32 kStore = 0x00d5a023;         // sw a3, (a1)
constexpr u32 kWaitLong = 0x00d00073, kWaitShort = 0x01d00073;
constexpr u32 kPause = 0x0100000f, kLoop = 0x0000006f, kBackThree = 0xff5ff06f;  // j -12

class Waiting : public testing::Test {
 protected:
  Waiting() {
    bench.hart().x[11] = kData;
    bench.hart().x[13] = 2;
    bench.store64(kData, 1);
  }
  void run(std::initializer_list<u32> code, i64 budget = 100) {
    u64 at = kCode;
    for (const u32 word : code) bench.store32(at, word), at += 4;
    bench.store32(at, kLoop);
    bench.hart().pc = kCode;
    bench.vcpu->run(budget);
  }
  u64 naps() { return bench.vcpu->statistics().naps; }
  Bench bench;
};

TEST_F(Waiting, SleepsWhileTheReservationStands) {
  run({kLoadReserved, kWaitShort});
  EXPECT_EQ(naps(), 1u);
  run({kLoadReserved, kWaitLong});
  EXPECT_GT(naps(), 2u);
  EXPECT_EQ(bench.hart().x[10], 1u);
}

TEST_F(Waiting, NotWithoutAReservation) {
  run({kWaitShort, kWaitLong});
  EXPECT_EQ(naps(), 0u);
}

TEST_F(Waiting, NotWhenTheWordHasChanged) {
  run({kLoadReserved, kStore, kWaitShort, kWaitLong});
  EXPECT_EQ(naps(), 0u);
}

// Enabled or not by mstatus.MIE.
TEST_F(Waiting, NotWhileAnInterruptIsPending) {
  bench.hart().mie = u64{1} << 3;
  bench.port->set_irq(irq::kMsi, true);
  run({kLoadReserved, kWaitShort, kWaitLong});
  EXPECT_EQ(naps(), 0u);
}

TEST_F(Waiting, AnUnmappedWordIsNotWaitedFor) {
  bench.hart().reserved_address = kRam + kRamSize;
  bench.hart().reserved_value = 0;
  run({kWaitShort, kWaitLong});
  EXPECT_EQ(naps(), 0u);
  EXPECT_FALSE(bench.faulted());
}

TEST_F(Waiting, PausesAreCounted) {
  run({kPause, kPause, kPause, kBackThree}, 256 * 4);
  EXPECT_EQ(bench.vcpu->statistics().pauses, 256u * 3);
}

}  // namespace
}  // namespace pagoda::riscv64
