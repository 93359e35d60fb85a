// SPDX-License-Identifier: MIT
// From pc to unit and back: what invalidates code, where links and the jump cache may lead, exact budgets, the cache
// bound.
#include "cpu/code_manager.h"

#include <gtest/gtest.h>
#include <atomic>

#include "unit/cpu_bench.h"

namespace pagoda {
namespace {

using namespace rv;

constexpr u64 kCode = CpuBench::kRam, kVirt = 0x40000000;
constexpr i64 kEndless = i64{1} << 60;

bool is_marked(CpuBench& bench, u64 phys) {
  return (*bench.memory.marks_of(GuestPhys(phys)) & GuestMemory::kHasCode) != 0;
}

// --- who writes, and what it hits ---

// A unit at kCode and one 64 bytes on; returns which of them (bits 0 and 1) a write took away.
template <class F>
u32 units_lost(CpuBench& bench, F&& write) {
  bench.put(kCode, {li(t0, 1), j(60)});
  bench.put(kCode + 64, {li(t1, 2), j(0)});
  bench.run_from(kCode, 48 + 4);  // enough for whole blocks
  const u32 mode = bench.frame().mode;
  EXPECT_NE(bench.code->cache().find(kCode, 0, mode), nullptr);
  EXPECT_NE(bench.code->cache().find(kCode + 64, 0, mode), nullptr);
  write();
  return (bench.code->cache().find(kCode, 0, mode) == nullptr ? 1 : 0) |
         (bench.code->cache().find(kCode + 64, 0, mode) == nullptr ? 2 : 0);
}

TEST(CodeManager, EveryKindOfWriterInvalidatesWhatItOverlaps) {
  CpuBench bench;
  const std::array<std::byte, 80> bytes{};
  const auto at = [&](u64 offset) { return GuestPhys(kCode + offset); };
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.write(at(4), std::span(bytes).first(1))); }), 1u);
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.write(at(64), std::span(bytes).first(4))); }), 2u);
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.write(at(0), bytes)); }), 3u);
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.write(at(128), bytes)); }), 0u);
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.fill(at(60), 8, 0)); }), 3u);
  EXPECT_EQ(units_lost(bench, [&] { CHECK(bench.memory.store<u8>(at(127), 0)); }), 2u);
  // As a page-table walk sets accessed and dirty bits.
  EXPECT_EQ(units_lost(bench,
                       [&] {
                         bool swapped = false;
                         const u64 old = bench.get64(kCode + 64);
                         CHECK(bench.memory.compare_exchange<u64>(at(64), old, old | 64, &swapped) && swapped);
                       }),
            2u);
  // The vcpu's own stores, under another virtual address, with a write tag from before the page held code.
  bench.map(kVirt, kCode);
  const auto run_store = [&](u64 address) {
    bench.store(address, 0);
    EXPECT_EQ(bench.frame().fault, 0u);
  };
  EXPECT_EQ(units_lost(bench, [&] { run_store(kVirt + 8); }), 1u);
  EXPECT_EQ(units_lost(bench, [&] { run_store(kVirt + 60); }), 3u);
  EXPECT_EQ(units_lost(bench, [&] { run_store(kVirt + 192); }), 0u);
  EXPECT_EQ(units_lost(bench, [&] { run_store(kVirt + kPageSize - 8); }), 0u);
}

TEST(CodeManager, MarkingAPageTakesTheWriteTagsOfAllVcpus) {
  CpuBench bench(3);
  bench.map(kVirt, kCode);
  for (u32 i = 0; i < 3; ++i) {
    bench.store(kVirt + 0x800, 1, i);
    ASSERT_TRUE(bench.hits<&TlbEntry::write_tag>(kVirt, i));
  }
  bench.put(kCode, {li(t0, 1), j(0)});
  bench.run_from(kCode, 100, 1);
  ASSERT_TRUE(is_marked(bench, kCode));
  for (u32 i = 0; i < 3; ++i) EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(kVirt, i)) << i;
  // Nor do they get a new one, until the page is data again.
  bench.store(kVirt + 0x800, 2, 2);
  EXPECT_FALSE(bench.hits<&TlbEntry::write_tag>(kVirt, 2));
  bench.store(kVirt, 0, 2);
  EXPECT_FALSE(is_marked(bench, kCode));
  bench.store(kVirt + 0x800, 2, 2);
  EXPECT_TRUE(bench.hits<&TlbEntry::write_tag>(kVirt, 2));
}

TEST(CodeManager, CodeThatWritesTheNextBlockRunsWhatItWrote) {
  CpuBench bench;
  // a0: address of the word to replace, a1: the new word; loops so that everything is linked before it changes.
  bench.put(kCode, {sw(a1, a0, 0), fence_i(), li(t0, 1), addi(t1, t1, 1), bne(t1, a2, -16), j(0)});
  bench.x(a0) = kCode + 8;
  bench.x(a1) = li(t0, 1);
  bench.x(a2) = 5;
  bench.run_from(kCode, 200);
  EXPECT_EQ(bench.x(t0), 1u);
  bench.x(a1) = li(t0, 7);
  bench.x(t1) = 0;
  bench.run_from(kCode, 5);
  bench.run_from(kCode, 200);
  EXPECT_EQ(bench.x(t0), 7u);
}

TEST(CodeManager, ALoopThatWritesItsOwnCodeRunsItInTheNextRound) {
  CpuBench bench;
  bench.put(kCode, {addi(t0, t0, 1), sw(a1, a0, 0), addi(t1, t1, 1), bne(t1, a2, -12), j(0)});
  bench.x(a0) = kCode;
  bench.x(a1) = addi(t0, t0, 16);
  bench.x(a2) = 5;
  bench.run_from(kCode, 200);
  EXPECT_EQ(bench.x(t0), 1 + 4 * 16u);
}

TEST(CodeManager, ALinkDiesWithWhatItLeadsTo) {
  CpuBench bench;
  bench.put(kCode, {addi(t0, t0, 1), j(60)});
  for (i32 n = 1; n < 5; ++n) {
    bench.put(kCode + 64, {li(t1, n), j(0)});
    for (int i = 0; i < 3; ++i) {
      bench.x(t1) = 0;
      bench.run_from(kCode, 200);
      EXPECT_EQ(bench.x(t1), static_cast<u64>(n));
    }
  }
}

// What a block writes may be that block and the one it is linked to: at its end it does not go to the old one.
TEST(CodeManager, ABlockThatIsGoneLeadsNowhere) {
  CpuBench bench;
  constexpr u64 kNext = kCode + 0x100, kScratch = kCode + 0x10000;
  bench.put(kCode, {sw(x0, a0, 0), sw(a2, a1, 0), j(0x100 - 8)});
  bench.put(kNext, {li(t1, 1), j(0)});
  bench.x(a0) = bench.x(a1) = kScratch;
  bench.x(a2) = li(t1, 7);
  for (int i = 0; i < 3; ++i) bench.run_from(kCode, 200);
  EXPECT_EQ(bench.x(t1), 1u);
  bench.x(a0) = kCode + 0x30;  // beside the block's own instructions
  bench.x(a1) = kNext;
  bench.run_from(kCode, 200);
  EXPECT_EQ(bench.x(t1), 7u);
}

// On tier 1 the load and the store share a check, which is for both.
void store_behind_load(const CodeOptions& options) {
  CpuBench bench(1, options);
  // Where the page has a place in the TLB that the code's pages do not want.
  constexpr u64 kData = kCode + 0x10000, kHandler = kCode + 0x1000, kPlace = kVirt + 0x5000;
  bench.map(kPlace, CpuBench::Page{.phys = kData, .writable = false});
  bench.put(kHandler, {j(0)});
  bench.vcpu().state<riscv64::Hart>().mtvec = kHandler;
  bench.put64(kData, 5);
  bench.put(kCode, {ld(t0, a0, 8), addi(a0, a0, 8), sd(a1, a0, 0), li(t1, 1), j(0)});
  bench.x(a1) = 6;
  // At first the load misses the TLB, and the store is on its own; then it hits.
  for (int i = 0; i < 3; ++i) {
    bench.x(a0) = kPlace - 8;
    bench.vcpu().state<riscv64::Hart>().mepc = 0;
    bench.run_from(kCode, 200);
    EXPECT_EQ(bench.x(t0), 5u);
    EXPECT_EQ(bench.x(t1), 0u);
    EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mepc, kCode + 8);
    EXPECT_EQ(bench.get64(kData), 5u);
  }
}
TEST(CodeManager, AStoreNeedsMoreThanThatThePageCanBeRead) {
  store_behind_load({.max_tier = 0});
  store_behind_load({.max_tier = 1, .min_tier = 1});
}

// --- one page under several names, and names that move ---

TEST(CodeManager, OnePageUnderTwoAddressesIsOneTranslationWithTheRightPc) {
  CpuBench bench;
  bench.map(kVirt, kCode);
  bench.map(kVirt + 0x7000, kCode);
  bench.put(kCode + 0x10, {auipc(t0), jal(ra, 8), j(0), auipc(t1), j(0)});
  for (const u64 base : {kVirt, kVirt + 0x7000, kVirt}) {
    bench.run_from(base + 0x10, 100);
    EXPECT_EQ(bench.x(t0), base + 0x10);
    EXPECT_EQ(bench.x(ra), base + 0x18);
    EXPECT_EQ(bench.x(t1), base + 0x1c);
    EXPECT_EQ(bench.pc(), base + 0x20);
  }
  EXPECT_EQ(bench.cache().units, 3u) << "translated once for all names";
}

// A block at the end of one page that goes on in the next; returns t1 after running it.
struct Remapping : testing::Test {
  static constexpr u64 kOld = kCode + 0x10000, kNew = kCode + 0x20000;
  Remapping() {
    bench.map(kVirt, kCode);
    bench.put(kOld, {li(t1, 1), j(0)});
    bench.put(kNew, {li(t1, 2), j(0)});
  }
  u64 run() {
    bench.x(t1) = 0;
    bench.run_from(kVirt + 0xff0, 200);
    return bench.x(t1);
  }
  void remap_second() {
    bench.map(kVirt + kPageSize, kNew);
    bench.mmu().flush_page(GuestVirt(kVirt + kPageSize));
  }
  // Calls a function twenty times, makes it one that returns 2 in t1, and goes on with `then`.
  void call_then_write(std::initializer_list<u32> then) {
    bench.map(kVirt + kPageSize, kOld);
    bench.put(kOld, {li(t1, 1), jr(ra)});
    bench.put(kCode + 0xf00, {jalr(ra, a0), addi(t0, t0, 1), bne(t0, a1, -8), sd(a2, a0, 0)});
    bench.put(kCode + 0xf10, then);
    bench.x(a0) = kVirt + kPageSize;
    bench.x(t0) = 0;
    bench.x(a1) = 20;
    bench.x(a2) = u64{jr(ra)} << 32 | li(t1, 2);
    bench.run_from(kVirt + 0xf00, 1000);
    EXPECT_EQ(bench.x(t0), 20u);
  }
  CpuBench bench;
};
TEST_F(Remapping, ALinkIntoAnotherPageDiesWithItsMapping) {
  bench.put(kCode + 0xff0, {li(t0, 5), j(12)});
  bench.map(kVirt + kPageSize, kOld);
  EXPECT_EQ(run(), 1u);
  EXPECT_EQ(run(), 1u);
  ASSERT_GT(bench.cache().links, 0u);
  remap_second();
  EXPECT_EQ(run(), 2u);
}

TEST_F(Remapping, AJumpCacheEntryDiesWithItsMapping) {
  bench.put(kCode + 0xff0, {li(t0, 5), jr(a0)});
  bench.x(a0) = kVirt + kPageSize;
  bench.map(kVirt + kPageSize, kOld);
  EXPECT_EQ(run(), 1u);
  EXPECT_EQ(run(), 1u);
  remap_second();
  EXPECT_EQ(run(), 2u);
}

TEST_F(Remapping, AJumpCacheEntryDiesWithAFlush) {
  bench.put(kCode + 0xff0, {li(t0, 5), jr(a0)});
  bench.x(a0) = kVirt + kPageSize;
  bench.map(kVirt + kPageSize, kOld);
  for (u32 i = 0; i < 3; ++i) EXPECT_EQ(run(), 1u);
  bench.map(kVirt + kPageSize, kNew);
  bench.mmu().flush_all();
  EXPECT_EQ(run(), 2u);
}

// A function that is called until its entry is warm, and then once more after its first instruction was overwritten.
TEST_F(Remapping, AJumpCacheEntryDiesWithItsUnit) {
  call_then_write({jalr(ra, a0), j(0)});
  EXPECT_EQ(bench.x(t1), 2u);
}

// The poll that the death of a unit causes is over when the function is called again, so that only the entry's key
// helps.
TEST_F(Remapping, AJumpCacheEntryDiesWithItsUnitAndStaysDeadBehindThePoll) {
  call_then_write({j(8), j(0), li(t2, 1), j(8), j(0), jalr(ra, a0), j(0)});
  EXPECT_EQ(bench.x(t2), 1u);
  EXPECT_EQ(bench.x(t1), 2u);
}

// Two pages that share a place in the TLB's first level but not in the second.
TEST_F(Remapping, WhatOnlyTheSecondLevelHoldsIsFoundAndForgotten) {
  constexpr u64 kFirst = kVirt + 0x100000, kOther = kFirst + kTlbEntries * kPageSize;
  constexpr u64 kData = kCode + 0x30000, kOtherData = kCode + 0x31000, kNewData = kCode + 0x32000;
  bench.put(kCode + 0xff0, {ld(t1, a0, 0), ld(t2, a1, 0), sd(t2, a0, 8), j(0)});
  bench.put64(kData, 1);
  bench.put64(kOtherData, 2);
  bench.put64(kNewData, 3);
  bench.map(kFirst, kData);
  bench.map(kOther, kOtherData);
  const auto step = [&] {
    bench.x(a0) = kFirst;
    bench.x(a1) = kOther;
    bench.run_from(kVirt + 0xff0, 200);
  };
  step();
  const u64 walks = bench.walks(), misses = bench.mmu().statistics().first_level_misses;
  for (u32 i = 0; i < 5; ++i) step();
  EXPECT_EQ(bench.walks(), walks);
  if (tier_options().min_tier == 1) {
    EXPECT_EQ(bench.mmu().statistics().first_level_misses, misses) << "C++ was not asked";
  }
  EXPECT_EQ(bench.x(t1), 1u);
  EXPECT_EQ(bench.get64(kData + 8), 2u);

  bench.map(kFirst, kNewData);  // kOther is in the first level now
  bench.mmu().flush_page(GuestVirt(kFirst));
  step();
  EXPECT_EQ(bench.x(t1), 3u);
  EXPECT_EQ(bench.get64(kNewData + 8), 2u);

  bench.x(a1) = kFirst;  // kFirst may be written; then kOther takes its place in the first level
  step();
  bench.run_from(kVirt + 0xff0, 2);
  bench.mmu().drop_write_tags(GuestPhys(kNewData));
  const u64 before = bench.mmu().statistics().first_level_misses;
  step();
  EXPECT_GT(bench.mmu().statistics().first_level_misses, before) << "the store asks C++ again";
}

TEST_F(Remapping, ALinkToAnInstructionAcrossPagesChecksTheSecondPage) {
  // A jump in the first page leads to addi t1, x0, 1 or 2 across the boundary, directly or through a register.
  for (const u32 jump : {j(14), jr(a0)}) {
    bench.put(kCode + 0xff0, {jump});
    bench.x(a0) = kVirt + 0xffe;
    CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), static_cast<u16>(li(t1, 1))));
    for (const auto& [phys, number] : {std::pair{kOld, 1u}, std::pair{kNew, 2u}}) {
      CHECK(bench.memory.store<u16>(GuestPhys(phys), static_cast<u16>(li(t1, number) >> 16)));
      const u32 loop = j(0);
      CHECK(bench.memory.write(GuestPhys(phys + 2), std::as_bytes(std::span(&loop, 1))));
    }
    const auto result = [&] {
      bench.x(t1) = 0;
      bench.run_from(kVirt + 0xff0, 200);
      return bench.x(t1);
    };
    bench.map(kVirt + kPageSize, kOld);
    bench.mmu().flush_all();
    for (u32 i = 0; i < 5; ++i) EXPECT_EQ(result(), 1u);
    EXPECT_GT(bench.cache().links, 0u);
    remap_second();
    for (u32 i = 0; i < 5; ++i) EXPECT_EQ(result(), 2u);
  }
}

// What leads into the page is left as it was while the TLB learns where the page is now.
TEST_F(Remapping, AKnownNewMappingDoesNotRevivePathsOfTheOld) {
  for (const u32 last : {j(12), jr(a0)}) {
    bench.map(kVirt + kPageSize, kOld);
    bench.mmu().flush_all();
    bench.put(kCode + 0xff0, {li(t0, 5), last});
    bench.x(a0) = kVirt + kPageSize;
    EXPECT_EQ(run(), 1u);
    EXPECT_EQ(run(), 1u);
    remap_second();
    bench.run_from(kVirt + kPageSize + 4, 200);
    EXPECT_EQ(run(), 2u);
  }
}

// Nothing is flushed between: the other space's tags are still there.
TEST_F(Remapping, PathsIntoAPageAreOfOneAddressSpace) {
  for (const u32 last : {j(12), jr(a0)}) {
    bench.put(kCode + 0xff0, {li(t0, 5), last});
    bench.x(a0) = kVirt + kPageSize;
    for (const u64 space : {0, 1}) {
      bench.map(kVirt, CpuBench::Page{.phys = kCode}, space);
      bench.map(kVirt + kPageSize, CpuBench::Page{.phys = space == 0 ? kOld : kNew}, space);
    }
    for (const u64 space : {0, 0, 1, 1, 0, 1}) {
      bench.root = space;
      bench.mmu().set_context(bench.frame().memory_mode, space);
      EXPECT_EQ(run(), space + 1);
    }
  }
}

// Neighbours are none in memory. Each access is done aligned, misaligned within a page, and across the boundary.
TEST_F(Remapping, AMisalignedAccessGoesToItsPageOrToBoth) {
  constexpr u64 kFirst = kOld + kPageSize, kSecond = kNew + kPageSize, kData = kVirt + 2 * kPageSize;
  bench.map(kData, kFirst);
  bench.map(kData + kPageSize, kSecond);
  bench.put(kCode + 0xf00, {sd(t0, a0, 0), sd(t0, a0, 8), ld(t1, a0, 0), ld(t2, a0, 8), j(0)});
  u64 value = 0x0123456789abcdef;
  for (u32 round = 0; round < 4; ++round) {
    for (u64 offset = kPageSize - 24; offset < kPageSize + 16; ++offset) {
      value = value * 0x9e3779b97f4a7c15 + 1;
      bench.x(a0) = kData + offset;
      bench.x(t0) = value;
      bench.run_from(kVirt + 0xf00, 20);
      ASSERT_EQ(bench.x(t1), value) << offset;
      ASSERT_EQ(bench.x(t2), value) << offset;
      for (u64 i = 0; i < 16; ++i) {
        const u64 at = offset + i;
        u8 byte = 0;
        const u64 phys = at < kPageSize ? kFirst + at : kSecond + at - kPageSize;
        ASSERT_TRUE(bench.memory.read(GuestPhys(phys), std::as_writable_bytes(std::span(&byte, 1))));
        ASSERT_EQ(byte, value >> 8 * (i % 8) & 0xff) << offset << " + " << i;
      }
    }
  }
}

TEST_F(Remapping, AnInstructionAcrossPagesFollowsBothMappings) {
  // The instruction's upper half lies in the next page: addi t1, x0, 1 or 2.
  const auto put_half = [&](u64 phys, u32 word) {
    const u16 half = static_cast<u16>(word >> 16);
    CHECK(bench.memory.store<u16>(GuestPhys(phys), half));
    const u32 loop = j(0);
    CHECK(bench.memory.write(GuestPhys(phys + 2), std::as_bytes(std::span(&loop, 1))));
  };
  CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), static_cast<u16>(li(t1, 1))));
  const auto run_straddling = [&](i64 count) {
    bench.x(t1) = 0;
    bench.run_from(kVirt + 0xffe, count);
    return bench.x(t1);
  };
  put_half(kOld, li(t1, 1));
  put_half(kNew, li(t1, 2));
  bench.map(kVirt + kPageSize, kOld);
  for (const i64 count : {1, 2, 200}) EXPECT_EQ(run_straddling(count), 1u);
  remap_second();
  for (const i64 count : {1, 2, 200}) EXPECT_EQ(run_straddling(count), 2u);
  bench.map(kVirt + kPageSize, kOld);
  bench.mmu().flush_all();
  for (const i64 count : {1, 2, 200}) EXPECT_EQ(run_straddling(count), 1u);
  // A write to either half counts.
  put_half(kOld, li(t1, 3));
  for (const i64 count : {1, 2, 200}) EXPECT_EQ(run_straddling(count), 3u);
  CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), static_cast<u16>(li(t2, 1))));
  for (const i64 count : {1, 2, 200}) EXPECT_EQ(run_straddling(count), 0u);
  EXPECT_EQ(bench.x(t2), 3u);
  // The second page cannot be fetched: a fault at its address, with pc at the instruction.
  bench.map(kVirt + kPageSize, CpuBench::Page{.ok = false});
  bench.mmu().flush_all();
  bench.vcpu().state<riscv64::Hart>().mtvec = kNew + 0x100;
  bench.put(kNew + 0x100, {j(0)});
  run_straddling(200);
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mepc, kVirt + 0xffe);
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mtval, kVirt + kPageSize);
}

TEST(CodeManager, TheSameBytesAreTranslatedForEachMode) {
  CpuBench bench;
  // fmv.x.d: legal or not by mstatus.FS, which is part of the mode key.
  bench.put(kCode, {0xe2050553, j(0)});
  bench.put(kCode + 0x100, {j(0)});
  auto& hart = bench.vcpu().state<riscv64::Hart>();
  hart.mtvec = kCode + 0x100;
  bench.run_from(kCode, 100);
  EXPECT_EQ(hart.mcause, 2u);
  // csrw mstatus, a1 by the guest itself: FS = Dirty.
  bench.put(kCode + 0x200, {itype(0x73, 1, x0, a1, 0x300), j(-0x204)});
  bench.x(a1) = u64{3} << 13;
  hart.mcause = 0;
  bench.run_from(kCode + 0x200, 100);
  EXPECT_EQ(hart.mcause, 0u) << "the translation of the other mode ran";
  EXPECT_EQ(bench.pc(), kCode + 4);
  bench.x(a1) = 0;
  bench.run_from(kCode + 0x200, 100);
  EXPECT_EQ(hart.mcause, 2u);
}

TEST(CodeManager, AJumpCacheEntryIsOfOneMode) {
  CpuBench bench;
  // csrw mstatus, a1; jr a0, to fmv.x.d: the jump runs in the mode that the write made.
  bench.put(kCode, {0xe2050553, j(0)});
  bench.put(kCode + 0x100, {j(0)});
  bench.put(kCode + 0x200, {itype(0x73, 1, x0, a1, 0x300), jr(a0)});
  auto& hart = bench.vcpu().state<riscv64::Hart>();
  hart.mtvec = kCode + 0x100;
  for (const u64 fs : {u64{0}, u64{3}, u64{0}, u64{3}}) {
    bench.x(a1) = fs << 13;
    for (int i = 0; i < 3; ++i) {
      bench.x(a0) = kCode;  // the fmv writes it
      hart.mcause = 0;
      bench.run_from(kCode + 0x200, 100);
      EXPECT_EQ(hart.mcause, fs == 0 ? 2u : 0u) << "FS " << fs;
    }
  }
}

// --- budgets and leaving ---

TEST(CodeManager, BudgetsAreExactAtEveryCount) {
  CpuBench bench;
  // A loop with a branch, a call through a register and a store: 9 instructions a round, all that a unit can end with.
  bench.put(kCode, {addi(t0, t0, 1), addi(t0, t0, 1), bne(t0, x0, 8), j(0), addi(t0, t0, 1), jr(a0)});
  bench.put(kCode + 0x40, {addi(t0, t0, 1), sd(t0, a1, 0), addi(t0, t0, 1), j(-0x4c)});
  bench.x(a0) = kCode + 0x40;
  bench.x(a1) = kCode + 0x1000;
  // The reference: one instruction at a time.
  constexpr u32 kSteps = 120;
  std::array<std::pair<u64, u64>, kSteps + 1> reference;
  bench.x(t0) = 0;
  bench.pc() = kCode;
  for (u32 n = 0; n <= kSteps; ++n) {
    reference[n] = {bench.pc(), bench.x(t0)};
    const u64 before = bench.vcpu().instructions();
    ASSERT_EQ(bench.vcpu().run(1), Vcpu::Stop::budget);
    ASSERT_EQ(bench.vcpu().instructions(), before + 1);
  }
  for (u32 n = 0; n <= kSteps; ++n) {
    const u64 before = bench.vcpu().instructions();
    bench.x(t0) = 0;
    bench.run_from(kCode, n);
    EXPECT_EQ(bench.vcpu().instructions(), before + n);
    EXPECT_EQ(std::pair(bench.pc(), bench.x(t0)), reference[n]) << n << " instructions";
  }
  // Split anywhere.
  for (u32 n = 1; n < kSteps; n += 7) {
    bench.x(t0) = 0;
    bench.run_from(kCode, n);
    bench.vcpu().run(kSteps - n);
    EXPECT_EQ(std::pair(bench.pc(), bench.x(t0)), reference[kSteps]) << n;
  }
}

TEST(CodeManager, ExceptionsInTheMiddleOfABlockAreExact) {
  CpuBench bench;
  bench.put(kCode, {addi(t0, t0, 1), addi(t0, t0, 1), ld(t1, a0, 0), addi(t0, t0, 1), j(0)});
  bench.put(kCode + 0x100, {j(0)});
  auto& hart = bench.vcpu().state<riscv64::Hart>();
  hart.mtvec = kCode + 0x100;
  bench.map(kVirt, CpuBench::Page{.ok = false});
  bench.x(a0) = kVirt + 24;
  const u64 before = bench.vcpu().instructions();
  bench.run_from(kCode, 100);
  EXPECT_EQ(hart.mepc, kCode + 8);
  EXPECT_EQ(hart.mtval, kVirt + 24);
  EXPECT_EQ(bench.x(t0), 2u);
  EXPECT_EQ(bench.vcpu().instructions(), before + 100)
      << "the faulting instruction was not retired, the budget was kept";
}

// Asks the vcpu to leave behind the store, as with an instruction count a device write does.
struct LeavingDevice final : MmioHandler {
  u64 read(u64, const Access&) override { return 0; }
  void write(u64, u64 value, const Access&) override {
    written = value;
    frame->leave = 1;
    frame->poll = 1;
    at_leave = *counter;
  }
  u64 peek(u64, u32) const override { return 0; }
  VcpuFrame* frame = nullptr;
  const u64* counter = nullptr;
  u64 written = 0, at_leave = 0;
};

TEST(CodeManager, LeavingBehindAnInstructionOfABlockIsExactAndGoesOnThere) {
  for (u32 place = 0; place < 6; ++place) {
    CpuBench bench;
    LeavingDevice device;
    device.frame = &bench.frame();
    device.counter = &bench.x(t0);
    bench.memory.map_mmio(GuestPhys(0x10000000), 0x1000, &device, "device");
    std::array<u32, 8> words;
    words.fill(addi(t0, t0, 1));
    words[place] = sd(t0, a0, 0);
    words[7] = j(0);
    CHECK(bench.memory.write(GuestPhys(kCode), std::as_bytes(std::span(words))));
    bench.x(a0) = 0x10000000;
    // A stop request taken right behind the store shows where the vcpu left.
    bench.vcpu().request_stop();
    ASSERT_EQ(bench.run_from(kCode, 100), Vcpu::Stop::stopped);
    const u64 before = bench.vcpu().instructions();
    struct Stopper final : MmioHandler {
      u64 read(u64, const Access&) override { return 0; }
      void write(u64, u64 value, const Access&) override {
        vcpu->frame().leave = 1;
        vcpu->request_stop();
        seen = value;
      }
      u64 peek(u64, u32) const override { return 0; }
      Vcpu* vcpu = nullptr;
      u64 seen = ~u64{0};
    } stopper;
    stopper.vcpu = &bench.vcpu();
    bench.memory.map_mmio(GuestPhys(0x10001000), 0x1000, &stopper, "stopper");
    bench.x(a0) = 0x10001000;
    ASSERT_EQ(bench.run_from(kCode, 100), Vcpu::Stop::stopped);
    EXPECT_EQ(stopper.seen, place);
    EXPECT_EQ(bench.pc(), kCode + 4 * (place + 1)) << "store at place " << place;
    EXPECT_EQ(bench.x(t0), place);
    EXPECT_EQ(bench.vcpu().instructions(), before + place + 1);
    // And on from there.
    bench.vcpu().run(50);
    EXPECT_EQ(bench.x(t0), 6u);
    // Without a stop nothing is lost or done twice.
    bench.x(t0) = 0;
    bench.x(a0) = 0x10000000;
    bench.run_from(kCode, 100);
    EXPECT_EQ(device.written, place);
    EXPECT_EQ(bench.x(t0), 6u);
    EXPECT_EQ(bench.frame().leave, 0u);
  }
}

// --- the bound ---

// A ring of many small blocks: each adds 1 and goes on to the next, a few pages in all.
constexpr u32 kBlocks = 4096;
void put_ring(CpuBench& bench) {
  for (u32 n = 0; n < kBlocks; ++n) {
    bench.put(kCode + n * 16, {addi(t0, t0, 1), n + 1 == kBlocks ? jr(a0) : j(12)});
  }
}

TEST(CodeManager, ATinyCacheEvictsByGenerationsAndItsMemoryIsFreed) {
  CodeOptions options = tier_options();
  options.cache_bytes = 256 << 10;
  CpuBench bench(2, options);
  put_ring(bench);
  bench.x(a0) = kCode;
  // Nobody kicks it: the cache has to ask for the epochs it needs. The other vcpu is asleep.
  bench.run_from(kCode, 2 * i64{kBlocks} * 20);
  EXPECT_EQ(bench.x(t0), u64{kBlocks} * 20);
  const CodeCache::Statistics statistics = bench.cache();
  EXPECT_GT(statistics.evictions, 10u);
  EXPECT_LE(statistics.bytes, options.cache_bytes);
  EXPECT_GT(statistics.bytes, options.cache_bytes / 2) << "never everything";
  EXPECT_GT(statistics.evicted, u64{kBlocks});
  // All but the batch being filled and the one being waited for.
  const u64 unit_bytes = statistics.bytes / statistics.units;
  EXPECT_LE((statistics.retired - statistics.freed) * unit_bytes, u64{4} << 20);
  EXPECT_GT(statistics.freed, statistics.retired / 2);
}

TEST(CodeManager, AVcpuThatLoopsInLinkedCodeDoesNotHoldMemoryUp) {
  CodeOptions options = tier_options();
  options.cache_bytes = 256 << 10;
  CpuBench bench(2, options);
  put_ring(bench);
  bench.put(kCode + 0x100000, {j(0)});
  bench.x(a0) = kCode;
  bench.pc(1) = kCode + 0x100000;
  std::thread looping([&] { bench.vcpu(1).run(kEndless); });
  bench.run_from(kCode, 2 * i64{kBlocks} * 40);
  const CodeCache::Statistics statistics = bench.cache();
  bench.vcpu(1).request_stop();
  looping.join();
  EXPECT_GT(statistics.freed, statistics.retired / 4);
}

// --- with threads ---

TEST(CodeManager, DataBesideCodeDoesNotStopAVcpuThatTranslates) {
  CpuBench bench(2);
  // Vcpu 1 writes a word of the granule that vcpu 0 runs, and one in the next, as fast as it can.
  bench.put(kCode, {addi(t0, t0, 1), addi(t0, t0, 1), j(8), 0, fence_i(), j(-20)});
  bench.put(kCode + 0x1000, {sd(t0, a0, 0), sd(t0, a1, 0), addi(t0, t0, 1), j(-12)});
  bench.x(a0, 1) = kCode + 56;
  bench.x(a1, 1) = kCode + 256;
  bench.pc(1) = kCode + 0x1000;
  std::thread writer([&] { bench.vcpu(1).run(kEndless); });
  for (u32 round = 0; round < 200; ++round) {
    bench.run_from(kCode, 100);
  }
  EXPECT_EQ(bench.x(t0), 200u * 2 * 20);
  bench.vcpu(1).request_stop();
  writer.join();
}

// The instruction at the end of a page becomes longer and shorter while it is looked at.
TEST(CodeManager, AnInstructionThatGrowsIntoTheNextPageIsNoSurprise) {
  CpuBench bench(1);
  bench.put(kCode + 0x1000, {0x00138393 >> 16 | 0xa0010000u, j(0)});  // upper half of addi t2, t2, 1; then c.j 0
  bench.vcpu().state<riscv64::Hart>().mtvec = kCode + 0x200;
  bench.put(kCode + 0x200, {j(0)});
  CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), u16{1}));
  std::atomic<bool> ending{false};
  std::thread writer([&] {
    const u16 nop = 0x0001, half = static_cast<u16>(addi(t2, t2, 1));
    while (!ending) {
      CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), nop));
      CHECK(bench.memory.store<u16>(GuestPhys(kCode + 0xffe), half));
    }
  });
  for (u32 round = 0; round < 20000; ++round) {
    bench.run_from(kCode + 0xffe, 1);
    const u64 pc = bench.pc();
    EXPECT_TRUE(pc == kCode + 0x1000 || pc == kCode + 0x1002) << std::hex << pc;
    if (testing::Test::HasFailure()) break;
    bench.run_from(kCode + 0xffe, 60);
  }
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mepc, 0u);
  EXPECT_EQ(bench.vcpu().state<riscv64::Hart>().mtval, 0u);
  ending = true;
  writer.join();
}

// Stores by one vcpu and by a device to code that others run: after the writer says so, nobody runs the old.
TEST(CodeManager, NobodyRunsOldCodeAfterItsWriterIsDone) {
  constexpr u32 kReaders = 3, kRounds = 3000;
  CpuBench bench(kReaders);
  const auto word = [](u32 n) { return li(t1, static_cast<i32>(n & 2047)); };
  bench.put(kCode + 0x40, {word(0), j(0)});
  std::atomic<u32> published{0};
  std::atomic<bool> ending{false};
  std::vector<std::thread> readers;
  for (u32 i = 0; i < kReaders; ++i) {
    readers.emplace_back([&, i] {
      // The page becomes data and code again as units come and go.
      while (!ending) {
        const u32 before = published.load(std::memory_order_acquire);
        bench.run_from(kCode + 0x40, 50, i);
        const u32 after = published.load(std::memory_order_acquire);
        const u64 seen = bench.x(t1, i);
        EXPECT_GE(seen, before);
        EXPECT_LE(seen, after + 1);
        if (seen < before) return;
      }
    });
  }
  for (u32 n = 1; n <= kRounds && n < 2048; ++n) {
    const u32 bits = word(n);
    CHECK(bench.memory.store<u32>(GuestPhys(kCode + 0x40), bits));
    published.store(n, std::memory_order_release);
    if (n % 3 == 0) std::this_thread::yield();
  }
  ending = true;
  for (std::thread& thread : readers) thread.join();
}

}  // namespace
}  // namespace pagoda
