// SPDX-License-Identifier: MIT
// Loops of several units: finding them, publishing their code, taking it back.
#include <algorithm>

#include "tcg/cache/code_cache.h"
#include "tcg/cache/code_memory.h"

namespace pagoda {
namespace {

struct Search {
  Unit* units[kMostLoopUnits];
  i8 next[kMostLoopUnits][2];
  bool leads_back[kMostLoopUnits] = {};
  u32 count = 0, insns = 0;

  bool may_have(const Unit* unit, u32 mode) const {
    return unit->mode.load(std::memory_order_relaxed) == mode && unit->linkable && unit->phys_next == 0 &&
           unit->host.entry.load(std::memory_order_relaxed) != nullptr && unit->host.start != nullptr;
  }
  i8 index_of(Unit* unit, u32 mode) {
    const auto at = static_cast<u32>(std::find(units, units + count, unit) - units);
    if (at < count) return static_cast<i8>(at);
    if (count == kMostLoopUnits || insns + unit->guest_insns > kMostLoopInsns || !may_have(unit, mode)) return -1;
    insns += unit->guest_insns;
    units[count] = unit;
    return static_cast<i8>(count++);
  }
};

}  // namespace

u32 CodeCache::find_loop(Unit* root, std::span<LoopUnit, kMostLoopUnits> units) {
  const std::lock_guard lock(mutex_);
  Search found;
  const u32 mode = root->mode.load(std::memory_order_relaxed);
  if (mode == kDeadMode || found.index_of(root, mode) != 0) return 0;
  if (root->host.entry.load(std::memory_order_relaxed) != root->host.start) return 0;
  for (u32 i = 0; i < found.count; ++i) {
    for (u32 side = 0; side < 2; ++side) {
      const Unit* unit = found.units[i];
      Unit* target = unit->links[side].target.load(std::memory_order_relaxed);
      const bool leads_on = target != nullptr && target != unit && !unit->exit_is_far[side];
      found.next[i][side] = leads_on ? found.index_of(target, mode) : i8{-1};
    }
  }
  found.leads_back[0] = true;
  for (bool changed = true; changed;) {
    changed = false;
    for (u32 i = 0; i < found.count; ++i) {
      for (const i8 next : found.next[i]) {
        if (found.leads_back[i] || next < 0 || !found.leads_back[next]) continue;
        found.leads_back[i] = changed = true;
      }
    }
  }
  // In order: what a branch that is not taken leads to comes next, if it can.
  i8 place[kMostLoopUnits];
  std::fill_n(place, kMostLoopUnits, i8{-1});
  const auto wanted = [&](i8 index) { return index >= 0 && found.leads_back[index] && place[index] < 0; };
  u32 count = 0;
  u8 order[kMostLoopUnits];
  for (u32 first = 0; first < found.count; ++first) {
    for (auto at = static_cast<i8>(first); wanted(at);) {
      place[at] = static_cast<i8>(count);
      order[count++] = static_cast<u8>(at);
      const i8* next = found.next[at];
      at = wanted(next[1]) ? next[1] : next[0];
    }
  }
  if (count < 2) return 0;
  for (u32 i = 0; i < count; ++i) {
    const u8 from = order[i];
    units[i].unit = found.units[from];
    for (u32 side = 0; side < 2; ++side) {
      const i8 next = found.next[from][side];
      units[i].next[side] = next < 0 ? i8{-1} : place[next];
    }
  }
  return count;
}

void CodeCache::attach_loop(std::span<const LoopUnit> units, const LoopCode& code) {
  const std::lock_guard lock(mutex_);
  Unit* root = units[0].unit;
  const bool stands = std::ranges::all_of(
      units, [&](const LoopUnit& each) { return each.unit->mode.load(std::memory_order_relaxed) != kDeadMode; });
  if (!stands || root->host.entry.load(std::memory_order_relaxed) != root->host.start) {
    release(code);  // nobody has seen it
    return;
  }
  std::vector<Unit*> all;
  for (const LoopUnit& each : units) all.push_back(each.unit);
  add_loop(std::move(all), code);
}

void CodeCache::add_loop(std::vector<Unit*> units, const LoopCode& code) {
  Unit* root = units[0];
  for (Unit* unit : units) unit->is_in_loop = true;
  loops_.push_back({std::move(units), code});
  root->host.entry.store(code.start, std::memory_order_release);
  for (Link* link = root->incoming; link != nullptr; link = link->next) set_host_link(*link, root);
  statistics_.host_bytes += code.bytes;
  ++statistics_.loops;
}

bool CodeCache::begin_making(Making* making) {
  const std::lock_guard lock(mutex_);
  const auto lives = [](const Unit* unit) { return unit->mode.load(std::memory_order_relaxed) != kDeadMode; };
  const Unit* root = making->units[0];
  if (!std::ranges::all_of(making->units, lives)) return false;
  if (root->host.entry.load(std::memory_order_relaxed) != root->host.start) return false;
  for (Unit* unit : making->units) unit->is_in_loop = true;
  making->stands = true;
  makings_.push_back(making);
  return true;
}

bool CodeCache::stands(const Making& making) {
  const std::lock_guard lock(mutex_);
  return making.stands;
}

bool CodeCache::end_making(Making* making, const LoopCode& code) {
  const std::lock_guard lock(mutex_);
  std::erase(makings_, making);
  if (code.start == nullptr) return false;
  const Unit* root = making->units[0];
  if (!making->stands || root->host.entry.load(std::memory_order_relaxed) != root->host.start) {
    release(code);
    return false;
  }
  add_loop(std::move(making->units), code);
  return true;
}

// One of a loop's units goes out of use: control that comes to its first unit runs that unit's own code again. Who is
// inside leaves by the next poll (CodeManager::after_deaths), and the code is freed as units are.
void CodeCache::leave_loops(Unit* unit) {
  for (Making* making : makings_) {
    if (std::ranges::find(making->units, unit) != making->units.end()) making->stands = false;
  }
  std::erase_if(loops_, [&](const Loop& loop) {
    if (std::ranges::find(loop.units, unit) == loop.units.end()) return false;
    Unit* root = loop.units[0];
    root->host.entry.store(root->host.start, std::memory_order_release);
    for (Link* link = root->incoming; link != nullptr; link = link->next) set_host_link(*link, root);
    statistics_.host_bytes -= loop.code.bytes;
    loop_batch_.push_back(loop.code);
    return true;
  });
}

}  // namespace pagoda
