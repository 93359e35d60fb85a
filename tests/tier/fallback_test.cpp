// SPDX-License-Identifier: MIT
// Compilations that fail: what a unit and a backend have to wait for, and that the guest does not notice.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/log.h"
#include "tcg/tier/fallback.h"
#include "tier/failing_backend.h"
#include "unit/riscv64_bench.h"

namespace pagoda {
namespace {

using tier::Guard;
using tier::Heat;
using tier::Outcome;

TEST(Guard, CoolDownDoublesAndTriesEnd) {
  Guard guard(failing_backend());
  Heat heat;
  u32 wait = tier::kCoolDown;
  for (u32 n = 1; n < tier::kMostTries; ++n) {
    EXPECT_EQ(guard.note(n % 2 != 0 ? Outcome::failed : Outcome::over_budget, heat, 0, 0).wait, wait);
    wait *= 2;
  }
  EXPECT_EQ(guard.note(Outcome::failed, heat, 0, 0).wait, 0u);
  const Guard::Statistics made = guard.statistics();
  EXPECT_EQ(made.failed + made.over_budget, tier::kMostTries);
  EXPECT_EQ(made.over_budget, 1u);
  EXPECT_EQ(made.given_up, 1u);
  EXPECT_EQ(made.switched_off, 0u);
}

TEST(Guard, RefusalAndFullMemoryAreNoFailures) {
  Guard guard(failing_backend());
  for (u32 n = 0; n < 3 * tier::kFailuresInARow; ++n) {
    Heat heat;
    EXPECT_EQ(guard.note(Outcome::no_room, heat, 0, 0).wait, tier::kCoolDown);
    EXPECT_TRUE(guard.may_try(heat, 0));
    EXPECT_EQ(guard.note(Outcome::refused, heat, 0, 0).wait, 0u);
    EXPECT_FALSE(guard.may_try(heat, 0));
  }
  EXPECT_TRUE(guard.is_on(0));
}

TEST(Guard, ABackendThatKeepsFailingIsOffForAWhile) {
  Guard guard(failing_backend());
  const auto fail = [&](u64 time) {
    Heat heat;
    guard.note(Outcome::failed, heat, 0, time);
  };
  const auto succeed = [&](u64 time) {
    Heat heat{.is_due = true};
    guard.note(Outcome::done, heat, 0, time);
    EXPECT_FALSE(heat.is_due);
  };
  for (u32 n = 1; n < tier::kFailuresInARow; ++n) fail(0);
  succeed(0);  // not in a row
  for (u32 n = 1; n < tier::kFailuresInARow; ++n) fail(0);
  EXPECT_TRUE(guard.is_on(0));
  u64 now = 5;
  fail(now);
  // Each trial that fails doubles the time, to a limit.
  u64 off = tier::kOffInsns;
  for (u32 n = 0; n < tier::kMostOffDoublings + 2; ++n) {
    EXPECT_FALSE(guard.is_on(now));
    EXPECT_FALSE(guard.is_on(now + off - 1)) << n;
    EXPECT_TRUE(guard.is_on(now + off)) << n;
    fail(now += off);
    if (n < tier::kMostOffDoublings) off *= 2;
  }
  now += off;
  succeed(now);
  EXPECT_TRUE(guard.is_on(0));
  const Guard::Statistics made = guard.statistics();
  EXPECT_EQ(made.recovered, 1u);
  EXPECT_EQ(made.switched_off, tier::kMostOffDoublings + 3);
  // As if it were the first time.
  for (u32 n = 0; n < tier::kFailuresInARow; ++n) fail(now);
  EXPECT_TRUE(guard.is_on(now + tier::kOffInsns));
}

TEST(Guard, SlowCompilationsAreReported) {
  ASSERT_TRUE(set_log_mask("tier"));
  testing::internal::CaptureStderr();
  Guard guard(failing_backend());
  Heat heat;
  guard.note(Outcome::done, heat, tier::kAlertNs, 0);
  guard.note(Outcome::done, heat, tier::kAlertNs + 2'500'000, 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "[tier] failing: a compilation took 12.5 ms\n");
  detail::log_mask = 0;
  EXPECT_EQ(guard.statistics().slow, 1u);
  EXPECT_EQ(guard.statistics().slowest_ns, tier::kAlertNs + 2'500'000);
}

TEST(Guard, MeasuresAndHandsOverTheBudget) {
  class Slow final : public tier::Engine {
   public:
    Outcome compile(u32, tier::Job& job) override {
      seen = job.budget;
      std::this_thread::sleep_for(std::chrono::nanoseconds(tier::kAlertNs + 1'000'000));
      return Outcome::over_budget;
    }
    interp::LeaveInfo execute(VcpuFrame&, Unit&) override { return {}; }
    tier::Statistics statistics() const override { return {}; }
    u64 code_bytes() const override { return 0; }
    void reset() override {}
    tier::Budget seen;
  } slow;
  Guard guard(failing_backend(), {.ns = 123, .bytes = 456});
  Heat heat;
  tier::Job job;
  const Guard::Attempt attempt = guard.compile(slow, 0, job, heat, 0);
  EXPECT_TRUE(attempt.asked);
  EXPECT_EQ(attempt.outcome, Outcome::over_budget);
  EXPECT_EQ(slow.seen.ns, 123u);
  EXPECT_EQ(slow.seen.bytes, 456u);
  EXPECT_EQ(guard.statistics().slow, 1u);
}

// --- in a machine

constexpr u64 kCode = riscv64::kRam + 0x1000;
constexpr u32 kBlocks = 12;

struct Ran {
  u64 a0, pc, tier1;
  CodeManager::Statistics made;
  bool makes_regions;
};

bool host_makes_regions() {
  const Guest& guest = riscv64_guest();
  auto engine = tier::make_optimizing({.slots = guest.slots, .helpers = guest.helpers, .pinned = guest.pinned});
  return engine.has_value() && (*engine)->makes_regions();
}

// A loop of blocks, for so many instructions.
Ran run(const tier::Backend* backend, i64 insns, CodeOptions options = {}) {
  options.backend = backend;
  options.max_tier = backend != nullptr ? backend->tier : 1;
  options.regions_in_background = false;
  riscv64::Bench bench("rv64", options);
  std::vector<u32> words;
  for (u32 n = 0; n < kBlocks; ++n) {
    words.push_back(0x00150513 + (n << 20));  // addi a0, a0, n + 1
    words.push_back(0x0040006f);              // jal x0, +4
  }
  const u32 back = static_cast<u32>(-4 * static_cast<i32>(words.size()));
  words.push_back((back >> 20 & 1) << 31 | (back >> 1 & 0x3ff) << 21 | (back >> 11 & 1) << 20 |
                  (back >> 12 & 0xff) << 12 | 0x6f);
  CHECK(bench.memory.write(GuestPhys(kCode), std::as_bytes(std::span(words))));
  bench.hart().pc = kCode;
  CHECK(bench.vcpu->run(insns) == Vcpu::Stop::budget);
  return {bench.hart().x[10], bench.hart().pc, bench.vcpu->statistics().tier_instructions[1], bench.code->statistics(),
          host_makes_regions()};
}

class FallbackInMachine : public testing::Test {
 protected:
  void SetUp() override {
    if (!tier::is_available(failing_backend())) GTEST_SKIP() << "no tier 1 on this host";
  }
};

TEST_F(FallbackInMachine, AlwaysFailing) {
  const Ran plain = run(nullptr, 3'000'000);
  ASSERT_GT(plain.tier1, 2'000'000u);
  for (const Outcome outcome : {Outcome::failed, Outcome::over_budget}) {
    u32 asked = 0;
    failing_script() = [&](u32) { return ++asked, outcome; };
    const Ran ran = run(&failing_backend(), 3'000'000);
    EXPECT_EQ(ran.a0, plain.a0);
    EXPECT_EQ(ran.pc, plain.pc);
    EXPECT_EQ(ran.tier1, 0u);
    EXPECT_EQ(asked, tier::kFailuresInARow);
    EXPECT_EQ(ran.made.guard.switched_off, 1u);
    EXPECT_GT(ran.made.guard.turned_away, kBlocks);
    EXPECT_EQ(ran.made.promotion.promotions, kBlocks + 1);  // each unit's once, however often it asks
  }
}

TEST_F(FallbackInMachine, RecoversWhenTheTroubleIsOver) {
  constexpr i64 kInsns = 2 * static_cast<i64>(tier::kOffInsns);
  const Ran plain = run(nullptr, kInsns);
  failing_script() = [](u32 n) { return n < tier::kFailuresInARow ? Outcome::failed : Outcome::done; };
  const Ran ran = run(&failing_backend(), kInsns);
  EXPECT_EQ(ran.a0, plain.a0);
  EXPECT_EQ(ran.pc, plain.pc);
  EXPECT_EQ(ran.made.guard.switched_off, 1u);
  EXPECT_EQ(ran.made.guard.recovered, 1u);
  EXPECT_EQ(ran.made.guard.given_up, 0u);
  EXPECT_GT(ran.tier1, tier::kOffInsns / 2);
  EXPECT_LT(ran.tier1, tier::kOffInsns);
}

// Single failures cost their units a cool-down and nobody else anything.
TEST_F(FallbackInMachine, EveryThirdFails) {
  constexpr i64 kInsns = 1'000'000;
  const Ran plain = run(nullptr, kInsns);
  failing_script() = [](u32 n) { return n % 3 == 0 ? Outcome::over_budget : Outcome::done; };
  const Ran ran = run(&failing_backend(), kInsns);
  EXPECT_EQ(ran.a0, plain.a0);
  EXPECT_EQ(ran.pc, plain.pc);
  EXPECT_EQ(ran.made.guard.switched_off, 0u);
  EXPECT_GT(ran.made.guard.over_budget, 3u);
  EXPECT_GT(ran.tier1, kInsns / 2u);
}

// A policy that looks at a loop again after as many turns as before the first time.
const tier::Policy& looks_again() { return *tier::find_policy("window"); }

// A region that cannot be compiled stays on tier 1, and after some tries nobody asks again.
TEST_F(FallbackInMachine, RegionsThatFail) {
  constexpr i64 kInsns = 2'000'000;  // 80000 turns
  const Ran plain = run(nullptr, kInsns);
  for (const Outcome outcome : {Outcome::failed, Outcome::over_budget, Outcome::refused}) {
    failing_script() = [](u32) { return Outcome::done; };
    failing_region_script() = [&](u32) { return outcome; };
    const Ran ran = run(&failing_region_backend(), kInsns, {.policy = &looks_again(), .tier2_threshold = 100});
    if (!ran.makes_regions) GTEST_SKIP() << "no tier 2 on this host";
    EXPECT_EQ(ran.a0, plain.a0);
    EXPECT_EQ(ran.pc, plain.pc);
    const tier::Guard::Statistics& guard = ran.made.regions.guard;
    EXPECT_EQ(ran.made.regions.published, 0u);
    EXPECT_EQ(ran.made.regions.requested, outcome == Outcome::refused ? 1u : tier::kMostTries);
    EXPECT_EQ(guard.failed + guard.over_budget, outcome == Outcome::refused ? 0u : tier::kMostTries);
    EXPECT_EQ(guard.given_up, outcome == Outcome::refused ? 0u : 1u);
    EXPECT_EQ(guard.switched_off, 0u);
  }
}

TEST_F(FallbackInMachine, ARegionThatFailsTwice) {
  constexpr i64 kInsns = 2'000'000;
  const Ran plain = run(nullptr, kInsns);
  failing_script() = [](u32) { return Outcome::done; };
  failing_region_script() = [](u32 n) { return n < 2 ? Outcome::failed : Outcome::done; };
  const Ran ran = run(&failing_region_backend(), kInsns, {.policy = &looks_again(), .tier2_threshold = 100});
  if (!ran.makes_regions) GTEST_SKIP() << "no tier 2 on this host";
  EXPECT_EQ(ran.a0, plain.a0);
  EXPECT_EQ(ran.pc, plain.pc);
  EXPECT_EQ(ran.made.regions.guard.failed, 2u);
  EXPECT_EQ(ran.made.regions.published, 1u);
}

TEST_F(FallbackInMachine, PoliciesDecideOnRegions) {
  failing_script() = failing_region_script() = [](u32) { return Outcome::done; };
  for (const tier::Policy& policy : tier::policies()) {
    const Ran ran = run(&failing_region_backend(), 5'000'000, {.policy = &policy});
    if (!ran.makes_regions) GTEST_SKIP() << "no tier 2 on this host";
    EXPECT_EQ(ran.made.regions.published, 1u) << policy.name;
    EXPECT_EQ(ran.made.promotion.promotions, kBlocks + 2) << policy.name;  // each unit, and the loop
  }
}

// Every policy runs a machine to the same end.
TEST_F(FallbackInMachine, Policies) {
  for (const tier::Policy& policy : tier::policies()) {
    riscv64::Bench bench("rv64", {.max_tier = 1, .policy = &policy, .tier1_threshold = 20});
    const u32 words[] = {0x00150513, 0xffdff06f};  // addi a0, a0, 1; jal x0, -4
    CHECK(bench.memory.write(GuestPhys(kCode), std::as_bytes(std::span(words))));
    bench.hart().pc = kCode;
    CHECK(bench.vcpu->run(10000) == Vcpu::Stop::budget);
    EXPECT_EQ(bench.hart().x[10], 5000u) << policy.name;
    EXPECT_STREQ(bench.code->statistics().policy, policy.name);
    EXPECT_EQ(bench.code->statistics().promotion.promotions, 1u) << policy.name;
    EXPECT_GT(bench.vcpu->statistics().tier_instructions[1], 9000u) << policy.name;
  }
}

}  // namespace
}  // namespace pagoda
