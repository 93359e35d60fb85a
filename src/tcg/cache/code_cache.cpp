// SPDX-License-Identifier: MIT
// The unit map, links, invalidation and reclaim.
#include "tcg/cache/code_cache.h"

#include <algorithm>

#include "base/check.h"
#include "tcg/cache/code_memory.h"
#include "tcg/interp/interp.h"
#include "tcg/interp/unit_memory.h"

namespace pagoda {
namespace {

constexpr u64 kPage = u64{1} << 12;
constexpr u64 kGranuleBits = 6;
// Retired units wait for the readers in batches of about this size.
constexpr u64 kBatchBytes = 1 << 20;
// A generation is this share of the capacity.
constexpr u64 kGenerations = 8;
// What several caches and units in no cache may take in one process.
constexpr u64 kSpareBytes = u64{64} << 20;

u64 granule_mask(u64 offset, u64 size) {
  const u64 first = offset >> kGranuleBits;
  const u64 last = (offset + size - 1) >> kGranuleBits;
  const u64 count = last - first + 1;
  return (count >= 64 ? ~u64{0} : (u64{1} << count) - 1) << first;
}

// The bytes of `unit` that lie in `page`, as granules.
u64 granules_in(const Unit& unit, u64 page) {
  const u64 offset = unit.phys & (kPage - 1);
  const u64 in_first = std::min<u64>(unit.guest_bytes, kPage - offset);
  if (page == (unit.phys & ~(kPage - 1))) return granule_mask(offset, in_first);
  return granule_mask(0, unit.guest_bytes - in_first);
}

void free_all(Unit* unit) {
  if (unit->host.memory != nullptr) unit->host.memory->release(unit->host.start, unit->host.data);
  interp::free_unit(unit);
}

u32 side_of(const Unit& unit, u64 page) { return page == (unit.phys & ~(kPage - 1)) ? 0 : 1; }

}  // namespace

void set_host_link(Link& link, Unit* target) {
  if (link.host == nullptr) return;
  const u8* entry = target != nullptr ? target->host.entry.load(std::memory_order_relaxed) : nullptr;
  link.host->jump.store(entry != nullptr ? entry : link.host->ask, std::memory_order_release);
  link.host->unit.store(entry != nullptr ? target : nullptr, std::memory_order_release);
}

CodeCache::CodeCache(u64 capacity, u32 readers)
    : capacity_(capacity), buckets_(static_cast<Unit**>(std::calloc(kBuckets, sizeof(Unit*)))), readers_(readers) {
  CHECK(buckets_ != nullptr, "no memory for the unit map");
}

CodeCache::~CodeCache() {
  for (const Loop& loop : loops_) release(loop.code);
  for (const LoopCode& code : loop_batch_) release(code);
  for (Unit* unit : age_) {
    if (unit != nullptr) free_all(unit);
  }
  for (Unit* unit : batch_) free_all(unit);
  for (const Retired& batch : retired_) {
    for (Unit* unit : batch.units) free_all(unit);
    for (const LoopCode& code : batch.loops) release(code);
  }
}

Unit* CodeCache::find_locked(u64 phys, u64 phys_next, u32 mode) const {
  for (Unit* unit = buckets_[hash(phys, mode)]; unit != nullptr; unit = unit->next_in_bucket) {
    if (unit->phys == phys && unit->phys_next == phys_next && unit->mode.load(std::memory_order_relaxed) == mode)
      return unit;
  }
  return nullptr;
}

Unit* CodeCache::find(u64 phys, u64 phys_next, u32 mode) {
  const std::lock_guard lock(mutex_);
  return find_locked(phys, phys_next, mode);
}

void CodeCache::begin_reading(Reading* reading) {
  const std::lock_guard lock(mutex_);
  readings_.push_back(reading);
  reading->is_open = true;
}

Unit* CodeCache::find_or_begin_reading(u64 phys, u64 phys_next, u32 mode, Reading* reading) {
  const std::lock_guard lock(mutex_);
  if (Unit* unit = find_locked(phys, phys_next, mode)) return unit;
  readings_.push_back(reading);
  reading->is_open = true;
  return nullptr;
}

void CodeCache::end_reading(Reading* reading) {
  if (!reading->is_open) return;
  const std::lock_guard lock(mutex_);
  std::erase(readings_, reading);
  reading->is_open = false;
}

Unit* CodeCache::publish(Unit* unit, Reading* reading) {
  const std::lock_guard lock(mutex_);
  const u64 page = unit->phys & ~(kPage - 1);
  const u32 mode = unit->mode.load(std::memory_order_relaxed);
  bool raced = false;
  for (u32 i = 0; i < reading->pages; ++i) {
    raced |= (reading->written[i] & granules_in(*unit, reading->page[i])) != 0;
    reading->written[i] = 0;
  }
  if (raced) {
    ++statistics_.raced;
    return nullptr;
  }
  std::erase(readings_, reading);
  reading->is_open = false;
  if (Unit* other = find_locked(unit->phys, unit->phys_next, mode)) {
    interp::free_unit(unit);
    return other;
  }
  Unit*& bucket = buckets_[hash(unit->phys, mode)];
  unit->next_in_bucket = bucket;
  bucket = unit;
  add_to_page(unit, page);
  if (unit->phys_next != 0) add_to_page(unit, unit->phys_next);
  unit->age = statistics_.made++;
  age_.push_back(unit);
  ++statistics_.units;
  statistics_.bytes += unit->memory_bytes;
  if (statistics_.bytes > capacity_) evict();
  // Few units may hold many chunks: when the guest rewrites its code so that one of each stays.
  if (retired_.empty() && unit_memory_bytes() > 2 * capacity_ + kSpareBytes) {
    evict();
    close_batch();
  }
  return unit;
}

void CodeCache::link(Link* link, Unit* target) {
  const std::lock_guard lock(mutex_);
  if (link->owner->mode.load(std::memory_order_relaxed) == kDeadMode) return;
  if (target->mode.load(std::memory_order_relaxed) == kDeadMode) return;
  if (link->target.load(std::memory_order_relaxed) != nullptr) {
    if (link->back != nullptr) *link->back = link->next;
    if (link->next != nullptr) link->next->back = link->back;
  }
  link->next = target->incoming;
  link->back = &target->incoming;
  if (target->incoming != nullptr) target->incoming->back = &link->next;
  target->incoming = link;
  link->target.store(target, std::memory_order_release);
  set_host_link(*link, target);
  ++statistics_.links;
}

void CodeCache::unlink(Unit* unit) {
  for (Link* link = unit->incoming; link != nullptr;) {
    Link* next = link->next;
    link->target.store(nullptr, std::memory_order_release);
    set_host_link(*link, nullptr);
    link->next = nullptr;
    link->back = nullptr;
    link = next;
  }
  unit->incoming = nullptr;
  for (Link& link : unit->links) {
    if (link.back == nullptr) continue;
    *link.back = link.next;
    if (link.next != nullptr) link.next->back = link.back;
    link.next = nullptr;
    link.back = nullptr;
    // A vcpu in this unit goes no further on code that may be as old.
    link.target.store(nullptr, std::memory_order_release);
    set_host_link(link, nullptr);
  }
}

void CodeCache::attach(Unit* unit) {
  const std::lock_guard lock(mutex_);
  if (unit->mode.load(std::memory_order_relaxed) == kDeadMode) return;
  unit->host.entry.store(unit->host.start, std::memory_order_release);
  for (u32 side = 0; side < 2; ++side) {
    Link& link = unit->links[side];
    link.host = unit->host.links[side];
    set_host_link(link, link.target.load(std::memory_order_relaxed));
  }
  for (Link* link = unit->incoming; link != nullptr; link = link->next) set_host_link(*link, unit);
  statistics_.host_bytes += unit->host.bytes;
}

void CodeCache::unhash(Unit* unit) {
  Unit** at = &buckets_[hash(unit->phys, unit->mode.load(std::memory_order_relaxed))];
  while (*at != unit) at = &(*at)->next_in_bucket;
  *at = unit->next_in_bucket;
}

void CodeCache::add_to_page(Unit* unit, u64 page) {
  Page& entry = pages_[page];
  unit->next_in_page[side_of(*unit, page)] = entry.first;
  entry.first = unit;
  entry.granules |= granules_in(*unit, page);
}

void CodeCache::unlink_from_page(Unit* unit, u64 page) {
  Page& entry = pages_[page];
  Unit** at = &entry.first;
  while (*at != unit) at = &(*at)->next_in_page[side_of(**at, page)];
  *at = unit->next_in_page[side_of(*unit, page)];
}

// Out of use: no longer found, linked to, or entered through a jump cache; freed when the readers have moved on.
void CodeCache::retire(Unit* unit) {
  unhash(unit);
  unlink_from_page(unit, unit->phys & ~(kPage - 1));
  if (unit->phys_next != 0) unlink_from_page(unit, unit->phys_next);
  unlink(unit);
  if (unit->is_in_loop) leave_loops(unit);
  unit->mode.store(kDeadMode, std::memory_order_release);
  --statistics_.units;
  ++statistics_.retired;
  deaths_.fetch_add(1, std::memory_order_release);
  statistics_.bytes -= unit->memory_bytes;
  if (unit->host.entry.load(std::memory_order_relaxed) != nullptr) statistics_.host_bytes -= unit->host.bytes;
  const u64 first_age = statistics_.made - age_.size();
  age_[unit->age - first_age] = nullptr;
  while (!age_.empty() && age_.front() == nullptr) age_.pop_front();
  batch_.push_back(unit);
  batch_bytes_ += unit->memory_bytes;
  if (batch_bytes_ >= kBatchBytes) close_batch();
}

void CodeCache::close_batch() {
  retired_.push_back({epoch_++, std::move(batch_), std::move(loop_batch_)});
  batch_.clear();
  loop_batch_.clear();
  batch_bytes_ = 0;
  wants_epoch_.store(true, std::memory_order_relaxed);
}

void CodeCache::evict() {
  ++statistics_.evictions;
  const u64 most = std::min(capacity_, statistics_.bytes);
  const u64 keep = most - most / kGenerations;
  const u64 before = statistics_.units;
  while (statistics_.bytes > keep && age_.size() > 1) {
    Unit* unit = age_.front();
    ++statistics_.evicted;
    retire(unit);
  }
  if (before > 2 && statistics_.units <= 1) ++statistics_.full_flushes;
}

void CodeCache::evict_generation() {
  const std::lock_guard lock(mutex_);
  evict();
  close_batch();
}

void CodeCache::invalidate(u64 phys, u64 size, std::atomic<u8>* marks, u8 mark) {
  const std::lock_guard lock(mutex_);
  const u64 page = phys & ~(kPage - 1);
  const u64 mask = granule_mask(phys & (kPage - 1), size);
  bool is_read = false;
  for (Reading* reading : readings_) {
    for (u32 i = 0; i < reading->pages; ++i) {
      if (reading->page[i] != page) continue;
      reading->written[i] |= mask;
      is_read = true;
    }
  }
  Page& entry = pages_[page];
  const bool had_units = entry.first != nullptr;
  if ((entry.granules & mask) != 0) {
    for (Unit* unit = entry.first; unit != nullptr;) {
      Unit* next = unit->next_in_page[side_of(*unit, page)];
      if ((granules_in(*unit, page) & mask) != 0) {
        ++statistics_.invalidated;
        retire(unit);
      }
      unit = next;
    }
    // Granules are a hint that may be too wide (eviction leaves them); here they are made exact again.
    entry.granules = 0;
    for (const Unit* unit = entry.first; unit != nullptr; unit = unit->next_in_page[side_of(*unit, page)]) {
      entry.granules |= granules_in(*unit, page);
    }
  }
  // Under the lock: a translation that begins later finds the mark gone and sets it anew.
  if (entry.first != nullptr) return;
  if (had_units) {
    ++entry.emptied;
    entry.writes = 0;
  }
  ++entry.writes;
  const u32 patience = entry.emptied > kEmptiedOften ? kPatience : 1;
  if (entry.writes >= patience && !is_read && marks != nullptr) {
    marks->fetch_and(static_cast<u8>(~mark), std::memory_order_seq_cst);
  }
}

void CodeCache::invalidate_offset(u32 page_offset) {
  const std::lock_guard lock(mutex_);
  // retire() changes age_: the units are gathered first.
  std::vector<Unit*> units;
  for (Unit* unit : age_) {
    if (unit == nullptr) continue;
    const u64 start = unit->phys & (kPage - 1);
    const bool begins_behind = page_offset < start;
    const u64 end = start + unit->guest_bytes;  // straddling: beyond the page
    const bool covers = !begins_behind && page_offset <= end;
    if (covers || page_offset + kPage <= end) units.push_back(unit);
  }
  for (Unit* unit : units) {
    ++statistics_.invalidated;
    retire(unit);
  }
}

bool CodeCache::enter_epoch(u32 reader, bool idle) {
  const std::lock_guard lock(mutex_);
  Reader& entry = readers_[reader];
  const bool stale = entry.seen != epoch_;
  // An idle reader remembers what it did: its next call tells it whether to forget that.
  if (!idle) entry.seen = epoch_;
  entry.idle = idle;
  free_passed();
  return stale;
}

void CodeCache::free_passed() {
  u64 passed = epoch_;
  for (const Reader& reader : readers_) {
    if (!reader.idle) passed = std::min(passed, reader.seen);
  }
  while (!retired_.empty() && retired_.front().epoch < passed) {
    for (Unit* unit : retired_.front().units) free_all(unit);
    for (const LoopCode& code : retired_.front().loops) release(code);
    statistics_.freed += retired_.front().units.size();
    retired_.pop_front();
  }
}

CodeCache::Statistics CodeCache::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace pagoda
