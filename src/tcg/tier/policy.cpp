// SPDX-License-Identifier: MIT
// One rule for all rows: what was counted, as far as it still counts, against a threshold.
#include "tcg/tier/policy.h"

#include <algorithm>
#include <limits>

namespace pagoda::tier {
namespace {

constexpr Policy kPolicies[] = {
#define PAGODA_POLICY(name, entry, back_edge, window0, window1, half0, half1, crowd0, crowd1, summary) \
  {#name, entry, back_edge, {window0, window1}, {half0, half1}, {crowd0, crowd1}, summary},
#include "tcg/tier/policies.def"
#undef PAGODA_POLICY
};

u32 ticks(u64 time) { return static_cast<u32>(time / kTickInsns); }

// Ticks wrap after 2^42 instructions, and another vcpu may be behind.
u32 between(u32 from, u32 to) {
  const u32 passed = to - from;
  return static_cast<i32>(passed) < 0 ? 0 : passed;
}

// What `old`, counted before, and `added`, counted evenly in the `passed` ticks since, are worth now.
u64 worth(const Policy& policy, u32 tier, u64 old, u64 added, u32 passed) {
  if (const u64 window = policy.window[tier]; window != 0) {
    // The old weight lies evenly in its window, of which so much is still in this one.
    if (passed >= window) return added * window / passed;
    return old * (window - passed) / window + added;
  }
  if (const u32 half_life = policy.half_life[tier]; half_life != 0) {
    // By whole half-lives: of n + 1 equal parts the last counts whole, the one before half of it.
    const u32 halvings = std::min(passed / half_life, 31u);
    return (old >> halvings) + added * 2 / (halvings + 1) - (added >> halvings) / (halvings + 1);
  }
  return old + added;
}

}  // namespace

std::span<const Policy> policies() { return kPolicies; }

const Policy* find_policy(std::string_view name) {
  const auto found = std::ranges::find(kPolicies, name, &Policy::name);
  return found != std::end(kPolicies) ? found : nullptr;
}

HotSpots::HotSpots(const Policy& policy, const Thresholds& thresholds) : policy_(policy), thresholds_(thresholds) {}

u32 HotSpots::begin(Heat& heat, u64 time) const {
  heat.since = ticks(time);
  return heat.next = thresholds_.of[0];
}

// Under the lock.
u32 HotSpots::goal(const Heat& heat, u32 tier, u32 tick) {
  u64 weight = u64{thresholds_.of[tier]} << heat.demotions;
  if (const u32 limit = policy_.crowd[tier]; limit != 0) {
    Crowd& crowd = crowds_[tier];
    const u32 passed = between(crowd.period, tick / kPeriodTicks);
    if (passed != 0) {
      if (crowd.promoted > limit) {
        crowd.doublings = std::min(crowd.doublings + 1, kMostDoublings);
      } else if (crowd.promoted < limit / 2 && crowd.doublings != 0) {
        --crowd.doublings;
      }
      // Periods in which nobody asked had no promotions.
      crowd.doublings -= std::min(crowd.doublings, passed - 1);
      crowd.promoted = 0;
      crowd.period += passed;
    }
    weight <<= crowd.doublings;
  }
  return static_cast<u32>(std::min<u64>(weight, std::numeric_limits<i32>::max()));
}

Decision HotSpots::look(Heat& heat, const Event& event) {
  const std::lock_guard lock(mutex_);
  ++statistics_.looks;
  const u32 tick = ticks(event.time), passed = between(heat.since, tick);
  heat.since = tick;
  const u64 runs = u64{event.entries} + event.back_edges;
  if (event.tier != 0 && runs >= kDemoteAfter && u64{event.exits} * 100 > runs * kDemotePercent) {
    ++statistics_.demotions;
    heat.demotions = std::min<u8>(heat.demotions + 1, kMostDemotions);
    heat.score = 0;
    const u32 tier = std::min(event.tier, kPromotingTiers) - 1;  // where it is now
    const u32 weight = goal(heat, tier, tick);
    heat.next = heat.demotions == kMostDemotions ? 0 : weight;
    return {Verdict::demote, heat.next, event.exits, static_cast<u32>(runs * kDemotePercent / 100)};
  }
  if (event.tier >= kPromotingTiers) return {Verdict::stay, heat.next = kDemoteAfter, 0, 0};
  const u32 tier = event.tier;
  const u64 added = u64{event.entries} * policy_.entry_weight + u64{event.back_edges} * policy_.back_edge_weight;
  const u32 weight = goal(heat, tier, tick);
  const u64 score = std::min<u64>(worth(policy_, tier, heat.score, added, passed), std::numeric_limits<i32>::max());
  heat.score = static_cast<u32>(score);
  if (score < weight) return {Verdict::stay, heat.next = static_cast<u32>(weight - score), heat.score, weight};
  ++statistics_.promotions;
  if (policy_.crowd[tier] != 0) ++crowds_[tier].promoted;
  heat.score = 0;
  heat.is_due = true;
  heat.next = tier + 1 < kPromotingTiers ? thresholds_.of[tier + 1] : kDemoteAfter;
  return {Verdict::promote, heat.next, static_cast<u32>(score), weight};
}

HotSpots::Statistics HotSpots::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace pagoda::tier
