// SPDX-License-Identifier: MIT
// ACLINT: time base, comparators, software interrupts.
#include "devices/timer/aclint.h"

#include <gtest/gtest.h>

#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

constexpr u64 kMtimecmp = 0x4000;
constexpr u64 kMtime = 0xbff8;

class AclintTest : public testing::Test {
 protected:
  u64 now_ = 1'000'000'050;  // half a tick in
  VirtualClock clock_{[this] { return now_; }};
  RecordingIrqs irqs_;
  Aclint aclint_{"clint", clock_, 10'000'000, {{irqs_.line(0), irqs_.line(1)}, {irqs_.line(2), irqs_.line(3)}}};

  void advance(u64 ns) {
    now_ += ns;
    clock_.run_due();
  }
};

TEST_F(AclintTest, TimeCountsTicksOfTheTimeBaseFromReset) {
  EXPECT_EQ(aclint_.mtime(), 0u);
  advance(49);
  EXPECT_EQ(aclint_.mtime(), 0u);
  advance(1);
  EXPECT_EQ(aclint_.mtime(), 1u);
  advance(1'000'000'000);
  EXPECT_EQ(mmio_read(aclint_, kMtime, 8), 10'000'001u);
  aclint_.reset();
  EXPECT_EQ(aclint_.mtime(), 0u);
}

TEST_F(AclintTest, TimerInterruptsWhenTimeReachesTheComparator) {
  mmio_write(aclint_, kMtimecmp + 8, 100, 8);
  EXPECT_FALSE(irqs_.level(3));
  ASSERT_TRUE(clock_.next_deadline());
  EXPECT_EQ(*clock_.next_deadline(), 1'000'010'000u) << "at the edge of tick 100, not half a tick late";
  advance(9'949);
  EXPECT_FALSE(irqs_.level(3));
  advance(1);
  EXPECT_EQ(aclint_.mtime(), 100u);
  EXPECT_TRUE(irqs_.level(3));
  EXPECT_FALSE(irqs_.level(1)) << "the other hart";
  mmio_write(aclint_, kMtimecmp + 8, 200, 8);
  EXPECT_FALSE(irqs_.level(3)) << "a later comparator takes the interrupt back";
  mmio_write(aclint_, kMtimecmp + 8, 0, 8);
  EXPECT_TRUE(irqs_.level(3));
}

TEST_F(AclintTest, ComparatorTakesHalves) {
  mmio_write(aclint_, kMtimecmp + 4, 0, 4);
  EXPECT_FALSE(irqs_.level(1)) << "the low half is still all ones";
  EXPECT_EQ(mmio_read(aclint_, kMtimecmp, 8), 0xffff'ffffu);
  mmio_write(aclint_, kMtimecmp, 0, 4);
  EXPECT_TRUE(irqs_.level(1));
}

TEST_F(AclintTest, WritingTimeMovesTheDeadline) {
  int observed = 0;
  aclint_.set_time_observer([&] { ++observed; });
  mmio_write(aclint_, kMtimecmp, 1'000'000, 8);
  mmio_write(aclint_, kMtime, 999'990, 8);
  EXPECT_EQ(observed, 1);
  EXPECT_FALSE(irqs_.level(1));
  advance(1'000);
  EXPECT_TRUE(irqs_.level(1));
  mmio_write(aclint_, kMtime, 5, 8);
  EXPECT_FALSE(irqs_.level(1));
}

TEST_F(AclintTest, TimeWrapsAndTheComparisonIsUnsigned) {
  mmio_write(aclint_, kMtimecmp, ~u64{0} - 1, 8);
  mmio_write(aclint_, kMtime, ~u64{0} - 2, 8);
  EXPECT_FALSE(irqs_.level(1));
  advance(100);
  EXPECT_TRUE(irqs_.level(1));
  advance(200);
  EXPECT_EQ(aclint_.mtime(), 0u);
}

TEST_F(AclintTest, FarDeadlinesArmNoTimer) {
  mmio_write(aclint_, kMtimecmp, ~u64{0} - 1, 8);
  EXPECT_EQ(clock_.next_deadline(), std::nullopt);
  EXPECT_EQ(aclint_.deadline_of(~u64{0} - 1), std::nullopt);
  EXPECT_EQ(aclint_.deadline_of(0), now_);
  EXPECT_EQ(aclint_.deadline_of(1), 1'000'000'100u);
}

TEST_F(AclintTest, DeadlinesRoundUpWhenTheTimeBaseDoesNotDivideASecond) {
  now_ = 0;
  Aclint odd("clint", clock_, 32'768, {{IrqLine{}, irqs_.line(5)}});
  mmio_write(odd, kMtimecmp, 1, 8);
  EXPECT_EQ(odd.deadline_of(1), 30'518u);  // 30517.58 ns
  advance(30'517);
  EXPECT_FALSE(irqs_.level(5));
  advance(1);
  EXPECT_TRUE(irqs_.level(5));
  EXPECT_EQ(odd.deadline_of(32'768), 1'000'000'000u);
}

TEST_F(AclintTest, SoftwareInterruptsFollowBitZero) {
  mmio_write(aclint_, 4, 0xffff'ffff);
  EXPECT_TRUE(irqs_.level(2));
  EXPECT_FALSE(irqs_.level(0));
  EXPECT_EQ(mmio_read(aclint_, 4), 1u);
  mmio_write(aclint_, 4, 2);
  EXPECT_FALSE(irqs_.level(2));
  mmio_write(aclint_, 8, 1);  // a hart that is not there
  EXPECT_EQ(mmio_read(aclint_, 8), 0u);
}

TEST_F(AclintTest, RestoreRearmsTheTimer) {
  mmio_write(aclint_, kMtimecmp, 100, 8);
  mmio_write(aclint_, 0, 1);
  const std::vector<u8> saved = save_state(aclint_);
  RecordingIrqs irqs;
  Aclint other("clint", clock_, 10'000'000, {{irqs.line(0), irqs.line(1)}, {irqs.line(2), irqs.line(3)}});
  ASSERT_TRUE(restore_state(other, saved));
  EXPECT_TRUE(irqs.level(0));
  EXPECT_FALSE(irqs.level(1));
  advance(10'000);
  EXPECT_TRUE(irqs.level(1));
}

}  // namespace
}  // namespace pagoda::test
