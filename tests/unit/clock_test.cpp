// SPDX-License-Identifier: MIT
// Virtual clock and timers.
#include "devices/bus/clock.h"

#include <gtest/gtest.h>
#include <vector>

namespace pagoda {
namespace {

TEST(VirtualClock, RunsDueTimersInOrderOfDeadline) {
  u64 now = 0;
  VirtualClock clock([&] { return now; });
  std::vector<int> order;
  Timer late(clock, [&] { order.push_back(2); });
  Timer early(clock, [&] { order.push_back(1); });
  late.schedule(20);
  early.schedule(10);
  EXPECT_EQ(clock.run_due(), 10u);
  EXPECT_TRUE(order.empty());
  now = 25;
  EXPECT_EQ(clock.run_due(), std::nullopt);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_FALSE(late.armed());
}

TEST(VirtualClock, WakesOnlyForTheEarliestDeadline) {
  VirtualClock clock([] { return u64{0}; });
  int wakeups = 0;
  clock.set_wakeup([&] { ++wakeups; });
  Timer a(clock, [] {});
  Timer b(clock, [] {});
  a.schedule(10);
  b.schedule(20);
  EXPECT_EQ(wakeups, 1);
  b.schedule(5);
  EXPECT_EQ(wakeups, 2);
  EXPECT_EQ(clock.next_deadline(), 5u);
  b.cancel();
  EXPECT_EQ(clock.next_deadline(), 10u);
}

}  // namespace
}  // namespace pagoda
