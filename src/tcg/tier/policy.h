// SPDX-License-Identifier: MIT
// Hot-spot policies: when a unit or region deserves a higher tier, and when it has to come down again.
//
// Translated code only counts down a counter. When it has run out, the policy is told what was counted, decides, and
// says how much has to be counted before it wants to be asked again. A policy is a row of policies.def; what it knows
// of a unit is its Heat. Weights: an event counts as often as the row says, so thresholds are sums of weights.
// Time is in guest instructions of the vcpu that asks; only differences of it are used, and vcpus need not agree.
// Threading: a Heat belongs to who has claimed its unit; HotSpots may be asked on any thread.
#pragma once

#include <mutex>
#include <span>
#include <string_view>

#include "base/types.h"

namespace pagoda::tier {

inline constexpr u32 kPromotingTiers = 2;  // tiers 0 and 1 are what units are promoted from

struct Policy {
  const char* name;
  u32 entry_weight, back_edge_weight;
  u32 window[kPromotingTiers];     // in ticks, as the two below; 0: not used
  u32 half_life[kPromotingTiers];  // what was counted is worth half after it
  u32 crowd[kPromotingTiers];      // promotions a period above which the threshold doubles
  const char* summary;
};
inline constexpr u64 kTickInsns = 1024;
inline constexpr u32 kPeriodTicks = 1024, kMostDoublings = 3;  // of crowds
// A region from which control leaves by a side exit more often than this is demoted, once it was entered so many times.
inline constexpr u32 kDemotePercent = 25, kDemoteAfter = 256;
inline constexpr u8 kMostDemotions = 4;  // then it stays where it is for good

std::span<const Policy> policies();  // the first is the default
const Policy* find_policy(std::string_view name);

// What is remembered of a unit or region. All zero: nothing yet.
struct Heat {
  u32 score = 0;        // weight that counts, as of `since`
  u32 since = 0;        // tick of the last look
  u32 next = 0;         // weight that was to be counted before the next look
  u8 demotions = 0;     // each doubles the threshold
  u8 failures = 0;      // of compilations (fallback.h)
  bool is_due = false;  // promoted, but not compiled yet
};

enum class Verdict : u8 { stay, promote, demote };
inline constexpr const char* kVerdictNames[] = {"stay", "promote", "demote"};

// What happened since the last look.
struct Event {
  u32 tier;  // that it runs on
  u32 entries = 0, back_edges = 0;
  u32 exits = 0;  // by side exits of a region; units have none
  u64 time = 0;
};
struct Decision {
  Verdict verdict;
  u32 next;         // weight before the next look; promote: on the new tier; 0: never again
  u32 score, goal;  // what was compared
};

// A policy at work in one machine.
class HotSpots {
 public:
  struct Thresholds {
    u32 of[kPromotingTiers] = {8, 10000};  // weight from which a unit on tier 0, on tier 1 is promoted
  };
  HotSpots(const Policy& policy, const Thresholds& thresholds);

  // A new unit: the weight before the first look.
  u32 begin(Heat& heat, u64 time) const;
  Decision look(Heat& heat, const Event& event);

  // Weight as a number of events, at least 1; 0 stays 0.
  u32 entries_of(u32 weight) const { return (weight + policy_.entry_weight - 1) / policy_.entry_weight; }
  u32 back_edges_of(u32 weight) const { return (weight + policy_.back_edge_weight - 1) / policy_.back_edge_weight; }
  const Policy& policy() const { return policy_; }
  // Whether a unit that reached its threshold is promoted whatever the time: nobody has to count further.
  bool is_simple() const { return policy_.window[1] == 0 && policy_.half_life[1] == 0 && policy_.crowd[1] == 0; }

  struct Statistics {
    u64 looks = 0, promotions = 0, demotions = 0;
  };
  Statistics statistics() const;

 private:
  u32 goal(const Heat& heat, u32 tier, u32 tick);
  const Policy& policy_;
  const Thresholds thresholds_;
  mutable std::mutex mutex_;
  struct Crowd {
    u32 period = 0;     // number of the period that is counted
    u32 promoted = 0;   // in it
    u32 doublings = 0;  // of the threshold
  } crowds_[kPromotingTiers];
  Statistics statistics_;
};

}  // namespace pagoda::tier
