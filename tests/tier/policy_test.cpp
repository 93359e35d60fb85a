// SPDX-License-Identifier: MIT
// Hot-spot policies: one trace on which all four decide differently, as logs of promotions (PAGODA_BLESS=1 writes them
// again), and the single rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include <fmt/format.h>

#include "tcg/tier/policy.h"

namespace pagoda::tier {
namespace {

const std::string kGoldenFile = PAGODA_TEST_DIR "/golden/policies.txt";

// What units do: `count` entries (`e`), or jumps back (`b`), evenly from one tick to another.
struct Stretch {
  u32 from, to;
  const char* unit;
  char kind;
  u32 count;
};
constexpr Stretch kTrace[] = {
    {10, 11, "loop", 'e', 20},
    {12, 40, "loop", 'b', 3200},
    // Now and then for a long time.
    {100, 36100, "rare", 'e', 12},
    // Twice for a moment, a while apart.
    {200, 201, "twice", 'e', 5},
    {3000, 3001, "twice", 'e', 4},
    // A loop that runs a little each time.
    {400, 401, "poller", 'e', 10},
    {410, 60000, "poller", 'b', 4000},
    // A program starts: many units at once, and one more in the midst of them that runs a few times.
    {40960, 41900, "crowd", 'e', 10},
    {42100, 42101, "late", 'e', 12},
    {60000, 60001, "later", 'e', 12},
};
constexpr u32 kCrowd = 80;

struct Traced {
  Heat heat;
  u32 tier = 0, left = 0;
  bool is_known = false;
};

std::string promotions(const Policy& policy) {
  // In the order of time, one event each.
  struct Step {
    u32 tick;
    std::string unit;
    char kind;
  };
  std::vector<Step> steps;
  for (const Stretch& stretch : kTrace) {
    const bool is_crowd = std::string_view(stretch.unit) == "crowd";
    for (u32 member = 0; member < (is_crowd ? kCrowd : 1); ++member) {
      for (u32 i = 0; i < stretch.count; ++i) {
        const auto at = static_cast<u32>(stretch.from + u64{stretch.to - stretch.from} * i / stretch.count);
        steps.push_back({at, is_crowd ? fmt::format("crowd {}", member) : stretch.unit, stretch.kind});
      }
    }
  }
  std::ranges::stable_sort(steps, {}, &Step::tick);
  HotSpots spots(policy, {{8, 3000}});
  std::map<std::string, Traced> units;
  std::string log;
  u32 crowd = 0;
  for (const Step& step : steps) {
    Traced& unit = units[step.unit];
    const u64 time = step.tick * kTickInsns;
    if (!unit.is_known) {
      unit.is_known = true;
      unit.left = spots.entries_of(spots.begin(unit.heat, time));
    }
    // As generated code does: entries count on tier 0, jumps back above.
    if ((step.kind == 'e') != (unit.tier == 0) || unit.tier > 1 || --unit.left != 0) continue;
    Event event{.tier = unit.tier, .time = time};
    (unit.tier == 0 ? event.entries : event.back_edges) =
        unit.tier == 0 ? spots.entries_of(unit.heat.next) : spots.back_edges_of(unit.heat.next);
    const Decision decision = spots.look(unit.heat, event);
    if (decision.verdict == Verdict::promote) ++unit.tier;
    unit.left = unit.tier == 0 ? spots.entries_of(decision.next) : spots.back_edges_of(decision.next);
    if (step.unit.starts_with("crowd")) {
      crowd += decision.verdict == Verdict::promote;
    } else if (decision.verdict == Verdict::promote) {
      log += fmt::format("tick {:>5}: {} {} to tier {}, {} of {}\n", step.tick, "promote", step.unit, unit.tier,
                         decision.score, decision.goal);
    }
  }
  std::string kept;
  for (const auto& [name, unit] : units) {
    if (!name.starts_with("crowd") && unit.tier < 2) kept += fmt::format(" {} on {},", name, unit.tier);
  }
  if (!kept.empty()) kept.pop_back();
  const HotSpots::Statistics made = spots.statistics();
  return log + fmt::format("{} of {} of the crowd; at the end:{}; {} looks\n", crowd, kCrowd, kept, made.looks);
}

TEST(Policy, LogsOfPromotionsDiffer) {
  std::string text;
  std::set<std::string> different;
  for (const Policy& policy : policies()) {
    const std::string log = promotions(policy);
    different.insert(log);
    text += fmt::format("# {}: {}\n{}\n", policy.name, policy.summary, log);
  }
  EXPECT_EQ(different.size(), 4u);
  if (std::getenv("PAGODA_BLESS") != nullptr) {
    std::ofstream(kGoldenFile) << text;
    return;
  }
  std::ifstream file(kGoldenFile);
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str()) << "to accept the new text: run this test with PAGODA_BLESS=1";
}

TEST(Policy, TableAndNames) {
  ASSERT_EQ(policies().size(), 4u);
  EXPECT_STREQ(policies()[0].name, "threshold");
  for (const char* name : {"threshold", "window", "decay", "adaptive"}) {
    ASSERT_NE(find_policy(name), nullptr) << name;
    EXPECT_STREQ(find_policy(name)->name, name);
  }
  EXPECT_EQ(find_policy("guess"), nullptr);
}

TEST(Policy, ThresholdIsExact) {
  HotSpots spots(*find_policy("threshold"), {{8, 3000}});
  Heat heat;
  EXPECT_EQ(spots.entries_of(spots.begin(heat, 0)), 8u);
  EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 7}).verdict, Verdict::stay);
  EXPECT_EQ(heat.next, 1u);
  const Decision decision = spots.look(heat, {.tier = 0, .entries = 1});
  EXPECT_EQ(decision.verdict, Verdict::promote);
  EXPECT_EQ(decision.next, 3000u);
  EXPECT_TRUE(heat.is_due);
  EXPECT_EQ(spots.back_edges_of(decision.next), 3000u);
  EXPECT_EQ(spots.look(heat, {.tier = 1, .back_edges = 2999}).verdict, Verdict::stay);
  EXPECT_EQ(spots.look(heat, {.tier = 1, .back_edges = 1}).verdict, Verdict::promote);
  // No threshold at all: at the first look.
  HotSpots eager(*find_policy("threshold"), {{0, 0}});
  Heat fresh;
  EXPECT_EQ(eager.begin(fresh, 0), 0u);
  EXPECT_EQ(eager.look(fresh, {.tier = 0}).verdict, Verdict::promote);
}

TEST(Policy, OldEntriesFade) {
  for (const char* name : {"window", "decay"}) {
    HotSpots spots(*find_policy(name), {{8, 3000}});
    Heat heat;
    spots.begin(heat, 0);
    u64 time = 0;
    EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 7, .time = time}).verdict, Verdict::stay) << name;
    time += 100'000 * kTickInsns;
    EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 1, .time = time}).verdict, Verdict::stay) << name;
    EXPECT_EQ(heat.score, 0u) << name;
    EXPECT_EQ(heat.next, 8u) << name;
    EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 8, .time = time}).verdict, Verdict::promote) << name;
  }
}

// Another vcpu's clock may be behind; ticks wrap.
TEST(Policy, TimeMayGoBackAndWrap) {
  for (const Policy& policy : policies()) {
    HotSpots spots(policy, {{8, 3000}});
    Heat heat;
    spots.begin(heat, 1'000'000 * kTickInsns);
    EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 4, .time = 0}).verdict, Verdict::stay) << policy.name;
    EXPECT_EQ(heat.score, 4u) << policy.name;
    const u64 last = (u64{1} << 32) * kTickInsns - 1;
    heat = {};
    spots.begin(heat, last);
    EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 8, .time = last + 5 * kTickInsns}).verdict, Verdict::promote)
        << policy.name;
  }
}

TEST(Policy, ManyPromotionsRaiseTheThresholdAndFewLowerIt) {
  HotSpots spots(*find_policy("adaptive"), {{8, 3000}});
  const auto goal_at = [&](u32 period) {
    Heat heat;
    return spots.look(heat, {.tier = 0, .time = u64{period} * kPeriodTicks * kTickInsns}).goal;
  };
  const auto promote = [&](u32 period, u32 count) {
    for (u32 i = 0; i < count; ++i) {
      Heat heat;
      EXPECT_EQ(spots.look(heat, {.tier = 0, .entries = 1000, .time = u64{period} * kPeriodTicks * kTickInsns}).verdict,
                Verdict::promote);
    }
  };
  EXPECT_EQ(goal_at(0), 8u);
  for (u32 period = 0; period < 6; ++period) promote(period, 65);
  EXPECT_EQ(goal_at(6), 8u << kMostDoublings);
  promote(6, 40);  // neither many nor few
  EXPECT_EQ(goal_at(7), 8u << kMostDoublings);
  EXPECT_EQ(goal_at(8), 8u << (kMostDoublings - 1));
  EXPECT_EQ(goal_at(100), 8u);
}

TEST(Policy, RegionsThatAreLeftTooOftenComeDown) {
  for (const Policy& policy : policies()) {
    HotSpots spots(policy, {{8, 3000}});
    Heat heat;
    EXPECT_EQ(spots.look(heat, {.tier = 2, .entries = 100, .exits = 100}).verdict, Verdict::stay) << policy.name;
    EXPECT_EQ(spots.look(heat, {.tier = 2, .entries = 1000, .exits = 200}).verdict, Verdict::stay) << policy.name;
    u32 next = 3000;
    for (u32 n = 1; n < kMostDemotions; ++n) {
      const Decision decision = spots.look(heat, {.tier = 2, .entries = 500, .back_edges = 500, .exits = 300});
      EXPECT_EQ(decision.verdict, Verdict::demote) << policy.name;
      EXPECT_EQ(decision.next, next *= 2) << policy.name;
      EXPECT_EQ(spots.look(heat, {.tier = 1, .entries = decision.next - 1}).verdict, Verdict::stay) << policy.name;
      EXPECT_EQ(spots.look(heat, {.tier = 1, .entries = 1}).verdict, Verdict::promote) << policy.name;
    }
    EXPECT_EQ(spots.look(heat, {.tier = 2, .entries = 1000, .exits = 1000}).next, 0u) << policy.name;
    EXPECT_EQ(spots.statistics().demotions, kMostDemotions) << policy.name;
  }
}

}  // namespace
}  // namespace pagoda::tier
