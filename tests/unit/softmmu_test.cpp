// SPDX-License-Identifier: MIT
// The software TLB: what survives which flush, contexts and their generations, write tags.
#include <gtest/gtest.h>

#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

constexpr u64 kVirt = 0x40000000, kFrame = CpuBench::kRam + 0x100000;
// A memory mode other than the one of translated code's own, with an address space of its own.
constexpr u32 kMode = 3;

struct SoftmmuTest : testing::Test {
  SoftmmuTest() { enter(1); }
  // Switches to address space `key`.
  void enter(u64 key) {
    bench.root = key;
    bench.mmu().set_context(kMode, key);
    bench.mmu().select_mode(kMode);
  }
  // Page `n` of the address space and its frame, filled with a value of its own.
  static u64 page(u64 n) { return kVirt + n * kPageSize; }
  static u64 frame(u64 n) { return kFrame + n * kPageSize; }
  void map(u64 n, u64 to, u64 key, bool global = false, u8 bits = 12) {
    bench.map(page(n), {.phys = frame(to), .global = global, .bits = bits}, key);
    bench.put64(frame(to), to);
  }
  CpuBench bench;
};

TEST_F(SoftmmuTest, SwitchingContextsThereAndBackWalksNothingAgain) {
  for (u64 n = 0; n < 100; ++n) {
    map(n, n, 1);
    map(n, 200 + n, 2);
  }
  for (u64 n = 0; n < 100; ++n) ASSERT_EQ(bench.load(page(n)), n);
  enter(2);
  for (u64 n = 0; n < 100; ++n) ASSERT_EQ(bench.load(page(n)), 200 + n) << "an entry of the other address space";
  const u64 walks = bench.walks();
  EXPECT_EQ(walks, 200u);
  enter(1);
  for (u64 n = 0; n < 100; ++n) ASSERT_EQ(bench.load(page(n)), n);
  enter(2);
  for (u64 n = 0; n < 100; ++n) ASSERT_EQ(bench.load(page(n)), 200 + n);
  EXPECT_EQ(bench.walks(), walks);
}

TEST_F(SoftmmuTest, FirstLevelTagsDoNotMatchAcrossContexts) {
  map(0, 0, 1);
  map(0, 1, 2);
  bench.load(page(0));
  ASSERT_TRUE(bench.hits<&TlbEntry::read_tag>(page(0)));
  enter(2);
  EXPECT_FALSE(bench.hits<&TlbEntry::read_tag>(page(0)));
  enter(1);
  EXPECT_TRUE(bench.hits<&TlbEntry::read_tag>(page(0))) << "a switch must flush nothing";
}

TEST_F(SoftmmuTest, AChangedMappingIsSeenAfterEachKindOfFlushThatCoversIt) {
  const auto flushes = std::to_array<void (*)(Softmmu&)>({
      [](Softmmu& mmu) { mmu.flush_all(); },
      [](Softmmu& mmu) { mmu.flush_context(1); },
      [](Softmmu& mmu) { mmu.flush_page(GuestVirt(page(5) + 0x123)); },
      [](Softmmu& mmu) { mmu.flush_page(GuestVirt(page(5) + 0x123), 1); },
  });
  u64 to = 10;
  for (const auto flush : flushes) {
    map(5, to, 1);
    bench.mmu().flush_all();
    ASSERT_EQ(bench.load(page(5)), to);
    map(5, to + 1, 1);
    ASSERT_EQ(bench.load(page(5)), to) << "nothing was flushed yet";
    flush(bench.mmu());
    EXPECT_FALSE(bench.hits<&TlbEntry::read_tag>(page(5)));
    EXPECT_EQ(bench.load(page(5)), to + 1) << "flush number " << to;
    to += 2;
  }
}

TEST_F(SoftmmuTest, FlushesLeaveWhatTheyDoNotName) {
  map(5, 5, 1);
  map(6, 6, 1);
  map(5, 7, 2);
  const auto touch = [&] {
    enter(2);
    EXPECT_EQ(bench.load(page(5)), 7u);
    enter(1);
    EXPECT_EQ(bench.load(page(5)), 5u);
    EXPECT_EQ(bench.load(page(6)), 6u);
    return bench.walks();
  };
  u64 walks = touch();
  const auto walks_after = [&](auto&& flush) {
    flush(bench.mmu());
    const u64 before = walks;
    walks = touch();
    return walks - before;
  };
  EXPECT_EQ(walks_after([](Softmmu&) {}), 0u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_page(GuestVirt(page(5)), 1); }), 1u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_page(GuestVirt(page(5)), 2); }), 1u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_page(GuestVirt(page(5))); }), 2u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_context(1); }), 2u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_context(2); }), 1u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_context(99); }), 0u);
  EXPECT_EQ(walks_after([](Softmmu& mmu) { mmu.flush_all(); }), 3u);
}

TEST_F(SoftmmuTest, GlobalEntriesServeAllContextsAndOnlyFullOrPageFlushesEndThem) {
  map(3, 3, 1, true);
  map(3, 3, 2, true);
  ASSERT_EQ(bench.load(page(3)), 3u);
  ASSERT_EQ(bench.walks(), 1u);
  enter(2);
  bench.load(page(3));
  bench.mmu().flush_context(2);
  bench.load(page(3));
  bench.mmu().flush_context(1);
  bench.load(page(3));
  EXPECT_EQ(bench.mmu().statistics().third_level_hits, 0u) << "the second level knows global entries";
  bench.mmu().flush_page(GuestVirt(page(3)), 2);
  bench.load(page(3));
  EXPECT_EQ(bench.walks(), 1u);
  bench.mmu().flush_page(GuestVirt(page(3)));
  bench.load(page(3));
  EXPECT_EQ(bench.walks(), 2u);
  bench.mmu().flush_all();
  bench.load(page(3));
  EXPECT_EQ(bench.walks(), 3u);
}

TEST_F(SoftmmuTest, AGlobalEntryOfTheSecondLevelGrantsWhatItGrantedBefore) {
  bench.put64(frame(3), 3);
  bench.map(page(3), {.phys = frame(3), .writable = false, .global = true}, 1);
  ASSERT_EQ(bench.load(page(3)), 3u);
  bench.mmu().flush_context(1);
  ASSERT_EQ(bench.load(page(3)), 3u);
  const u64 walks = bench.walks();
  bench.store(page(3), 9);
  EXPECT_EQ(bench.walks(), walks + 1) << "asked about the write";
  EXPECT_EQ(bench.load(page(3)), 3u);
}

// RISC-V: satp.MODE = Bare takes effect at once, whatever the G bits of the tables that were on before.
TEST_F(SoftmmuTest, GlobalEntriesDoNotServeUntranslatedAccesses) {
  map(3, 3, 1, true);
  ASSERT_EQ(bench.load(page(3)), 3u);
  bench.map(page(3), frame(4), 0);
  bench.put64(frame(4), 4);
  enter(0);
  EXPECT_EQ(bench.load(page(3)), 4u);
  enter(1);
  EXPECT_EQ(bench.load(page(3)), 3u);
}

TEST_F(SoftmmuTest, APageBetweenLargeOnesIsFlushedAlone) {
  constexpr u8 kBits = 21;
  constexpr u64 kLarge = u64{1} << kBits, kLow = 0x40000000, kHigh = 0xffffffc000000000;
  bench.put64(frame(1), 1);
  // Two neighbours, which are noted as one region, and another one far away.
  for (const u64 start : {kLow, kLow + kLarge, kHigh}) {
    bench.map(start, {.phys = frame(1), .bits = kBits}, 1);
    EXPECT_EQ(bench.load(start), 1u);
  }
  map(3, 3, 1);
  EXPECT_EQ(bench.load(page(3)), 3u);
  const u64 walks = bench.walks();
  bench.mmu().flush_page(GuestVirt(kLow + 2 * kLarge));
  bench.mmu().flush_page(GuestVirt(0x7000000000), 1);
  EXPECT_EQ(bench.load(page(3)), 3u);
  EXPECT_EQ(bench.walks(), walks);
  for (u64 n = 0; n < 100; ++n) {
    const u64 start = kHigh + n * 16 * kLarge;
    bench.map(start, {.phys = frame(1), .bits = kBits}, 1);
    bench.load(start);
  }
  // One that no region was free for. (The flush forgets them all, and loads would note them again.)
  const u64 start = kHigh + 40 * 16 * kLarge, before = bench.walks();
  bench.mmu().flush_page(GuestVirt(start + 0x5000), 1);
  bench.load(start);
  EXPECT_EQ(bench.walks(), before + 1);
}

TEST_F(SoftmmuTest, FlushingOnePageOfALargeOneFlushesAllOfIt) {
  constexpr u8 kBits = 21;
  constexpr u64 kLow = 0x40000000, kHigh = 0xffffffc000000000;
  const auto map_large = [&](u64 start, u64 to) {
    for (u64 n = 0; n < 8; ++n) {
      bench.map(start + n * kPageSize, {.phys = frame(to + n), .bits = kBits}, 1);
      bench.put64(frame(to + n), to + n);
    }
  };
  const auto check = [&](u64 start, u64 to) {
    for (u64 n = 0; n < 8; ++n) EXPECT_EQ(bench.load(start + n * kPageSize), to + n) << std::hex << start;
  };
  // The third one is noted after the region has grown to all of the address space.
  for (const u64 start : {kLow, kHigh, kLow + (u64{1} << kBits)}) {
    map_large(start, 0);
    check(start, 0);
  }
  for (const u64 start : {kHigh, kLow, kLow + (u64{1} << kBits)}) {
    map_large(start, 16);
    bench.mmu().flush_page(GuestVirt(start + 0x7000));
    check(start, 16);
  }
  for (const u64 start : {kHigh, kLow}) {
    map_large(start, 32);
    bench.mmu().flush_page(GuestVirt(start + 0x3000), 1);
    check(start, 32);
  }
}

TEST_F(SoftmmuTest, RunningOutOfGenerationsConfusesNoContexts) {
  constexpr u64 kKeys = 3 * kTlbGenerations;
  for (u64 key = 1; key <= kKeys; ++key) bench.map(page(0), frame(key % 300), key);
  for (u64 n = 0; n < 300; ++n) bench.put64(frame(n), n);
  for (u64 round = 0; round < 2; ++round) {
    for (u64 key = 1; key <= kKeys; ++key) {
      enter(key);
      ASSERT_EQ(bench.load(page(0)), key % 300) << "key " << key << " in round " << round;
      ASSERT_EQ(bench.frame().memory.tag, bench.frame().contexts[kMode].tag);
    }
  }
  EXPECT_GE(bench.mmu().statistics().generation_resets, 2u);
}

// An entry that nothing replaced meanwhile must not serve the key that gets its generation's number next.
// Keys get the numbers in the order in which they come; by how much that is shifted the second time is tried out. Each
// page is only looked at once, because that replaces what is left of it.
struct SoftmmuGenerations : SoftmmuTest, testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Shift, SoftmmuGenerations, testing::Range(-6, 7));

TEST_P(SoftmmuGenerations, EntriesOfGenerationsThatRanOutAreGone) {
  constexpr u64 kPages = 20;
  for (u64 key = 1; key <= kPages; ++key) {
    map(key, key, key);
    enter(key);
    ASSERT_EQ(bench.load(page(key)), key);
  }
  u64 key = kPages;
  while (bench.mmu().statistics().generation_resets == 0) enter(++key);
  for (int n = 1 + GetParam(); n <= static_cast<int>(kPages); ++n) {
    enter(++key);
    if (n < 1) continue;
    const u64 number = static_cast<u64>(n);
    map(number, 100 + number, key);
    ASSERT_EQ(bench.load(page(number)), 100 + number) << "page " << n << " for key " << key;
  }
}

TEST_F(SoftmmuTest, AModeThatWasNotCurrentIsRightAfterTheGenerationsRanOut) {
  constexpr u32 kOther = 4;
  map(0, 7, 1);
  bench.mmu().set_context(kOther, 1);
  bench.mmu().select_mode(kOther);
  ASSERT_EQ(bench.load(page(0)), 7u);
  bench.mmu().select_mode(kMode);
  for (u64 key = 2; key < 2 + kTlbGenerations; ++key) {
    bench.map(page(0), frame(9), key);
    bench.put64(frame(9), 9);
    enter(key);
    ASSERT_EQ(bench.load(page(0)), 9u);
  }
  ASSERT_GE(bench.mmu().statistics().generation_resets, 1u);
  bench.root = 1;
  bench.mmu().select_mode(kOther);
  EXPECT_EQ(bench.load(page(0)), 7u);
  map(0, 8, 1);
  bench.mmu().flush_context(1);
  EXPECT_EQ(bench.load(page(0)), 8u) << "the flush has to find the mode's context";
}

TEST_F(SoftmmuTest, PermissionsGoIntoTheTagsOfTheirKind) {
  bench.map(page(1), {.phys = frame(1), .readable = true, .writable = false, .executable = false}, 1);
  bench.load(page(1));
  EXPECT_TRUE(bench.hits<&TlbEntry::read_tag>(page(1)));
  EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(page(1)));
  EXPECT_FALSE(bench.hits<&TlbEntry::exec_tag>(page(1)));
  bench.store(page(1), 1);
  EXPECT_EQ(bench.frame().fault, 1u);
  bench.frame().fault = 0;
}

TEST_F(SoftmmuTest, DroppedWriteTagsAreGoneUnderEveryNameOfThePage) {
  map(1, 1, 1);
  map(2, 1, 1);
  map(3, 3, 1);
  for (u64 n = 1; n <= 3; ++n) bench.store(page(n), 5);
  for (u64 n = 1; n <= 3; ++n) ASSERT_TRUE(bench.hits<&TlbEntry::write_tag>(page(n)));
  bench.mmu().drop_write_tags(GuestPhys(frame(1)));
  EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(page(1)));
  EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(page(2)));
  EXPECT_TRUE(bench.hits<&TlbEntry::write_tag>(page(3)));
  EXPECT_TRUE(bench.hits<&TlbEntry::read_tag>(page(1)));
}

TEST_F(SoftmmuTest, APageMarkedAsCodeGetsNoWriteTagAndIsMarkedDirtyByItsFirstStore) {
  map(1, 1, 1);
  map(2, 2, 1);
  bench.memory.marks_of(GuestPhys(frame(1)))->fetch_or(GuestMemory::kHasCode);
  bench.memory.clear_dirty(GuestPhys(frame(1)), 2 * kPageSize);
  bench.store(page(1), 1);
  EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(page(1)));
  EXPECT_NE(*bench.memory.marks_of(GuestPhys(frame(1))) & GuestMemory::kDirty, 0);
  EXPECT_EQ(*bench.memory.marks_of(GuestPhys(frame(2))) & GuestMemory::kDirty, 0);
  bench.store(page(2), 1);
  EXPECT_TRUE(bench.hits<&TlbEntry::write_tag>(page(2)));
  EXPECT_NE(*bench.memory.marks_of(GuestPhys(frame(2))) & GuestMemory::kDirty, 0);
}

// Stores that hit the tag mark nothing: the page counts as written once there is one.
TEST_F(SoftmmuTest, APageThatALoadGaveAWriteTagIsDirty) {
  map(1, 1, 1);
  bench.map(page(2), {.phys = frame(2), .writable = false}, 1);
  bench.memory.clear_dirty(GuestPhys(frame(1)), 2 * kPageSize);
  bench.load(page(1));
  bench.load(page(2));
  ASSERT_TRUE(bench.hits<&TlbEntry::write_tag>(page(1)));
  EXPECT_NE(*bench.memory.marks_of(GuestPhys(frame(1))) & GuestMemory::kDirty, 0);
  EXPECT_EQ(*bench.memory.marks_of(GuestPhys(frame(2))) & GuestMemory::kDirty, 0);
}

TEST_F(SoftmmuTest, AccessesAcrossPagesTouchNothingWhenTheSecondFaults) {
  map(1, 1, 1);
  bench.map(page(2), {.ok = false}, 1);
  bench.put64(frame(1) + kPageSize - 8, 0x1122334455667788);
  bench.store(page(2) - 4, ~u64{0});
  EXPECT_EQ(bench.frame().fault, 1u);
  EXPECT_EQ(bench.frame().fault_value, page(2));
  EXPECT_EQ(bench.get64(frame(1) + kPageSize - 8), 0x1122334455667788u);
  map(2, 9, 1);
  bench.store(page(2) - 4, 0xa1a2a3a4a5a6a7a8);
  EXPECT_EQ(bench.frame().fault, 0u);
  EXPECT_EQ(bench.load(page(2) - 4), 0xa1a2a3a4a5a6a7a8u);
  EXPECT_EQ(bench.get64(frame(1) + kPageSize - 8), 0xa5a6a7a855667788u);
}

}  // namespace
}  // namespace pagoda
