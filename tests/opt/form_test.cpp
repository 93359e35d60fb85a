// SPDX-License-Identifier: MIT
// Which regions are formed of samples: units by hand, at addresses of one page.
#include "tcg/opt/form.h"

#include <array>

#include <gtest/gtest.h>

#include "tcg/cache/unit.h"

namespace pagoda::opt {
namespace {

constexpr u64 kPage = 0x40000;

struct Units {
  std::array<Unit, 8> all;
  std::vector<Sample> samples;

  // A unit of `insns` instructions of 4 bytes at an offset in the page.
  void make(u32 number, u64 offset, u32 insns, Unit::Ends ends, i64 taken = 0, Unit::Goes goes = Unit::Goes::anywhere) {
    Unit& unit = all[number];
    unit.guest_insns = insns;
    unit.mode = 3;
    unit.phys = 0x8000'0000 + offset;
    unit.ends = ends;
    unit.goes = goes;
    unit.exit_offset[0] = taken;
    unit.exit_offset[1] = 4 * i64{insns};
  }
  void run(std::initializer_list<u32> numbers) {
    for (const u32 number : numbers) samples.push_back({&all[number], kPage + (all[number].phys & 0xfff)});
  }
  RegionPlan plan(const FormLimits& limits = {}) const {
    return form_region(samples, 0, limits, [](const Unit&, u32) { return true; });
  }
};

// 0: a loop's header, 4 instructions; 1: the rest of it, 3 instructions; 2: what comes after it.
struct Loop : Units {
  Loop() {
    make(0, 0x100, 4, Unit::Ends::branch, 0x40);
    make(1, 0x110, 3, Unit::Ends::jump, -0x10);
    make(2, 0x140, 2, Unit::Ends::jump, 0x80);
    make(3, 0x1c0, 9, Unit::Ends::jump, -0xc0);
  }
};

TEST(Form, ALoopThatStays) {
  Loop u;
  for (u32 i = 0; i < 20; ++i) u.run({0, 1});
  const RegionPlan plan = u.plan();
  ASSERT_EQ(plan.parts.size(), 2u);
  EXPECT_EQ(plan.pc, kPage + 0x100);
  EXPECT_EQ(plan.parts[0].unit, &u.all[0]);
  EXPECT_EQ(plan.parts[0].next[0], -1);
  EXPECT_EQ(plan.parts[0].next[1], 1);
  EXPECT_EQ(plan.parts[0].count[1], 20u);
  EXPECT_EQ(plan.parts[1].next[0], 0);
}

// The function of units 4 and 5 comes from two places: 11 instructions each time, and back to who called it.
TEST(Form, AFunctionOfFewInstructionsIsNoRegion) {
  Units u;
  u.make(4, 0x300, 6, Unit::Ends::branch, 0x18);
  u.make(5, 0x318, 5, Unit::Ends::indirect, 0, Unit::Goes::ret);
  u.make(6, 0x500, 30, Unit::Ends::jump, -0x200, Unit::Goes::call);
  u.make(7, 0x600, 30, Unit::Ends::jump, -0x300, Unit::Goes::call);
  for (u32 i = 0; i < 10; ++i) u.run({4, 5, 6, 4, 5, 7});
  EXPECT_TRUE(u.plan().parts.empty());
  EXPECT_EQ(u.plan({.fewest_insns = 11}).parts.size(), 2u);
  EXPECT_TRUE(u.plan({.fewest_insns = 12}).parts.empty());
  // Once in a while it stays for long.
  u.all[4].exit_offset[0] = 0;
  for (u32 i = 0; i < 60; ++i) u.run({4});
  u.run({4, 5, 6});
  EXPECT_EQ(u.plan().parts.size(), 2u);
}

// What the plan has no place for is not counted as executed in the region.
TEST(Form, PartsThatWereLeftOutDoNotCount) {
  Loop u;
  u.run({0, 2, 3});
  for (u32 i = 0; i < 10; ++i) u.run({0, 2, 3});
  EXPECT_EQ(u.plan().parts.size(), 3u);
  EXPECT_TRUE(u.plan({.parts = 2}).parts.empty());
  EXPECT_EQ(u.plan({.parts = 2, .fewest_insns = 6}).parts.size(), 2u);
}

}  // namespace
}  // namespace pagoda::opt
