// SPDX-License-Identifier: MIT
// Physical memory protection: matching, priority, partial matches, locking.
#include "riscv64_bench.h"

#include <gtest/gtest.h>

namespace pagoda::riscv64 {
namespace {

constexpr u8 kRwx = 7, kR = 1, kX = 4;

u8 cfg(u8 match, u8 permissions, bool lock = false) {
  return static_cast<u8>(match << pmpcfg::kMatchShift | permissions | (lock ? pmpcfg::kLock : 0));
}

struct Registers : Pmp {
  Registers() : Pmp{} {}
  void set(u32 entry, u8 value, u64 pmpaddr) {
    write_address(entry, pmpaddr);
    write_cfg(entry, value);
    update();
  }
  u8 of(u64 at, Mode mode = Mode::supervisor) const { return pmp_lookup(*this, at, mode).permissions; }
};

TEST(RiscvPmp, WithoutEntriesOnlyMachineModeHasAccess) {
  const Registers pmp;
  EXPECT_EQ(pmp.of(0x80000000), 0);
  EXPECT_EQ(pmp.of(0x80000000, Mode::user), 0);
  EXPECT_EQ(pmp.of(0x80000000, Mode::machine), kRwx);
}

TEST(RiscvPmp, EachMatchModeCoversItsRange) {
  struct Row {
    u8 match;
    u64 before, address, first, last;
  };
  const Row rows[] = {
      {pmpcfg::kNa4, 0, 0x1000 >> 2, 0x1000, 0x1003},
      {pmpcfg::kNapot, 0, 0x1000 >> 2, 0x1000, 0x1007},
      {pmpcfg::kNapot, 0, 0x1000 >> 2 | 0x1ff, 0x1000, 0x1fff},
      {pmpcfg::kNapot, 0, 0x80000000 >> 2 | 0x1ffff, 0x80000000, 0x800fffff},
      {pmpcfg::kTor, 0x2000 >> 2, 0x3004 >> 2, 0x2000, 0x3003},
      {pmpcfg::kTor, 0, 0x3004 >> 2, 0, 0x3003},
  };
  for (const Row& row : rows) {
    Registers pmp;
    pmp.set(0, 0, row.before);
    pmp.set(1, cfg(row.match, kRwx), row.address);
    EXPECT_EQ(pmp.of(row.first), kRwx);
    EXPECT_EQ(pmp.of(row.last), kRwx);
    EXPECT_EQ(pmp.of(row.last + 1), 0);
    if (row.first != 0) {
      EXPECT_EQ(pmp.of(row.first - 1), 0);
    }
  }
  Registers everything;
  everything.set(0, cfg(pmpcfg::kNapot, kR), ~u64{0});
  EXPECT_EQ(everything.of(0), kR);
  EXPECT_EQ(everything.of((u64{1} << 56) - 1), kR);
  Registers empty;
  empty.set(0, 0, 0x3000 >> 2);
  empty.set(1, cfg(pmpcfg::kTor, kRwx), 0x3000 >> 2);
  EXPECT_EQ(empty.of(0x3000), 0);
  EXPECT_EQ(empty.of(0x2fff), 0);
  Registers from_zero;
  from_zero.set(0, cfg(pmpcfg::kTor, kR), 0x1000 >> 2);
  EXPECT_EQ(from_zero.of(0), kR);
}

TEST(RiscvPmp, TheLowestEntryDecides) {
  Registers pmp;
  pmp.set(2, cfg(pmpcfg::kNa4, 0), 0x1004 >> 2);
  pmp.set(3, cfg(pmpcfg::kNapot, kX), 0x1000 >> 2 | 1);
  pmp.set(9, cfg(pmpcfg::kNapot, kRwx), ~u64{0});
  EXPECT_EQ(pmp.of(0x1000), kX);
  EXPECT_EQ(pmp.of(0x1004), 0);
  EXPECT_EQ(pmp.of(0x1008), kX);
  EXPECT_EQ(pmp.of(0x1010), kRwx);
}

TEST(RiscvPmp, StretchesEndWhereAnotherEntryDecides) {
  Registers pmp;
  pmp.set(0, cfg(pmpcfg::kNa4, kR), 0x1008 >> 2);
  pmp.set(1, cfg(pmpcfg::kNapot, kRwx), 0x1000 >> 2 | 0x1ff);
  const PmpResult below = pmp_lookup(pmp, 0x1004, Mode::user);
  EXPECT_EQ(below.first, 0x1000u);
  EXPECT_EQ(below.last, 0x1007u);
  const PmpResult inside = pmp_lookup(pmp, 0x1009, Mode::user);
  EXPECT_EQ(inside.first, 0x1008u);
  EXPECT_EQ(inside.last, 0x100bu);
  const PmpResult above = pmp_lookup(pmp, 0x1ffc, Mode::user);
  EXPECT_EQ(above.first, 0x100cu);
  EXPECT_EQ(above.last, 0x1fffu);
  const PmpResult other_page = pmp_lookup(pmp, 0x2ffc, Mode::user);
  EXPECT_EQ(other_page.first, 0x2000u);
  EXPECT_EQ(other_page.last, 0x2fffu);
  EXPECT_EQ(other_page.permissions, 0);
}

TEST(RiscvPmp, LocksBindMachineModeAndFreezeRegisters) {
  Registers pmp;
  pmp.set(0, cfg(pmpcfg::kNapot, kR), 0x1000 >> 2 | 0x1ff);
  EXPECT_EQ(pmp.of(0x1000, Mode::machine), kRwx);
  pmp.set(1, 0, 0x4000 >> 2);
  pmp.set(2, cfg(pmpcfg::kTor, kX, true), 0x5000 >> 2);
  EXPECT_EQ(pmp.of(0x4000, Mode::machine), kX);
  EXPECT_FALSE(pmp.write_cfg(2, 0));
  EXPECT_FALSE(pmp.write_address(2, 1));
  EXPECT_FALSE(pmp.write_address(1, 1)) << "the start of a locked range";
  EXPECT_TRUE(pmp.write_address(0, 1));
  EXPECT_TRUE(pmp.write_cfg(1, cfg(pmpcfg::kNa4, kR)));
}

TEST(RiscvPmp, AccessesThatLeaveTheirStretchFail) {
  Bench bench;
  // A 4-byte hole at 0x80001008, everything else open; user mode, no paging.
  bench.write(0x3b0, (kRam + 0x1008) >> 2);
  bench.write(0x3b1, ~u64{0});
  bench.write(0x3a0, u64{cfg(pmpcfg::kNapot, kRwx)} << 8 | cfg(pmpcfg::kNa4, 0));
  bench.store64(kRam + 0x1000, 0x1122334455667788);
  struct Row {
    u64 offset;
    u8 size_log2;
    bool ok;
  };
  const Row rows[] = {
      {0x1000, 3, true},  {0x1001, 3, false}, {0x1004, 2, true}, {0x1004, 3, false}, {0x1007, 1, false},
      {0x1008, 0, false}, {0x100b, 0, false}, {0x100c, 2, true}, {0x0ffc, 3, true},  {0x1ffc, 3, true},
  };
  for (const Mode mode : {Mode::user, Mode::machine}) {
    bench.set_mode(mode);
    for (const Row& row : rows) {
      bench.hart().fault = 0;
      const u32 op = ir::MemOp{.size_log2 = row.size_log2}.pack();
      bench.hart().slow->load(&bench.hart(), kRam + row.offset, op);
      // Machine mode is not restricted by an unlocked entry, but may not straddle it either.
      const bool inside = row.offset >= 0x1008 && row.offset < 0x100c;
      const bool ok = row.ok || (mode == Mode::machine && inside);
      EXPECT_EQ(bench.faulted(), !ok) << row.offset << " size " << (1 << row.size_log2);
      if (!ok) {
        EXPECT_EQ(bench.hart().fault_cause, cause::kLoadAccess);
      }
      bench.hart().fault = 0;
      bench.hart().slow->store(&bench.hart(), kRam + row.offset, 0, op);
      EXPECT_EQ(bench.faulted(), !ok);
      if (!ok) {
        EXPECT_EQ(bench.hart().fault_cause, cause::kStoreAccess);
      }
    }
  }
}

TEST(RiscvPmp, ChangesTakeEffectOnCachedPages) {
  Bench bench;
  bench.open_pmp();
  bench.set_mode(Mode::supervisor);
  const u32 op = ir::MemOp{}.pack();
  bench.hart().slow->load(&bench.hart(), kRam, op);
  ASSERT_FALSE(bench.faulted());
  bench.set_mode(Mode::machine);
  bench.write(0x3a0, 0);
  bench.set_mode(Mode::supervisor);
  bench.hart().slow->load(&bench.hart(), kRam, op);
  EXPECT_TRUE(bench.faulted());
}

// Code in one page, of which [0x1000, 0x1010) may be executed; traps end in a loop of machine mode.
class RiscvPmpFetch : public ::testing::TestWithParam<Mode> {
 protected:
  static constexpr u64 kCode = kRam + 0x1000, kEnd = kCode + 0x10, kHandler = kRam + 0x3000;
  static constexpr u32 kIncrement = 0x00150513;  // addi a0, a0, 1

  RiscvPmpFetch() {
    for (u64 i = 0; i < 0x40; i += 4) bench.store32(kCode + i, kIncrement);
    bench.store32(kCode + 0x40, 0x0000006f);  // j .
    bench.store32(kHandler, 0x0000006f);
    bench.write(0x305, kHandler);
  }
  // The last entry in machine mode is locked: there an unlocked one restricts nothing.
  void restrict_to(std::initializer_list<u64> napot_16) {
    u32 entry = 0;
    u64 cfgs = 0;
    for (const u64 start : napot_16) {
      bench.write(0x3b0 + entry, start >> 2 | 1);
      cfgs |= u64{cfg(pmpcfg::kNapot, kX | kR, true)} << 8 * entry++;
    }
    bench.write(0x3b0 + entry, kCode >> 2 | 0x1ff);
    cfgs |= u64{cfg(pmpcfg::kNapot, kR, true)} << 8 * entry++;
    bench.write(0x3b0 + entry, ~u64{0});
    cfgs |= u64{cfg(pmpcfg::kNapot, kRwx)} << 8 * entry;
    bench.write(0x3a0, cfgs);
  }
  void run(i64 instructions) {
    bench.hart().x[10] = 0;
    bench.hart().pc = kCode;
    bench.set_mode(GetParam());
    bench.vcpu->run(instructions);
  }
  // What the code does while it may: with units and links left behind.
  void run_unrestricted() {
    bench.open_pmp();
    for (int i = 0; i < 3; ++i) run(40);
    bench.set_mode(Mode::machine);
  }
  void expect_fault(u64 pc, u64 value) {
    EXPECT_EQ(bench.hart().mcause, cause::kFetchAccess);
    EXPECT_EQ(bench.hart().mepc, pc);
    EXPECT_EQ(bench.hart().mtval, value);
    EXPECT_EQ(bench.hart().pc, kHandler);
  }
  u64 done() { return bench.hart().x[10]; }

  Bench bench;
};

TEST_P(RiscvPmpFetch, StopsWhereItsStretchEnds) {
  run_unrestricted();
  ASSERT_EQ(done(), 16u);
  restrict_to({kCode});
  for (int i = 0; i < 3; ++i) {
    run(40);
    EXPECT_EQ(done(), 4u);
    expect_fault(kEnd, kEnd);
  }
}

TEST_P(RiscvPmpFetch, JumpsInsideThePageAreChecked) {
  bench.store32(kCode + 4, 0x0180006f);  // j to 0x1c
  run_unrestricted();
  ASSERT_EQ(done(), 10u);
  restrict_to({kCode});
  for (int i = 0; i < 3; ++i) {
    run(40);
    EXPECT_EQ(done(), 1u);
    expect_fault(kCode + 0x1c, kCode + 0x1c);
  }
}

TEST_P(RiscvPmpFetch, LoopsRunInsideTheirStretch) {
  bench.store32(kCode + 8, 0xff9ff06f);  // j to 0
  restrict_to({kCode});
  run(300);
  EXPECT_EQ(done(), 200u);
  EXPECT_EQ(bench.hart().pc, kCode);
}

TEST_P(RiscvPmpFetch, AnInstructionAcrossTheEndNeedsBoth) {
  bench.store32(kCode + 8, 0x05130505);   // c.addi a0, 1; first half of the addi
  bench.store32(kCode + 12, 0x05130015);  // second half; again
  bench.store32(kCode + 16, 0x05050015);
  run_unrestricted();
  ASSERT_EQ(done(), 17u);
  restrict_to({kCode});
  run(40);
  EXPECT_EQ(done(), 4u);
  expect_fault(kCode + 14, kEnd);
}

TEST_P(RiscvPmpFetch, AnInstructionAcrossTwoStretchesRuns) {
  bench.store32(kCode + 12, 0x05130505);
  bench.store32(kCode + 16, 0x05050015);
  restrict_to({kCode, kEnd});
  run(40);
  EXPECT_EQ(done(), 3u + 3 + 3);
  expect_fault(kEnd + 0x10, kEnd + 0x10);
}

INSTANTIATE_TEST_SUITE_P(Modes, RiscvPmpFetch, ::testing::Values(Mode::machine, Mode::supervisor, Mode::user));

}  // namespace
}  // namespace pagoda::riscv64
