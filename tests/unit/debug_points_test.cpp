// SPDX-License-Identifier: MIT
// Look-up of break- and watchpoints.
#include "cpu/debug_points.h"

#include <gtest/gtest.h>

#include "memory/address.h"

namespace pagoda {
namespace {

using Kind = DebugPoint::Kind;

TEST(DebugPoints, Breakpoints) {
  DebugPoints points;
  EXPECT_FALSE(points.any_breakpoint());
  EXPECT_EQ(points.breakpoint_at(0), nullptr);
  const DebugPoint set[] = {
      {Kind::hardware_break, 0x3010}, {Kind::software_break, 0x1000}, {Kind::software_break, 0x7010}};
  points.set(set);
  EXPECT_TRUE(points.any_breakpoint());
  EXPECT_FALSE(points.any_watchpoint());
  EXPECT_EQ(points.breakpoint_at(0x3010)->kind, Kind::hardware_break);
  EXPECT_EQ(points.breakpoint_at(0x1000)->kind, Kind::software_break);
  EXPECT_EQ(points.breakpoint_at(0x3012), nullptr);
  EXPECT_EQ(points.page_offsets(), (std::vector<u16>{0, 0x10}));
  points.set({});
  EXPECT_EQ(points.breakpoint_at(0x3010), nullptr);
}

TEST(DebugPoints, WatchpointsMeetAccesses) {
  DebugPoints points;
  const DebugPoint set[] = {
      {Kind::write_watch, 0x1008, 8}, {Kind::read_watch, 0x2000, 1}, {Kind::access_watch, ~u64{0}, 1}};
  points.set(set);
  const auto writes = [&](u64 address, u64 size) {
    return points.watchpoint_at(address, size, false, true) != nullptr;
  };
  const auto reads = [&](u64 address, u64 size) { return points.watchpoint_at(address, size, true, false) != nullptr; };
  EXPECT_TRUE(writes(0x1008, 1));
  EXPECT_TRUE(writes(0x100f, 8));
  EXPECT_TRUE(writes(0x1001, 8));
  EXPECT_FALSE(writes(0x1000, 8));
  EXPECT_FALSE(writes(0x1010, 8));
  EXPECT_FALSE(reads(0x1008, 8));
  EXPECT_TRUE(reads(0x1ff9, 8));
  EXPECT_FALSE(writes(0x2000, 1));
  EXPECT_TRUE(points.watchpoint_at(0x2000, 4, true, true) != nullptr);
  // The last byte there is, and an access that goes around it.
  EXPECT_TRUE(reads(~u64{0}, 1));
  EXPECT_TRUE(writes(~u64{0} - 3, 8));
  EXPECT_FALSE(writes(0, 8));
}

TEST(DebugPoints, WatchedPages) {
  DebugPoints points;
  const DebugPoint set[] = {{Kind::write_watch, 0x1ffc, 8}, {Kind::read_watch, 0x5000, 1}};
  points.set(set);
  for (const u64 page : {0x1000, 0x2000}) {
    EXPECT_TRUE(points.watched(page).writes) << page;
    EXPECT_FALSE(points.watched(page).reads) << page;
  }
  EXPECT_TRUE(points.watched(0x5000).reads);
  EXPECT_TRUE(points.watched(0x5000).writes);  // atomics
  for (const u64 page : {0x0, 0x3000, 0x4000, 0x6000}) EXPECT_FALSE(points.watched(page).writes) << page;
}

}  // namespace
}  // namespace pagoda
