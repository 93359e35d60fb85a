// SPDX-License-Identifier: MIT
// Goldfish real-time clock: latching, setting, alarm.
#include "devices/rtc/goldfish_rtc.h"

#include <gtest/gtest.h>

#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

enum : u64 {
  kTimeLow = 0x00,
  kTimeHigh = 0x04,
  kAlarmLow = 0x08,
  kAlarmHigh = 0x0c,
  kIrqEnabled = 0x10,
  kClearAlarm = 0x14,
  kAlarmStatus = 0x18,
  kClearInterrupt = 0x1c,
};

class GoldfishRtcTest : public testing::Test {
 protected:
  Bench bench_;
  GoldfishRtc rtc_{"rtc", bench_.clock, [this] { return bench_.wall_clock_ns.load(); }, bench_.irqs.line(0)};

  u64 read_time() {
    const u64 low = mmio_read(rtc_, kTimeLow);
    return mmio_read(rtc_, kTimeHigh) << 32 | low;
  }
  void set_time(u64 ns) {  // as Linux's driver does
    mmio_write(rtc_, kTimeHigh, ns >> 32);
    mmio_write(rtc_, kTimeLow, ns & 0xffff'ffff);
  }
  void set_alarm(u64 ns) {
    mmio_write(rtc_, kAlarmHigh, ns >> 32);
    mmio_write(rtc_, kAlarmLow, ns & 0xffff'ffff);
  }
  void advance(u64 ns) {
    bench_.now_ns += ns;
    bench_.wall_clock_ns += ns;
    bench_.clock.run_due();
  }
};

TEST_F(GoldfishRtcTest, ReadingTheLowHalfLatchesTheHighHalf) {
  bench_.wall_clock_ns = 0x1234'ffff'ffff;
  EXPECT_EQ(mmio_read(rtc_, kTimeLow), 0xffff'ffffu);
  bench_.wall_clock_ns = 0x1235'0000'0000;
  EXPECT_EQ(mmio_read(rtc_, kTimeHigh), 0x1234u);
  EXPECT_EQ(read_time(), 0x1235'0000'0000u);
}

TEST_F(GoldfishRtcTest, TheGuestSetsTheClockUntilReset) {
  const u64 host = bench_.wall_clock_ns;
  set_time(0x0123'4567'89ab'cdef);
  EXPECT_EQ(read_time(), 0x0123'4567'89ab'cdefu);
  advance(1000);
  EXPECT_EQ(read_time(), 0x0123'4567'89ab'cdefu + 1000);
  rtc_.reset();
  EXPECT_EQ(read_time(), host + 1000);
}

TEST_F(GoldfishRtcTest, AlarmInterruptsAtItsTime) {
  mmio_write(rtc_, kIrqEnabled, 1);
  set_alarm(bench_.wall_clock_ns + 5'000'000'000);
  EXPECT_EQ(mmio_read(rtc_, kAlarmStatus), 1u);
  advance(4'999'999'999);
  EXPECT_FALSE(bench_.irqs.level(0));
  advance(1);
  EXPECT_TRUE(bench_.irqs.level(0));
  EXPECT_EQ(mmio_read(rtc_, kAlarmStatus), 0u);
  mmio_write(rtc_, kClearInterrupt, 1);
  EXPECT_FALSE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, TheUpperHalfAloneDoesNotMoveARunningAlarm) {
  mmio_write(rtc_, kIrqEnabled, 1);
  set_alarm(bench_.wall_clock_ns + 1000);
  mmio_write(rtc_, kAlarmHigh, 0);  // the first half of setting another one
  const std::vector<u8> saved = save_state(rtc_);
  ASSERT_TRUE(restore_state(rtc_, saved));
  advance(999);
  EXPECT_FALSE(bench_.irqs.level(0));
  advance(1);
  EXPECT_TRUE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, AlarmInThePastFiresAtOnce) {
  mmio_write(rtc_, kIrqEnabled, 1);
  set_alarm(1);
  EXPECT_TRUE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, DisabledInterruptStaysPendingUntilEnabled) {
  set_alarm(1);
  EXPECT_FALSE(bench_.irqs.level(0));
  mmio_write(rtc_, kIrqEnabled, 1);
  EXPECT_TRUE(bench_.irqs.level(0));
  mmio_write(rtc_, kIrqEnabled, 0);
  EXPECT_FALSE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, ClearedAlarmDoesNotFire) {
  mmio_write(rtc_, kIrqEnabled, 1);
  set_alarm(bench_.wall_clock_ns + 1000);
  mmio_write(rtc_, kClearAlarm, 1);
  EXPECT_EQ(mmio_read(rtc_, kAlarmStatus), 0u);
  EXPECT_EQ(bench_.clock.next_deadline(), std::nullopt);
  advance(2000);
  EXPECT_FALSE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, SettingTheClockForwardFiresTheAlarm) {
  mmio_write(rtc_, kIrqEnabled, 1);
  const u64 alarm = bench_.wall_clock_ns + 3'600'000'000'000;
  set_alarm(alarm);
  set_time(alarm + 1);
  EXPECT_TRUE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, AlarmWaitsWhenTheWallClockIsBehindVirtualTime) {
  mmio_write(rtc_, kIrqEnabled, 1);
  set_alarm(bench_.wall_clock_ns + 1000);
  bench_.now_ns += 1000;
  bench_.wall_clock_ns += 400;
  bench_.clock.run_due();
  EXPECT_FALSE(bench_.irqs.level(0));
  EXPECT_EQ(bench_.clock.next_deadline(), bench_.now_ns + 600);
  advance(600);
  EXPECT_TRUE(bench_.irqs.level(0));
}

TEST_F(GoldfishRtcTest, AlarmBeyondVirtualTimeArmsNoTimer) {
  set_time(0);
  set_alarm(~u64{0});
  EXPECT_EQ(bench_.clock.next_deadline(), std::nullopt);
  EXPECT_EQ(mmio_read(rtc_, kAlarmStatus), 1u);
}

}  // namespace
}  // namespace pagoda::test
