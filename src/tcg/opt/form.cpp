// SPDX-License-Identifier: MIT
// Walks a sample with a stack of calls; makes a part of each unit in each way it is called.
#include "tcg/opt/form.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "tcg/opt/build.h"

namespace pagoda::opt {
namespace {

constexpr u64 kPageMask = ~u64{0xfff};

struct Context {
  u32 caller;  // context; 0 is the root's own
  u64 return_pc;
  u32 depth;
};

void visit(const RegionPlan& plan, u32 part, std::vector<u8>& seen, std::vector<u32>& order) {
  seen[part] = 1;
  const Part& from = plan.parts[part];
  const u32 likely = from.count[0] >= from.count[1] ? 0 : 1;
  for (const u32 side : {1 - likely, likely}) {
    if (from.next[side] >= 0 && seen[static_cast<u32>(from.next[side])] == 0)
      visit(plan, static_cast<u32>(from.next[side]), seen, order);
  }
  order.push_back(part);
}

// What cannot be reached is left out; of the rest the likely way comes next.
void put_in_order(RegionPlan& plan) {
  if (plan.parts.empty()) return;
  std::vector<u32> order;
  std::vector<u8> seen(plan.parts.size());
  visit(plan, 0, seen, order);
  std::ranges::reverse(order);
  std::vector<i32> place(plan.parts.size(), -1);
  for (u32 i = 0; i < order.size(); ++i) place[order[i]] = static_cast<i32>(i);
  std::vector<Part> parts;
  for (const u32 from : order) {
    Part part = plan.parts[from];
    for (i32& next : part.next) next = next < 0 ? -1 : place[static_cast<u32>(next)];
    parts.push_back(part);
  }
  plan.parts = std::move(parts);
}

class Former {
 public:
  Former(std::span<const Sample> samples, const FormLimits& limits, bool (*may_have)(const Unit&, u32))
      : samples_(samples), limits_(limits), may_have_(may_have), mode_(samples[0].unit->mode.load()) {}

  RegionPlan run(u32 memory_mode) {
    plan_.memory_mode = memory_mode;
    plan_.pc = samples_[0].pc;
    contexts_.push_back({0, 0, 0});
    i32 at = -1;  // part that was executed last, -1: none of the region
    for (u32 i = 0; i < samples_.size(); ++i) {
      if (at < 0) {
        at = is_root(samples_[i]) ? part_of(samples_[i], 0) : -1;
        if (at < 0 && is_root(samples_[i])) return {};
        continue;
      }
      const auto from = static_cast<u32>(at);
      const u32 side = side_of(from, samples_[i - 1], samples_[i].pc);
      const std::optional<u32> context = context_behind(from, samples_[i].pc, side);
      at = -1;
      if (side < 2 && context.has_value())
        at = is_root(samples_[i]) && *context == 0 ? 0 : part_of(samples_[i], *context);
      if (side < 2) note_way(from, side, at);
      if (at < 0 && is_root(samples_[i])) at = 0;
    }
    prune();
    if (insns_each() < limits_.fewest_insns) return {};
    return std::move(plan_);
  }

 private:
  bool is_root(const Sample& sample) const { return sample.unit == samples_[0].unit && sample.pc == samples_[0].pc; }
  // By which of its ways control left the unit; 2: by none (an interrupt, an exception).
  u32 side_of(u32 part, const Sample& from, u64 to) const {
    const Unit& unit = *plan_.parts[part].unit;
    if (unit.ends == Unit::Ends::indirect) return 0;
    for (u32 side = 0; side < (unit.ends == Unit::Ends::branch ? 2u : 1u); ++side) {
      if (from.pc + static_cast<u64>(unit.exit_offset[side]) == to) return side;
    }
    return 2;
  }
  // The calls that are under way where the part leads; none: out of the region.
  std::optional<u32> context_behind(u32 part, u64 to, u32 side) {
    const Unit& unit = *plan_.parts[part].unit;
    const u32 context = context_of_[part];
    if (side >= 2) return std::nullopt;
    if (unit.goes == Unit::Goes::call) {
      if (contexts_[context].depth == limits_.call_depth) return std::nullopt;
      const u64 return_pc = pc_of_[part] + static_cast<u64>(unit.exit_offset[1]);
      for (u32 i = 1; i < contexts_.size(); ++i) {
        if (contexts_[i].caller == context && contexts_[i].return_pc == return_pc) return i;
      }
      contexts_.push_back({context, return_pc, contexts_[context].depth + 1});
      return static_cast<u32>(contexts_.size() - 1);
    }
    if (unit.goes == Unit::Goes::ret) {
      if (context == 0 || contexts_[context].return_pc != to) return std::nullopt;
      return contexts_[context].caller;
    }
    return context;
  }
  i32 part_of(const Sample& sample, u32 context) {
    const auto [found, is_new] = index_.try_emplace({sample.unit, sample.pc, context}, -1);
    if (!is_new) return found->second;
    const u64 root_page = samples_[0].pc & kPageMask, page = sample.pc & kPageMask;
    const auto pages = static_cast<i64>(page - root_page) / 4096;
    if (plan_.parts.size() == limits_.parts || insns_ + sample.unit->guest_insns > limits_.guest_insns) return -1;
    if (pages < -1000 || pages > 1000 || !has_page(page)) return -1;
    const auto known = std::ranges::find(asked_, sample.unit, &std::pair<Unit*, bool>::first);
    const bool may = known != asked_.end() ? known->second : may_have_(*sample.unit, mode_);
    if (known == asked_.end()) asked_.push_back({sample.unit, may});
    if (!may) return -1;
    insns_ += sample.unit->guest_insns;
    plan_.parts.push_back({.unit = sample.unit, .page = static_cast<i32>(pages)});
    context_of_.push_back(context);
    pc_of_.push_back(sample.pc);
    targets_.emplace_back();
    return found->second = static_cast<i32>(plan_.parts.size() - 1);
  }
  bool has_page(u64 page) {
    if (std::ranges::find(pages_, page) != pages_.end()) return true;
    if (pages_.size() == limits_.pages) return false;
    pages_.push_back(page);
    return true;
  }
  void note_way(u32 from, u32 side, i32 to) {
    Part& part = plan_.parts[from];
    if (part.unit->ends != Unit::Ends::indirect) {
      if (to >= 0) part.next[side] = to;
      ++part.count[side];
      return;
    }
    for (auto& [target, count] : targets_[from]) {
      if (target == to) {
        ++count;
        return;
      }
    }
    targets_[from].push_back({to, 1});
  }
  // Indirect jumps go where they mostly went; what cannot be reached then is left out, and what is left is put in
  // order: the likely way comes next.
  void prune() {
    for (u32 i = 0; i < plan_.parts.size(); ++i) {
      Part& part = plan_.parts[i];
      for (const auto& [target, count] : targets_[i]) {
        if (target >= 0 && count > part.count[0]) {
          part.next[0] = target;
          part.count[0] = count;
        }
      }
      for (const auto& [target, count] : targets_[i]) part.count[1] += target == part.next[0] ? 0 : count;
    }
    put_in_order(plan_);
    // Nothing is gained by one unit that does not come back to itself.
    if (plan_.parts.size() == 1 && plan_.parts[0].next[0] != 0 && plan_.parts[0].next[1] != 0) plan_.parts.clear();
  }

  // The sample once more, as the region would have executed it.
  u64 insns_each() const {
    u64 entries = 0, insns = 0;
    const auto is_at = [&](i32 part, const Sample& sample) {
      const Part& to = plan_.parts[static_cast<u32>(part)];
      return to.unit == sample.unit && (samples_[0].pc & kPageMask) + static_cast<u64>(offset_of(to)) == sample.pc;
    };
    i32 at = -1;
    for (u32 i = 0; i < samples_.size() && !plan_.parts.empty(); ++i) {
      i32 to = -1;
      if (at >= 0) {
        const Part& from = plan_.parts[static_cast<u32>(at)];
        for (const i32 next : from.next) {
          if (next >= 0 && is_at(next, samples_[i])) to = next;
        }
      }
      if (to < 0 && is_root(samples_[i])) {
        to = 0;
        ++entries;
      }
      if (to >= 0) insns += samples_[i].unit->guest_insns;
      at = to;
    }
    return entries == 0 ? 0 : insns / entries;
  }

  const std::span<const Sample> samples_;
  const FormLimits limits_;
  bool (*const may_have_)(const Unit&, u32);
  const u32 mode_;
  RegionPlan plan_;
  std::vector<Context> contexts_;
  std::map<std::tuple<Unit*, u64, u32>, i32> index_;
  std::vector<std::pair<Unit*, bool>> asked_;
  std::vector<u32> context_of_;  // by part
  std::vector<u64> pc_of_;
  std::vector<std::vector<std::pair<i32, u64>>> targets_;  // of indirect jumps, and how often
  std::vector<u64> pages_;
  u32 insns_ = 0;
};

}  // namespace

RegionPlan form_region(std::span<const Sample> samples, u32 memory_mode, const FormLimits& limits,
                       bool (*may_have)(const Unit& unit, u32 mode)) {
  if (samples.empty()) return {};
  return Former(samples, limits, may_have).run(memory_mode);
}

void leave_out_unbuildable(RegionPlan& plan, HelperTable helpers) {
  std::vector<u8> may(plan.parts.size());
  for (u32 i = 0; i < may.size(); ++i) may[i] = can_build(*plan.parts[i].block, helpers) ? 1 : 0;
  for (Part& part : plan.parts) {
    for (i32& next : part.next) {
      if (next >= 0 && may[static_cast<u32>(next)] == 0) next = -1;
    }
  }
  put_in_order(plan);
}

}  // namespace pagoda::opt
