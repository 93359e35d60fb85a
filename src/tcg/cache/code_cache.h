// SPDX-License-Identifier: MIT
// CodeCache: all units of a machine: lookup by physical address and mode, links, invalidation by byte range, and
// generational reclaim.
//
// A unit that goes out of use is unlinked at once and freed later, when every reader has passed a point where it holds
// no unit (enter_epoch). When the cache is over its bound, the oldest generation of units goes, never everything.
// Threading: every method may be called from any thread; one mutex inside. Readers of units and links take no lock.
#pragma once

#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "tcg/cache/unit.h"

namespace pagoda {

class CodeCache {
 public:
  // `capacity`: bytes of units kept at most; `readers`: vcpus.
  CodeCache(u64 capacity, u32 readers);
  ~CodeCache();

  Unit* find(u64 phys, u64 phys_next, u32 mode);

  // A translation under way: the pages whose bytes it reads, and which of their granules were written since.
  struct Reading {
    u64 page[2] = {};
    u32 pages = 0;  // 1 or 2
    u64 written[2] = {};
    bool is_open = false;
  };
  // From here to end_reading() writes are noted, and the pages do not become data again (invalidate). Comes before the
  // pages are marked and their bytes read.
  void begin_reading(Reading* reading);
  // As find(); if there is no such unit, as begin_reading(), in one step.
  Unit* find_or_begin_reading(u64 phys, u64 phys_next, u32 mode, Reading* reading);
  // Does nothing if there is no reading under way.
  void end_reading(Reading* reading);
  // Makes a unit findable unless bytes it was made from were written meanwhile, or another thread was faster. Returns
  // the unit to use (the argument is freed when it is another), with the reading ended, or null when the bytes may be
  // stale: then the argument is the caller's still, and what was written is forgotten, for another try.
  Unit* publish(Unit* unit, Reading* reading);
  // Sets a link if both ends are still alive.
  void link(Link* link, Unit* target);

  // Publishes the host code that a compiler hung on `unit`: links to and from it go to the code from now on. A unit
  // that is out of use meanwhile stays without.
  void attach(Unit* unit);

  // The loops through `root` inside its page, as far as all their units have code: the units from which it can be
  // reached again by links within the page, in the order in which their code should lie, `root` first. Returns how
  // many; 0: there is no such loop, or `root` begins one already.
  u32 find_loop(Unit* root, std::span<LoopUnit, kMostLoopUnits> units);
  // Publishes code made of what find_loop() found: control enters it in the place of the first unit's own code, until
  // one of its units goes out of use. Releases the code if one has meanwhile.
  void attach_loop(std::span<const LoopUnit> units, const LoopCode& code);

  // Code of several units that another thread makes: `units`, the first of which is where it will be entered, each
  // once.
  struct Making {
    std::vector<Unit*> units;
    bool stands = false;  // under the cache's lock: all of them are still in use
  };
  // From here to end_making() the cache notes whether the units stay in use. False, and nothing begins: one of them is
  // not, or the first begins common code already.
  bool begin_making(Making* making);
  // Whether they are: then none goes away before end_making(), provided that the caller is a reader that is not idle
  // since before it asked.
  bool stands(const Making& making);
  // Publishes the code, as attach_loop, or releases it. Without code (start is null): nothing came of it.
  // True: it was published.
  bool end_making(Making* making, const LoopCode& code);

  // Takes out of use every unit that overlaps [phys, phys + size) at 64-byte grain; the range must lie in one page. If
  // the page holds no unit any more and none is being made from it, clears `mark` in its marks (may be null), in one
  // step with finding that out. Where code was written over and over again it does so only after kPatience writes, as
  // taking the write tags of a page costs more than that.
  static constexpr u32 kPatience = 64, kEmptiedOften = 4;
  void invalidate(u64 phys, u64 size, std::atomic<u8>* marks, u8 mark);
  // Takes out of use every unit that begins at this offset in its page, has it inside, or ends before it.
  void invalidate_offset(u32 page_offset);

  // A reader passes a point where it holds no unit: returns true if it must also forget what it remembers (jump cache).
  // `idle` says that it will hold none until the next call. A reader starts idle.
  bool enter_epoch(u32 reader, bool idle);
  // True once for each batch of retired units: the readers should pass such a point soon, so that it can be freed.
  bool take_epoch_request() {
    return wants_epoch_.load(std::memory_order_relaxed) && wants_epoch_.exchange(false, std::memory_order_relaxed);
  }

  // Takes the oldest generation of units out of use.
  void evict_generation();
  // Units that were retired since the start. Any thread.
  u64 deaths() const { return deaths_.load(std::memory_order_acquire); }

  struct Statistics {
    u64 units = 0, bytes = 0, made = 0, invalidated = 0, evicted = 0, evictions = 0, links = 0, raced = 0;
    u64 full_flushes = 0;        // evictions that left no more than one of many
    u64 loops = 0;               // that were attached so far
    u64 host_bytes = 0;          // of code that compilers made for the units in use
    u64 retired = 0, freed = 0;  // units out of use so far; those of them whose memory was given back
  };
  Statistics statistics() const;

 private:
  struct Page {
    Unit* first = nullptr;
    u64 granules = 0;  // 64-byte pieces that some unit was made from
    u32 emptied = 0;   // how often a write took its last unit
    u32 writes = 0;    // since then, to the page without units
  };
  struct Retired {
    u64 epoch;
    std::vector<Unit*> units;
    std::vector<LoopCode> loops;
  };
  struct Loop {
    std::vector<Unit*> units;  // the first is where it is entered
    LoopCode code;
  };
  void leave_loops(Unit* unit);
  void add_loop(std::vector<Unit*> units, const LoopCode& code);
  void retire(Unit* unit);
  void unhash(Unit* unit);
  void add_to_page(Unit* unit, u64 page);
  void unlink_from_page(Unit* unit, u64 page);
  void unlink(Unit* unit);
  void evict();
  void close_batch();
  void free_passed();
  Unit* find_locked(u64 phys, u64 phys_next, u32 mode) const;
  // Units of one page lie side by side, so that looking up code that is new comes with few cache misses.
  static u64 hash(u64 phys, u32 mode) {
    const u64 group = (phys >> 12 ^ u64{mode} * 0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93 >> (64 - kGroupBits);
    return group << kInPageBits | (phys >> (12 - kInPageBits) & ((1u << kInPageBits) - 1));
  }

  static constexpr u32 kInPageBits = 9;  // a bucket for each 8 bytes of a page: a unit is about 16 bytes of guest code
  static constexpr u32 kGroupBits = 11;
  static constexpr u32 kBuckets = 1 << (kGroupBits + kInPageBits);
  const u64 capacity_;
  mutable std::mutex mutex_;
  struct Free {
    void operator()(Unit** memory) const { std::free(memory); }
  };
  std::unique_ptr<Unit*[], Free> buckets_;  // from calloc: the host sees the pages of code that there is
  std::unordered_map<u64, Page> pages_;
  std::deque<Unit*> age_;  // oldest first; null where a unit was retired
  std::vector<Unit*> batch_;
  std::vector<LoopCode> loop_batch_;  // freed with the batch
  u64 batch_bytes_ = 0;
  std::vector<Loop> loops_;
  std::vector<Making*> makings_;
  std::deque<Retired> retired_;
  u64 epoch_ = 1;
  struct Reader {
    u64 seen = 0;  // epoch_ at its last call
    bool idle = true;
  };
  std::vector<Reader> readers_;
  std::vector<Reading*> readings_;  // at most one a vcpu
  std::atomic<bool> wants_epoch_{false};
  Statistics statistics_;
  std::atomic<u64> deaths_{0};
};

}  // namespace pagoda
