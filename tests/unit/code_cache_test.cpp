// SPDX-License-Identifier: MIT
// The unit map by itself: lookup keys, invalidation grain, links, races with writers, reclaim by epochs.
#include "tcg/cache/code_cache.h"

#include <gtest/gtest.h>
#include <new>
#include <thread>

#include "tcg/interp/interp.h"
#include "tcg/interp/unit_memory.h"

namespace pagoda {
namespace {

constexpr u64 kPage = 0x80000000;
constexpr u8 kMark = 1;

struct Cache : CodeCache {
  using CodeCache::CodeCache;
  // A unit of `bytes` guest bytes at `phys`, as the code manager would publish it.
  static Unit* make(u64 phys, u32 bytes, u32 mode = 3, u64 phys_next = 0, u32 memory_bytes = 256) {
    Unit* unit = new (allocate_unit(sizeof(Unit))) Unit();
    unit->mode = mode;
    unit->phys = phys;
    unit->phys_next = phys_next;
    unit->guest_bytes = bytes;
    unit->memory_bytes = memory_bytes;
    for (Link& link : unit->links) link.owner = unit;
    return unit;
  }
  static Reading reading_of(u64 page, u64 second = 0) {
    return {.page = {page, second}, .pages = second != 0 ? 2u : 1u, .written = {}};
  }
  Unit* add(u64 phys, u32 bytes, u32 mode = 3, u64 phys_next = 0, u32 memory_bytes = 256) {
    Reading reading = reading_of(phys & ~u64{0xfff}, phys_next);
    begin_reading(&reading);
    Unit* unit = publish(make(phys, bytes, mode, phys_next, memory_bytes), &reading);
    end_reading(&reading);
    return unit;
  }
  void write(u64 phys, u64 size = 8) { invalidate(phys, size, nullptr, 0); }
};

TEST(CodeCache, TheKeyIsAddressSecondPageAndMode) {
  Cache cache(1 << 20, 1);
  Unit* plain = cache.add(kPage + 0xffe, 2);
  Unit* straddling = cache.add(kPage + 0xffe, 4, 3, kPage + 0x5000);
  Unit* other_next = cache.add(kPage + 0xffe, 4, 3, kPage + 0x6000);
  Unit* other_mode = cache.add(kPage + 0xffe, 2, 4);
  EXPECT_EQ(cache.find(kPage + 0xffe, 0, 3), plain);
  EXPECT_EQ(cache.find(kPage + 0xffe, kPage + 0x5000, 3), straddling);
  EXPECT_EQ(cache.find(kPage + 0xffe, kPage + 0x6000, 3), other_next);
  EXPECT_EQ(cache.find(kPage + 0xffe, 0, 4), other_mode);
  EXPECT_EQ(cache.find(kPage + 0xffe, 0, 5), nullptr);
  EXPECT_EQ(cache.find(kPage + 0xffc, 0, 3), nullptr);
}

TEST(CodeCache, OfTwoThreadsThatTranslateTheSameTheFirstWins) {
  Cache cache(1 << 20, 2);
  Unit* first = cache.add(kPage, 8);
  EXPECT_EQ(cache.add(kPage, 8), first);
  EXPECT_EQ(cache.statistics().units, 1u);
}

TEST(CodeCache, AWriteInvalidatesExactlyTheUnitsOfItsGranules) {
  // One unit for each start and length in granules within a window; then a write to each granule in turn.
  for (u32 written = 0; written < 8; ++written) {
    Cache cache(1 << 20, 1);
    for (u32 first = 0; first < 8; ++first) {
      for (u32 count = 1; first + count <= 8; ++count) {
        // The mode tells units of the same start apart; bytes reach just into the last granule.
        ASSERT_NE(cache.add(kPage + first * 64 + 60, (count - 1) * 64 + 4, count), nullptr);
      }
    }
    cache.write(kPage + written * 64, 1);
    for (u32 first = 0; first < 8; ++first) {
      for (u32 count = 1; first + count <= 8; ++count) {
        const bool hit = first <= written && written < first + count;
        EXPECT_EQ(cache.find(kPage + first * 64 + 60, 0, count) == nullptr, hit)
            << "unit of " << count << " granules from " << first << ", write to " << written;
      }
    }
  }
}

TEST(CodeCache, AUnitAcrossPagesIsFoundByWritesToBoth) {
  Cache cache(1 << 20, 1);
  for (const u64 address : {kPage + 0xffe, kPage + 0x5000, kPage + 0x5001}) {
    ASSERT_NE(cache.add(kPage + 0xffe, 4, 3, kPage + 0x5000), nullptr);
    cache.write(kPage + 0x5040);  // another granule
    cache.write(kPage + 0x1000);  // the page behind the first, where the rest does not lie
    ASSERT_NE(cache.find(kPage + 0xffe, kPage + 0x5000, 3), nullptr);
    cache.write(address, 1);
    EXPECT_EQ(cache.find(kPage + 0xffe, kPage + 0x5000, 3), nullptr) << std::hex << address;
  }
}

TEST(CodeCache, BytesWrittenDuringATranslationAreNotPublished) {
  Cache cache(1 << 20, 1);
  CodeCache::Reading reading = Cache::reading_of(kPage, kPage + 0x5000);
  cache.begin_reading(&reading);
  Unit* unit = Cache::make(kPage + 0xffe, 4, 3, kPage + 0x5000);
  for (const u64 address : {kPage + 0xfc0, kPage + 0x5000}) {
    cache.write(address);
    EXPECT_EQ(cache.publish(unit, &reading), nullptr);
  }
  // Elsewhere in the pages: data beside code, however often it is written.
  cache.write(kPage + 0x100);
  cache.write(kPage + 0x5100);
  EXPECT_EQ(cache.publish(unit, &reading), unit) << "each try starts anew, other granules do not count";
  cache.end_reading(&reading);
  EXPECT_EQ(cache.statistics().raced, 2u);
}

TEST(CodeCache, APageBecomesDataWhenItHasNoUnitAndNobodyReadsIt) {
  Cache cache(1 << 20, 1);
  std::atomic<u8> marks{kMark | 8};
  CodeCache::Reading reading = Cache::reading_of(kPage);
  cache.begin_reading(&reading);
  cache.invalidate(kPage + 0x800, 8, &marks, kMark);
  EXPECT_EQ(marks, kMark | 8) << "a translation is under way";
  cache.end_reading(&reading);
  cache.add(kPage, 8);
  cache.invalidate(kPage + 0x800, 8, &marks, kMark);
  EXPECT_EQ(marks, kMark | 8) << "there is a unit";
  cache.invalidate(kPage, 8, &marks, kMark);
  EXPECT_EQ(marks, 8);
}

// Taking the write tags of a page again and again costs more than some stores without one.
TEST(CodeCache, APageThatIsWrittenAndRunInTurnStaysCodeForSomeWrites) {
  Cache cache(1 << 20, 1);
  std::atomic<u8> marks{0};
  for (u32 round = 0; round <= CodeCache::kEmptiedOften; ++round) {
    marks = kMark;
    cache.add(kPage, 8);
    cache.invalidate(kPage, 8, &marks, kMark);
    EXPECT_EQ(marks, round < CodeCache::kEmptiedOften ? 0 : kMark) << round;
  }
  for (u32 writes = 2; writes < CodeCache::kPatience; ++writes) cache.invalidate(kPage, 8, &marks, kMark);
  EXPECT_EQ(marks, kMark);
  cache.invalidate(kPage, 8, &marks, kMark);
  EXPECT_EQ(marks, 0);
}

TEST(CodeCache, LinksLeadToLivingUnitsOnly) {
  Cache cache(1 << 20, 1);
  Unit* a = cache.add(kPage, 8);
  Unit* b = cache.add(kPage + 0x100, 8);
  Unit* c = cache.add(kPage + 0x200, 8);
  cache.link(&a->links[0], b);
  cache.link(&a->links[1], b);
  cache.link(&c->links[0], b);
  cache.link(&b->links[0], b);
  cache.link(&b->links[1], c);
  cache.link(&c->links[1], a);
  EXPECT_EQ(a->links[0].target, b);
  cache.link(&a->links[0], c);  // set anew
  EXPECT_EQ(a->links[0].target, c);
  cache.write(kPage + 0x100);  // b goes
  EXPECT_EQ(a->links[0].target, c);
  EXPECT_EQ(a->links[1].target, nullptr);
  EXPECT_EQ(c->links[0].target, nullptr);
  EXPECT_EQ(c->links[1].target, a);
  EXPECT_EQ(b->links[0].target, nullptr);
  EXPECT_EQ(b->links[1].target, nullptr) << "a vcpu still in b must not run on to what may be stale as well";
  EXPECT_EQ(b->mode, kDeadMode);
  cache.link(&a->links[1], b);
  EXPECT_EQ(a->links[1].target, nullptr) << "nothing is linked to the dead";
  cache.link(&b->links[0], a);
  EXPECT_EQ(b->links[0].target, nullptr) << "nor from the dead";
  cache.write(kPage + 0x200);  // c goes; the lists it was on are whole
  EXPECT_EQ(a->links[0].target, nullptr);
  cache.write(kPage);
  EXPECT_EQ(cache.statistics().units, 0u);
}

TEST(CodeCache, EvictionTakesTheOldestAndStaysUnderTheBound) {
  constexpr u64 kUnit = 1 << 10, kCapacity = 64 * kUnit;
  Cache cache(kCapacity, 1);
  for (u64 n = 0; n < 1000; ++n) {
    ASSERT_NE(cache.add(kPage + n * 64, 8, 3, 0, kUnit), nullptr);
    EXPECT_LE(cache.statistics().bytes, kCapacity);
    EXPECT_GE(cache.statistics().units, std::min<u64>(n + 1, 64 - 64 / 8)) << "never everything";
  }
  const u64 units = cache.statistics().units;
  for (u64 n = 0; n < 1000; ++n) {
    EXPECT_EQ(cache.find(kPage + n * 64, 0, 3) != nullptr, n >= 1000 - units) << n;
  }
  EXPECT_EQ(cache.statistics().full_flushes, 0u);
}

TEST(CodeCache, AnEvictionThatLeavesNothingIsCounted) {
  // Room for two units: of three an eviction has to leave one.
  Cache cache(512, 1);
  for (u64 n = 0; n < 3; ++n) cache.add(kPage + n * 64, 8);
  EXPECT_EQ(cache.statistics().evictions, 1u);
  EXPECT_EQ(cache.statistics().full_flushes, 1u);
}

// Retires `count` units of 64 KiB each: batches close at 1 MiB.
void retire_units(Cache& cache, u32 count) {
  for (u32 n = 0; n < count; ++n) {
    cache.add(kPage, 8, 3, 0, 1 << 16);
    cache.write(kPage);
  }
}

TEST(CodeCache, MemoryIsFreedOnceAllReadersHaveMovedOn) {
  Cache cache(1 << 30, 3);
  // Reader 2 never runs.
  EXPECT_TRUE(cache.enter_epoch(0, false));
  EXPECT_TRUE(cache.enter_epoch(1, false));
  EXPECT_FALSE(cache.enter_epoch(0, false)) << "nothing went out of use";
  EXPECT_FALSE(cache.take_epoch_request());
  retire_units(cache, 16);
  EXPECT_TRUE(cache.take_epoch_request());
  EXPECT_FALSE(cache.take_epoch_request()) << "once";
  EXPECT_EQ(cache.statistics().retired, 16u);
  EXPECT_EQ(cache.statistics().freed, 0u);
  EXPECT_TRUE(cache.enter_epoch(0, false)) << "its jump cache may name dead units";
  EXPECT_EQ(cache.statistics().freed, 0u) << "reader 1 may be in one";
  EXPECT_TRUE(cache.enter_epoch(1, false));
  EXPECT_EQ(cache.statistics().freed, 16u);
}

TEST(CodeCache, AnIdleReaderHoldsNothingUpAndForgetsWhenItComesBack) {
  Cache cache(1 << 30, 2);
  cache.enter_epoch(0, false);
  cache.enter_epoch(1, false);
  cache.enter_epoch(1, true);
  EXPECT_FALSE(cache.enter_epoch(1, false)) << "what it remembers is good";
  cache.enter_epoch(1, true);
  retire_units(cache, 16);
  cache.enter_epoch(0, false);
  EXPECT_EQ(cache.statistics().freed, 16u);
  EXPECT_TRUE(cache.enter_epoch(1, false));
}

// Readers that walk links and writers that retire what they walk: for the sanitizers.
TEST(CodeCache, UnitsStayInMemoryUntilReadersPass) {
  constexpr u32 kReaders = 2, kUnits = 16;
  Cache cache(1 << 30, kReaders + 1);
  std::atomic<bool> ending{false};
  std::atomic<u64> steps{0};
  std::vector<std::thread> readers;
  for (u32 i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] {
      while (!ending) {
        cache.enter_epoch(i, false);
        Unit* unit = cache.find(kPage + i * 0x100, 0, 3);
        for (u32 n = 0; n < 64 && unit != nullptr; ++n) {
          ++steps;
          EXPECT_EQ(unit->guest_bytes, 8u);
          unit = unit->links[n & 1].target.load(std::memory_order_acquire);
        }
      }
      cache.enter_epoch(i, true);
    });
  }
  // On a busy host the readers may come late.
  for (u32 round = 0; round < 3000 || steps == 0; ++round) {
    Unit* units[kUnits];
    for (u32 n = 0; n < kUnits; ++n) units[n] = cache.add(kPage + n * 0x100, 8, 3, 0, 1 << 16);
    for (u32 n = 0; n < kUnits; ++n) {
      cache.link(&units[n]->links[0], units[(n + 1) % kUnits]);
      cache.link(&units[n]->links[1], units[(n * 7 + round) % kUnits]);
    }
    for (u32 n = 0; n < kUnits; n += 1 + round % 3) cache.write(kPage + n * 0x100);
  }
  ending = true;
  for (std::thread& thread : readers) thread.join();
  retire_units(cache, 16);
  cache.enter_epoch(kReaders, false);
  EXPECT_EQ(cache.statistics().freed + 16, cache.statistics().retired + 16 - cache.statistics().retired % 16)
      << "all but the batch that is not full";
  EXPECT_GT(steps, 0u);
}

}  // namespace
}  // namespace pagoda
