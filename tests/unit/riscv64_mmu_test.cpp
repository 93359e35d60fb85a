// SPDX-License-Identifier: MIT
// Page walks: each way to fault, superpages, accessed and dirty bits, contexts.
#include "cpu/riscv64/mmu.h"

#include <gtest/gtest.h>

#include "riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kV = 1, kR = 2, kW = 4, kX = 8, kU = 16, kG = 32, kA = 64, kD = 128;
constexpr u64 kTables = kRam + 0x100000;  // one page per level
constexpr u64 kData = kRam + 0x200000;

u64 entry(u64 address, u64 flags) { return address >> 12 << 10 | flags; }

// A hart in supervisor mode with the path to one virtual address mapped; `leaf` is where its last entry lies.
class RiscvMmu : public testing::TestWithParam<u32> {
 protected:
  RiscvMmu() : bench_("rv64") {
    bench_.open_pmp();
    bench_.hart().menvcfg = 0;
    use(levels());
  }
  u32 levels() const { return GetParam(); }
  void use(u32 levels) {
    bench_.hart().satp = u64{levels + 5} << 60 | kTables >> 12;
    // Keep every index different, the top one in the lower half of the space.
    virtual_ = 0;
    for (u32 level = 0; level < levels; ++level) virtual_ |= u64{level * 7 + 3} << (12 + 9 * level);
    map(0, entry(kData, kV | kR | kW | kX | kA | kD));
    bench_.set_mode(Mode::supervisor);
  }
  u64 slot(u32 level) { return kTables + (levels() - 1 - level) * 0x1000 + u64{level * 7 + 3} * 8; }
  // Puts `leaf` at a level, pointers above.
  void map(u32 level, u64 leaf) {
    for (u32 l = levels() - 1; l > level; --l) bench_.store64(slot(l), entry(kTables + (levels() - l) * 0x1000, kV));
    bench_.store64(slot(level), leaf);
  }
  Translation walk(AccessKind kind, MemoryMode mode = MemoryMode::supervisor, u64 offset = 0) {
    return translate_address(bench_.hart(), bench_.memory, GuestVirt(virtual_ + offset), kind, mode);
  }
  u64 cause(AccessKind kind, MemoryMode mode = MemoryMode::supervisor) {
    const Translation result = walk(kind, mode);
    return result.ok ? ~u64{0} : result.cause;
  }

  Bench bench_;
  u64 virtual_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Levels, RiscvMmu, testing::Values(3u, 4u, 5u),
                         [](const auto& levels) { return "Sv" + std::to_string(12 + 9 * levels.param); });

TEST_P(RiscvMmu, FindsThePage) {
  const Translation result = walk(AccessKind::read, MemoryMode::supervisor, 0x123);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.page, GuestPhys(kData));
  EXPECT_TRUE(result.readable && result.writable && result.executable && result.cacheable);
  EXPECT_FALSE(result.global);
  EXPECT_EQ(result.page_bits, 12);
  EXPECT_EQ(result.privilege, Privilege::supervisor);
}

TEST_P(RiscvMmu, RefusesWhatTheManualRefuses) {
  const u64 good = entry(kData, kV | kR | kW | kX | kA | kD);
  struct Row {
    const char* what;
    u32 level;
    u64 entry;
  };
  const Row rows[] = {
      {"not valid", 0, good & ~kV},
      {"not valid above", 1, entry(kTables, 0)},
      {"write without read", 0, entry(kData, kV | kW | kA | kD)},
      {"write and execute without read", 0, entry(kData, kV | kW | kX | kA | kD)},
      {"pointer on the last level", 0, entry(kData, kV)},
      {"reserved bit 54", 0, good | u64{1} << 54},
      {"reserved bit 60", 0, good | u64{1} << 60},
      {"memory type bits", 0, good | u64{1} << 61},
      {"contiguity bit", 0, good | u64{1} << 63},
      {"accessed bit in a pointer", 1, entry(kTables + levels() * 0x1000 - 0x1000, kV | kA)},
      {"dirty bit in a pointer", 1, entry(kTables + levels() * 0x1000 - 0x1000, kV | kD)},
      {"user bit in a pointer", 1, entry(kTables + levels() * 0x1000 - 0x1000, kV | kU)},
      {"reserved bit in a pointer", 1, entry(kTables + levels() * 0x1000 - 0x1000, kV) | u64{1} << 54},
      {"misaligned superpage", 1, entry(kData + 0x1000, kV | kR | kW | kX | kA | kD)},
  };
  for (const Row& row : rows) {
    map(0, good);
    bench_.store64(slot(row.level), row.entry);
    EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage) << row.what;
    EXPECT_EQ(cause(AccessKind::write), cause::kStorePage) << row.what;
    EXPECT_EQ(cause(AccessKind::execute), cause::kFetchPage) << row.what;
  }
}

TEST_P(RiscvMmu, AddressesMustBeCanonical) {
  const u32 bits = 12 + 9 * levels();
  virtual_ |= u64{1} << bits;
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage);
  virtual_ = u64{1} << (bits - 1);  // upper half without its sign
  EXPECT_EQ(cause(AccessKind::execute), cause::kFetchPage);
  virtual_ = ~u64{0} << (bits - 1);
  bench_.store64(kTables + 256 * 8, entry(0, kV | kR | kA));
  EXPECT_TRUE(walk(AccessKind::read).ok);
}

TEST_P(RiscvMmu, SuperpagesOfEveryLevel) {
  for (u32 level = 1; level < levels(); ++level) {
    map(level, entry(0, kV | kR | kA));
    const Translation result = walk(AccessKind::read, MemoryMode::supervisor, 0x1234);
    ASSERT_TRUE(result.ok) << level;
    EXPECT_EQ(result.page_bits, 12 + 9 * level);
    const u64 inside = (virtual_ + 0x1234) & ((u64{1} << (12 + 9 * level)) - 1);
    EXPECT_EQ(result.page, GuestPhys(inside).page());
  }
}

TEST_P(RiscvMmu, PermissionsByModeSumAndMxr) {
  struct Row {
    u64 flags;
    MemoryMode mode;
    bool read, write, execute;
  };
  using M = MemoryMode;
  const Row rows[] = {
      {kR, M::supervisor, true, false, false},
      {kR | kW, M::supervisor, true, true, false},
      {kX, M::supervisor, false, false, true},
      {kX, M::supervisor_mxr, true, false, true},
      {kR | kW | kX, M::user, false, false, false},
      {kR | kW | kX, M::user_mxr, false, false, false},
      {kU | kR | kW | kX, M::user, true, true, true},
      {kU | kX, M::user, false, false, true},
      {kU | kX, M::user_mxr, true, false, true},
      {kU | kR | kW | kX, M::supervisor, false, false, false},
      {kU | kR | kW | kX, M::supervisor_mxr, false, false, false},
      {kU | kR | kW | kX, M::supervisor_sum, true, true, false},
      {kU | kX, M::supervisor_sum, false, false, false},
      {kU | kX, M::supervisor_sum_mxr, true, false, false},
      {kR | kX, M::supervisor_sum, true, false, true},
  };
  for (const Row& row : rows) {
    map(0, entry(kData, kV | kA | kD | row.flags));
    const u64 none = ~u64{0};
    EXPECT_EQ(cause(AccessKind::read, row.mode), row.read ? none : cause::kLoadPage);
    EXPECT_EQ(cause(AccessKind::write, row.mode), row.write ? none : cause::kStorePage);
    EXPECT_EQ(cause(AccessKind::execute, row.mode), row.execute ? none : cause::kFetchPage);
    for (const AccessKind kind : {AccessKind::read, AccessKind::write, AccessKind::execute}) {
      const Translation result = walk(kind, row.mode);
      if (!result.ok) continue;
      EXPECT_EQ(result.readable, row.read);
      EXPECT_EQ(result.writable, row.write);
      EXPECT_EQ(result.executable, row.execute);
    }
  }
}

TEST_P(RiscvMmu, WithoutHardwareUpdatesAccessedAndDirtyFault) {
  map(0, entry(kData, kV | kR | kW | kX));
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage);
  EXPECT_EQ(cause(AccessKind::execute), cause::kFetchPage);
  map(0, entry(kData, kV | kR | kW | kX | kA));
  const Translation result = walk(AccessKind::read);
  ASSERT_TRUE(result.ok);
  EXPECT_FALSE(result.writable) << "the first store has to see the dirty bit";
  EXPECT_EQ(cause(AccessKind::write), cause::kStorePage);
  EXPECT_EQ(bench_.load64(slot(0)), entry(kData, kV | kR | kW | kX | kA));
}

TEST_P(RiscvMmu, HardwareUpdatesSetExactlyWhatTheAccessNeeds) {
  bench_.hart().menvcfg = envcfg::kAdue;
  const u64 leaf = entry(kData, kV | kR | kW | kX);
  map(0, leaf);
  const Translation read = walk(AccessKind::read);
  ASSERT_TRUE(read.ok);
  EXPECT_FALSE(read.writable);
  EXPECT_EQ(bench_.load64(slot(0)), leaf | kA);
  const Translation write = walk(AccessKind::write);
  ASSERT_TRUE(write.ok);
  EXPECT_TRUE(write.writable);
  EXPECT_EQ(bench_.load64(slot(0)), leaf | kA | kD);
  // What is not permitted leaves no mark.
  map(0, entry(kData, kV | kR));
  EXPECT_EQ(cause(AccessKind::write), cause::kStorePage);
  EXPECT_EQ(bench_.load64(slot(0)), entry(kData, kV | kR));
}

// Svnapot: the page number's low bits say how long the range is, and only 64 KiB exist.
TEST_P(RiscvMmu, ContiguousPages) {
  const u64 flags = kV | kR | kW | kX | kA | kD, contiguous = u64{1} << 63;
  bench_.hart().extensions.set(Extension::svnapot, true);
  map(0, entry(kData + 0x8000, flags) | contiguous);
  bench_.hart().extensions.set(Extension::svnapot, false);
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage) << "a reserved bit where there is no Svnapot";
  bench_.hart().extensions.set(Extension::svnapot, true);
  const Translation result = walk(AccessKind::write, MemoryMode::supervisor, 0x123);
  ASSERT_TRUE(result.ok);
  EXPECT_EQ(result.page_bits, 16);
  EXPECT_EQ(result.page, GuestPhys(kData | (virtual_ & 0xf000)));
  for (u64 marker = 0; marker < 16; ++marker) {
    map(0, entry(kData + (marker << 12), flags) | contiguous);
    EXPECT_EQ(cause(AccessKind::read), marker == 8 ? ~u64{0} : cause::kLoadPage) << marker;
  }
  map(0, entry(kData, flags));
  bench_.store64(slot(1), bench_.load64(slot(1)) | contiguous);
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage) << "in a pointer";
  map(1, entry(0x8000, flags) | contiguous);
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage) << "in a superpage";
  map(1, entry(0, flags) | contiguous);
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadPage) << "in an aligned superpage";
}

// Svpbmt: menvcfg.PBMTE makes two bits a type, three of the four exist.
TEST_P(RiscvMmu, MemoryTypes) {
  const u64 flags = kV | kR | kW | kX | kA | kD;
  for (const bool on : {false, true}) {
    bench_.hart().menvcfg = on ? envcfg::kPbmte : 0;
    for (u64 type = 0; type < 4; ++type) {
      map(0, entry(kData, flags) | type << 61);
      EXPECT_EQ(cause(AccessKind::write), type == 0 || (on && type != 3) ? ~u64{0} : cause::kStorePage) << type;
      map(0, entry(kData, flags));
      bench_.store64(slot(1), bench_.load64(slot(1)) | type << 61);
      EXPECT_EQ(cause(AccessKind::write), type == 0 ? ~u64{0} : cause::kStorePage) << type << " in a pointer";
    }
    map(1, entry(0, flags) | u64{1} << 61);
    EXPECT_EQ(walk(AccessKind::read).ok, on);
  }
}

TEST_P(RiscvMmu, GlobalIsInheritedFromPointers) {
  map(0, entry(kData, kV | kR | kA | kG));
  EXPECT_TRUE(walk(AccessKind::read).global);
  map(0, entry(kData, kV | kR | kA));
  bench_.store64(slot(levels() - 1), bench_.load64(slot(levels() - 1)) | kG);
  EXPECT_TRUE(walk(AccessKind::read).global);
}

TEST_P(RiscvMmu, TablesOutsideMemoryAreAccessFaultsOfTheAccess) {
  bench_.store64(slot(levels() - 1), entry(0x10000000, kV));
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadAccess);
  EXPECT_EQ(cause(AccessKind::write), cause::kStoreAccess);
  EXPECT_EQ(cause(AccessKind::execute), cause::kFetchAccess);
}

TEST_P(RiscvMmu, PmpJudgesTablesAndPages) {
  Hart& hart = bench_.hart();
  const auto protect = [&](u64 address, u8 permissions) {
    hart.pmp = {};
    hart.pmp.address[0] = address >> 2 | 0x1ff;
    hart.pmp.cfg[0] = static_cast<u8>(pmpcfg::kNapot << pmpcfg::kMatchShift | permissions);
    hart.pmp.address[1] = (u64{1} << 54) - 1;
    hart.pmp.cfg[1] = pmpcfg::kNapot << pmpcfg::kMatchShift | 7;
    hart.pmp.update();
  };
  protect(slot(0) & ~u64{0xfff}, pmpcfg::kExecute);
  EXPECT_EQ(cause(AccessKind::read), cause::kLoadAccess);
  // Readable tables serve as long as no bit has to be set.
  protect(slot(0) & ~u64{0xfff}, pmpcfg::kRead);
  EXPECT_TRUE(walk(AccessKind::write).ok);
  hart.menvcfg = envcfg::kAdue;
  map(0, entry(kData, kV | kR | kW));
  EXPECT_EQ(cause(AccessKind::write), cause::kStoreAccess);
  EXPECT_EQ(bench_.load64(slot(0)), entry(kData, kV | kR | kW));
  map(0, entry(kData, kV | kR | kW | kX | kA | kD));
  protect(kData, pmpcfg::kRead);
  const Translation result = walk(AccessKind::read);
  ASSERT_TRUE(result.ok);
  EXPECT_FALSE(result.writable || result.executable);
  EXPECT_EQ(cause(AccessKind::write), cause::kStoreAccess);
  EXPECT_EQ(cause(AccessKind::execute), cause::kFetchAccess);
}

TEST_P(RiscvMmu, BareAndMachineModeDoNotTranslate) {
  virtual_ = kData;
  const Translation machine = walk(AccessKind::write, MemoryMode::bare);
  ASSERT_TRUE(machine.ok);
  EXPECT_EQ(machine.page, GuestPhys(kData));
  EXPECT_EQ(machine.privilege, Privilege::machine);
  bench_.hart().satp = 0;
  const Translation user = walk(AccessKind::execute, MemoryMode::user);
  ASSERT_TRUE(user.ok);
  EXPECT_EQ(user.page, GuestPhys(kData));
  EXPECT_EQ(user.privilege, Privilege::user);
  EXPECT_FALSE(user.global) << "another address space is not bare";
}

TEST(RiscvMemoryTypes, TheSwitchIsThereWithTheExtension) {
  Bench with("rv64,svpbmt=on"), without("rv64,svpbmt=off");
  EXPECT_NE(with.read(0x30a) & envcfg::kPbmte, 0u) << "on at reset";
  for (Bench* bench : {&with, &without}) ASSERT_TRUE(bench->write(0x30a, ~u64{0}));
  EXPECT_NE(with.read(0x30a) & envcfg::kPbmte, 0u);
  EXPECT_EQ(without.read(0x30a) & envcfg::kPbmte, 0u);
}

// Through the softmmu: address spaces, their switching and their flushing.
class RiscvContext : public testing::Test {
 protected:
  RiscvContext() {
    bench_.open_pmp();
    for (u32 space = 0; space < 3; ++space) {
      const u64 root = kTables + space * 0x1000;
      const u64 middle = kTables + 0x10000 + space * 0x1000, last = kTables + 0x20000 + space * 0x1000;
      bench_.store64(root, entry(middle, kV));
      bench_.store64(middle, entry(last, kV));
      map(space, kData + space * 0x1000, 0);
      bench_.store64(kData + space * 0x1000, 100 + space);
    }
    bench_.set_mode(Mode::supervisor);
  }
  void map(u32 space, u64 page, u64 flags) {
    bench_.store64(kTables + 0x20000 + space * 0x1000 + 8, entry(page, kV | kR | kW | kA | kD | flags));
  }
  void enter(u32 space, u64 asid) {
    ASSERT_TRUE(bench_.write(0x180, u64{8} << 60 | asid << 44 | (kTables + space * 0x1000) >> 12));
  }
  u64 load() {
    bench_.hart().fault = 0;
    return bench_.hart().slow->load(&bench_.hart(), 0x1000, ir::MemOp{}.pack());
  }
  void fence(u64 address, u64 asid, u64 flags) { bench_.helper(HelperId::sfence_vma, address, asid, 0, flags); }
  static constexpr u64 kAnyAddress = 1, kAnyAsid = 2;
  Bench bench_;
};

TEST_F(RiscvContext, SpacesKeepTheirEntriesAcrossSwitches) {
  enter(0, 1);
  EXPECT_EQ(load(), 100u);
  enter(1, 2);
  EXPECT_EQ(load(), 101u);
  const u64 walks = bench_.vcpu->mmu().statistics().walks;
  const u64 flushes = bench_.vcpu->mmu().statistics().flushes;
  enter(0, 1);
  EXPECT_EQ(load(), 100u);
  enter(1, 2);
  EXPECT_EQ(load(), 101u);
  EXPECT_EQ(bench_.vcpu->mmu().statistics().walks, walks);
  EXPECT_EQ(bench_.vcpu->mmu().statistics().flushes, flushes);
}

TEST_F(RiscvContext, FencesReachTheSpacesTheyName) {
  // Stale until fenced: which fence reaches which of two spaces.
  struct Row {
    u64 address, asid, flags;
    bool first, second;  // fresh in space 1, in space 2
  };
  const Row rows[] = {
      {0, 0, kAnyAddress | kAnyAsid, true, true},
      {0x1000, 0, kAnyAsid, true, true},
      {0x5000, 0, kAnyAsid, false, false},
      {0, 1, kAnyAddress, true, false},
      {0x1000, 2, 0, false, true},
      {0x5000, 2, 0, false, false},
      {0, 7, kAnyAddress, false, false},
  };
  for (const Row& row : rows) {
    map(0, kData, 0);
    map(1, kData + 0x1000, 0);
    fence(0, 0, kAnyAddress | kAnyAsid);
    enter(0, 1);
    ASSERT_EQ(load(), 100u);
    enter(1, 2);
    ASSERT_EQ(load(), 101u);
    map(0, kData + 0x2000, 0);
    map(1, kData + 0x2000, 0);
    enter(2, 3);
    fence(row.address, row.asid, row.flags);
    enter(0, 1);
    EXPECT_EQ(load(), row.first ? 102u : 100u) << row.address << " " << row.asid << " " << row.flags;
    enter(1, 2);
    EXPECT_EQ(load(), row.second ? 102u : 101u) << row.address << " " << row.asid << " " << row.flags;
  }
}

TEST_F(RiscvContext, GlobalPagesHoldInEverySpaceAndOutliveFencesByAsid) {
  map(0, kData, kG);
  enter(0, 1);
  EXPECT_EQ(load(), 100u);
  enter(1, 2);
  EXPECT_EQ(load(), 100u) << "cached as global: valid here too";
  map(0, kData + 0x2000, kG);
  fence(0, 2, kAnyAddress);
  EXPECT_EQ(load(), 100u);
  fence(0, 0, kAnyAddress | kAnyAsid);
  EXPECT_EQ(load(), 101u);
}

TEST_F(RiscvContext, NewTablesUnderTheSameAsidAreSeen) {
  enter(0, 0);
  EXPECT_EQ(load(), 100u);
  enter(1, 0);
  EXPECT_EQ(load(), 101u);
  ASSERT_TRUE(bench_.write(0x180, 0));
  enter(2, 0);
  EXPECT_EQ(load(), 102u);
}

TEST_F(RiscvContext, ManySpacesNeverMixUp) {
  // More address spaces than generations, in two memory modes that are not switched together.
  for (u32 round = 0; round < 3; ++round) {
    for (u64 asid = 0; asid < 400; ++asid) {
      const u32 space = static_cast<u32>(asid % 3);
      enter(space, asid);
      bench_.access(0x100, asid % 5 == 0 ? CsrOp::set : CsrOp::clear, status::kSum);
      ASSERT_EQ(load(), 100u + space) << asid;
    }
  }
  EXPECT_GT(bench_.vcpu->mmu().statistics().generation_resets, 0u);
}

TEST_F(RiscvContext, FencedSpacesStayFencedInModesNotInUse) {
  enter(0, 1);
  EXPECT_EQ(load(), 100u);
  bench_.access(0x100, CsrOp::set, status::kSum);
  EXPECT_EQ(load(), 100u);
  map(0, kData + 0x1000, 0);
  fence(0, 1, kAnyAddress);
  EXPECT_EQ(load(), 101u);
  bench_.access(0x100, CsrOp::clear, status::kSum);
  EXPECT_EQ(load(), 101u);
}

// Under MPRV data goes through the page tables, code does not: code that jumps between pages, by links and through the
// jump cache, stays where its physical addresses are, although the tables map them, executable, to other code.
TEST(RiscvMprv, CodeIsNotTranslated) {
  Bench bench;
  bench.open_pmp();
  const u64 first = kRam + 0x1ff8, second = kRam + 0x2000, third = kRam + 0x3000, elsewhere = kRam + 0x8000;
  bench.store32(first, 0x00150513);       // addi a0, a0, 1
  bench.store32(first + 4, 0x0040006f);   // j second: another page
  bench.store32(second, 0x0005b603);      // ld a2, 0(a1): fills the data mode's entry of this very page
  bench.store32(second + 4, 0x000680e7);  // jalr a3, the third page
  bench.store32(third, 0x0006b703);       // ld a4, 0(a3)
  bench.store32(third + 4, 0xff5fe06f);   // j first
  // What the data mode maps the pages to is code too, which would stop at once.
  for (u64 page = 0; page < 0x3000; page += 0x1000) {
    for (u64 i = 0; i < 0x1000; i += 4) bench.store32(elsewhere + page + i, 0x0000006f);
  }
  const u64 flags = kV | kR | kW | kX | kA | kD;
  for (u64 page = 0; page < 0x3000; page += 0x1000) {
    bench.store64(kTables + 0x2000 + (1 + (page >> 12)) * 8, entry(elsewhere + page, flags));
  }
  bench.store64(kTables + 2 * 8,
                entry(kTables + 0x1000, kV));  // Sv39: bits 38-30 of the address are 2, bits 29-21 are 0
  bench.store64(kTables + 0x1000, entry(kTables + 0x2000, kV));
  Hart& hart = bench.hart();
  bench.write(0x180, u64{8} << 60 | kTables >> 12);
  bench.write(0x300, status::kMprv | u64{1} << status::kMppShift);
  hart.x[11] = second;
  hart.x[13] = third;
  hart.pc = first;
  ASSERT_EQ(bench.vcpu->run(600), Vcpu::Stop::budget);
  EXPECT_EQ(hart.x[10], 100u);
  EXPECT_EQ(hart.pc, first);
  EXPECT_EQ(hart.x[12], 0x0000006f0000006fu) << "data comes from where the tables say";
  EXPECT_EQ(hart.x[14], 0x0000006f0000006fu);
}

}  // namespace
}  // namespace pagoda::riscv64
