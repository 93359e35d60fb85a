// SPDX-License-Identifier: MIT
// PLIC: gateways, claim and completion, priorities and thresholds.
#include "devices/irq/plic.h"

#include <gtest/gtest.h>

#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

constexpr u64 kPending = 0x1000;

class PlicTest : public testing::Test {
 protected:
  RecordingIrqs harts_;
  Plic plic_{"plic", 96, {harts_.line(0), harts_.line(1), harts_.line(2)}};

  void set_priority(u32 source, u64 priority) { mmio_write(plic_, 4 * source, priority); }
  void set_threshold(u32 context, u64 threshold) { mmio_write(plic_, 0x20'0000 + 0x1000 * context, threshold); }
  u64 claim(u32 context) { return mmio_read(plic_, 0x20'0004 + 0x1000 * context); }
  void complete(u32 context, u64 source) { mmio_write(plic_, 0x20'0004 + 0x1000 * context, source); }
  void enable(u32 context, u32 source, bool on = true) {
    const u64 offset = 0x2000 + 0x80 * context + source / 32 * 4;
    const u64 bit = u64{1} << (source % 32);
    const u64 word = mmio_read(plic_, offset);
    mmio_write(plic_, offset, on ? word | bit : word & ~bit);
  }
  bool pending(u32 source) { return (mmio_read(plic_, kPending + source / 32 * 4) >> (source % 32) & 1) != 0; }
};

TEST_F(PlicTest, DeliversOnlyWhatIsEnabledAndHasAPriority) {
  plic_.set_irq(10, true);
  EXPECT_TRUE(pending(10));
  EXPECT_FALSE(harts_.level(0));
  enable(0, 10);
  EXPECT_FALSE(harts_.level(0)) << "priority 0 never interrupts";
  EXPECT_EQ(claim(0), 0u);
  set_priority(10, 1);
  EXPECT_TRUE(harts_.level(0));
  EXPECT_FALSE(harts_.level(1));
}

TEST_F(PlicTest, ClaimClearsPendingAndCompletionReraisesWhileTheWireIsHigh) {
  enable(1, 10);
  set_priority(10, 3);
  plic_.set_irq(10, true);
  EXPECT_EQ(claim(1), 10u);
  EXPECT_FALSE(pending(10));
  EXPECT_FALSE(harts_.level(1));
  EXPECT_EQ(claim(1), 0u);
  plic_.set_irq(10, true);
  EXPECT_FALSE(pending(10)) << "the gateway waits for completion";
  complete(1, 10);
  EXPECT_TRUE(pending(10));
  EXPECT_TRUE(harts_.level(1));
  EXPECT_EQ(claim(1), 10u);
  plic_.set_irq(10, false);
  complete(1, 10);
  EXPECT_FALSE(pending(10));
  EXPECT_FALSE(harts_.level(1));
}

TEST_F(PlicTest, ARequestStaysWhenTheWireFallsBeforeTheClaim) {
  enable(0, 5);
  set_priority(5, 1);
  plic_.set_irq(5, true);
  plic_.set_irq(5, false);
  EXPECT_TRUE(harts_.level(0));
  EXPECT_EQ(claim(0), 5u);
  complete(0, 5);
  EXPECT_EQ(claim(0), 0u);
}

TEST_F(PlicTest, ARiseDuringServiceThatFellAgainIsForgotten) {
  enable(0, 5);
  set_priority(5, 1);
  plic_.set_irq(5, true);
  EXPECT_EQ(claim(0), 5u);
  plic_.set_irq(5, false);
  plic_.set_irq(5, true);
  plic_.set_irq(5, false);
  complete(0, 5);
  EXPECT_FALSE(pending(5));
}

// A wire that stays high after its one event was served is what xv6's driver leaves of a 16550.
TEST_F(PlicTest, AnEventSourceInterruptsOncePerEvent) {
  const IrqLine wire = plic_.event_input(10);
  enable(0, 10);
  set_priority(10, 1);
  wire.set(true);
  EXPECT_EQ(claim(0), 10u);
  complete(0, 10);
  EXPECT_FALSE(pending(10)) << "high, and nothing new";
  wire.set(true);
  EXPECT_FALSE(pending(10)) << "the same level again is no event";
  wire.renew();
  EXPECT_TRUE(harts_.level(0));
  EXPECT_EQ(claim(0), 10u);
  complete(0, 10);
  EXPECT_FALSE(harts_.level(0));
  wire.set(false);
  wire.renew();
  EXPECT_FALSE(pending(10)) << "a low wire has nothing to renew";
  wire.set(true);
  EXPECT_TRUE(pending(10));
}

TEST_F(PlicTest, AnEventDuringServiceIsNotLost) {
  const IrqLine wire = plic_.event_input(10);
  enable(0, 10);
  set_priority(10, 1);
  wire.set(true);
  EXPECT_EQ(claim(0), 10u);
  wire.renew();
  wire.renew();
  EXPECT_FALSE(harts_.level(0)) << "the gateway waits for completion";
  complete(0, 10);
  EXPECT_TRUE(harts_.level(0));
  EXPECT_EQ(claim(0), 10u);
  complete(0, 10);
  EXPECT_FALSE(harts_.level(0)) << "one is remembered";

  wire.set(false);
  wire.set(true);
  EXPECT_EQ(claim(0), 10u);
  wire.set(false);
  wire.set(true);
  complete(0, 10);
  EXPECT_EQ(claim(0), 10u) << "a rise is an event, too";
  wire.set(false);
  wire.set(true);
  wire.set(false);
  complete(0, 10);
  EXPECT_EQ(claim(0), 0u) << "served before completion";
}

TEST_F(PlicTest, AnEventBeforeTheClaimIsServedByIt) {
  const IrqLine wire = plic_.event_input(10);
  enable(0, 10);
  set_priority(10, 1);
  wire.set(true);
  wire.renew();
  EXPECT_EQ(claim(0), 10u);
  wire.renew();
  plic_.reset();
  wire.set(true);
  enable(0, 10);
  set_priority(10, 1);
  EXPECT_EQ(claim(0), 10u);
  complete(0, 10);
  EXPECT_EQ(claim(0), 0u) << "no event outlives a reset";
}

TEST_F(PlicTest, RenewingALevelSourceDoesNothing) {
  enable(0, 5);
  set_priority(5, 1);
  plic_.set_irq(5, true);
  EXPECT_EQ(claim(0), 5u);
  plic_.set_irq(5, false);
  plic_.renew_irq(5);
  complete(0, 5);
  EXPECT_FALSE(pending(5));
}

TEST_F(PlicTest, RestoreKeepsTheEventOfAnInterruptInService) {
  Plic other("plic", 96, {harts_.line(3), harts_.line(4), harts_.line(5)});
  for (const bool renewed : {false, true}) {
    plic_.reset();
    const IrqLine wire = plic_.event_input(10);
    enable(0, 10);
    set_priority(10, 1);
    wire.set(true);
    EXPECT_EQ(claim(0), 10u);
    if (renewed) wire.renew();
    const IrqLine other_wire = other.event_input(10);
    ASSERT_TRUE(restore_state(other, save_state(plic_)));
    other_wire.set(true);  // a restored device drives its wire
    mmio_write(other, 0x20'0004, 10);
    EXPECT_EQ(harts_.level(3), renewed);
  }
}

TEST_F(PlicTest, HighestPriorityFirstThenLowestNumber) {
  for (const u32 source : {7u, 40u, 41u, 95u}) {
    enable(0, source);
    plic_.set_irq(source, true);
  }
  set_priority(7, 2);
  set_priority(40, 5);
  set_priority(41, 5);
  set_priority(95, 7);
  EXPECT_EQ(claim(0), 95u);
  EXPECT_EQ(claim(0), 40u);
  EXPECT_EQ(claim(0), 41u);
  EXPECT_EQ(claim(0), 7u);
  EXPECT_EQ(claim(0), 0u);
}

TEST_F(PlicTest, ThresholdMasksTheOutputButNotTheClaim) {
  enable(0, 3);
  set_priority(3, 4);
  set_threshold(0, 4);
  plic_.set_irq(3, true);
  EXPECT_FALSE(harts_.level(0)) << "the priority must be above the threshold";
  set_threshold(0, 3);
  EXPECT_TRUE(harts_.level(0));
  set_threshold(0, 7);
  EXPECT_FALSE(harts_.level(0));
  EXPECT_EQ(claim(0), 3u);
}

TEST_F(PlicTest, OnlyOneContextGetsASharedInterrupt) {
  set_priority(9, 1);
  for (const u32 context : {0u, 1u, 2u}) enable(context, 9);
  plic_.set_irq(9, true);
  EXPECT_TRUE(harts_.level(0) && harts_.level(1) && harts_.level(2));
  EXPECT_EQ(claim(2), 9u);
  EXPECT_FALSE(harts_.level(0) || harts_.level(1) || harts_.level(2));
  EXPECT_EQ(claim(0), 0u);
}

TEST_F(PlicTest, CompletionIsIgnoredUnlessEnabledForTheContext) {
  set_priority(9, 1);
  enable(0, 9);
  plic_.set_irq(9, true);
  EXPECT_EQ(claim(0), 9u);
  complete(1, 9);
  EXPECT_FALSE(pending(9));
  enable(0, 9, false);
  complete(0, 9);
  EXPECT_FALSE(pending(9));
  enable(0, 9);
  complete(0, 9);
  EXPECT_TRUE(pending(9));
}

TEST_F(PlicTest, CompletionOfNothingOrNonsenseDoesNothing) {
  set_priority(9, 1);
  enable(0, 9);
  plic_.set_irq(9, true);
  for (const u64 source : {u64{0}, u64{9}, u64{96}, u64{0xffff'ffff}}) complete(0, source);
  EXPECT_EQ(claim(0), 9u);
}

TEST_F(PlicTest, SourceZeroDoesNotExist) {
  mmio_write(plic_, 0x2000, 0xffff'ffff);
  EXPECT_EQ(mmio_read(plic_, 0x2000), 0xffff'fffeu);
  mmio_write(plic_, 0x0, 7);
  EXPECT_EQ(mmio_read(plic_, 0x0), 0u);
}

TEST_F(PlicTest, PendingBitsAreReadOnly) {
  mmio_write(plic_, kPending, 0xffff'ffff);
  EXPECT_EQ(mmio_read(plic_, kPending), 0u);
}

TEST_F(PlicTest, PeekOfClaimShowsItWithoutClaiming) {
  set_priority(9, 1);
  enable(0, 9);
  plic_.set_irq(9, true);
  EXPECT_EQ(plic_.peek(0x20'0004, 4), 9u);
  EXPECT_TRUE(pending(9));
}

TEST_F(PlicTest, SourcesPastTheLastCannotBeEnabled) {
  Plic small("plic", 40, {IrqLine{}});
  mmio_write(small, 0x2004, 0xffff'ffff);
  EXPECT_EQ(mmio_read(small, 0x2004), 0xffu);
  mmio_write(small, 4 * 39, 7);
  EXPECT_EQ(mmio_read(small, 4 * 39), 7u);
  mmio_write(small, 4 * 40, 7);
  EXPECT_EQ(mmio_read(small, 4 * 40), 0u);
}

TEST_F(PlicTest, RestoreDrivesTheOutputs) {
  set_priority(9, 1);
  enable(1, 9);
  plic_.set_irq(9, true);
  const std::vector<u8> saved = save_state(plic_);
  RecordingIrqs harts;
  Plic other("plic", 96, {harts.line(0), harts.line(1), harts.line(2)});
  ASSERT_TRUE(restore_state(other, saved));
  EXPECT_TRUE(harts.level(1));
  EXPECT_FALSE(harts.level(0));
  EXPECT_EQ(mmio_read(other, 0x20'1004), 9u);

  // In service with the wire still high: completion must raise it again.
  Plic third("plic", 96, {harts.line(3), harts.line(4), harts.line(5)});
  ASSERT_TRUE(restore_state(third, save_state(other)));
  EXPECT_FALSE(harts.level(4));
  mmio_write(third, 0x20'1004, 9);
  EXPECT_TRUE(harts.level(4));
}

}  // namespace
}  // namespace pagoda::test
