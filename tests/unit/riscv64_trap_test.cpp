// SPDX-License-Identifier: MIT
// Traps: delegation, priorities, status stacks, waking, the supervisor timer, mode keys.
#include "riscv64_bench.h"

#include <gtest/gtest.h>

namespace pagoda::riscv64 {
namespace {

constexpr u64 kHandlerM = kRam + 0x1000, kHandlerS = kRam + 0x2000, kCode = kRam + 0x3000;

class RiscvTrap : public testing::Test {
 protected:
  RiscvTrap() {
    hart().mtvec = kHandlerM;
    hart().stvec = kHandlerS;
  }
  Hart& hart() { return bench_.hart(); }
  void raise(u64 cause, u64 value) {
    hart().pc = kCode;
    raise_exception(hart(), cause, value);
    take_exception(*bench_.vcpu);
  }
  bool interrupted() {
    hart().pc = kCode;
    return take_interrupt(*bench_.vcpu);
  }
  Bench bench_;
};

TEST_F(RiscvTrap, ExceptionsGoToMachineModeUnlessDelegated) {
  for (const u64 cause : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 15}) {
    for (const Mode from : {Mode::user, Mode::supervisor, Mode::machine}) {
      for (const bool delegated : {false, true}) {
        hart().medeleg = delegated ? u64{1} << cause : 0xb3ff & ~(u64{1} << cause);
        bench_.set_mode(from);
        raise(cause, 0x55);
        const bool to_supervisor = delegated && from != Mode::machine;
        EXPECT_EQ(hart().privilege, to_supervisor ? Mode::supervisor : Mode::machine) << cause;
        EXPECT_EQ(hart().pc, to_supervisor ? kHandlerS : kHandlerM);
        EXPECT_EQ(to_supervisor ? hart().scause : hart().mcause, cause);
        EXPECT_EQ(to_supervisor ? hart().sepc : hart().mepc, kCode);
        EXPECT_EQ(to_supervisor ? hart().stval : hart().mtval, 0x55u);
        EXPECT_FALSE(bench_.faulted());
      }
    }
  }
}

TEST_F(RiscvTrap, EntryAndReturnStackTheStatus) {
  for (const bool enabled : {false, true}) {
    for (const Mode from : {Mode::user, Mode::supervisor, Mode::machine}) {
      hart().mstatus = enabled ? status::kMie : 0;
      hart().medeleg = 0;
      bench_.set_mode(from);
      raise(cause::kIllegal, 0);
      EXPECT_EQ(hart().mstatus & status::kMpp, static_cast<u64>(from) << status::kMppShift);
      EXPECT_EQ((hart().mstatus & status::kMpie) != 0, enabled);
      EXPECT_EQ(hart().mstatus & status::kMie, 0u);
      EXPECT_EQ(bench_.helper(HelperId::mret), kCode);
      EXPECT_EQ(hart().privilege, from);
      EXPECT_EQ((hart().mstatus & status::kMie) != 0, enabled);
      EXPECT_EQ(hart().mstatus & (status::kMpp | status::kMpie), status::kMpie) << "MPP becomes user mode";
      if (from == Mode::machine) continue;

      hart().mstatus = enabled ? status::kSie : 0;
      hart().medeleg = u64{1} << cause::kIllegal;
      raise(cause::kIllegal, 0);
      EXPECT_EQ((hart().mstatus & status::kSpp) != 0, from == Mode::supervisor);
      EXPECT_EQ((hart().mstatus & status::kSpie) != 0, enabled);
      EXPECT_EQ(hart().mstatus & status::kSie, 0u);
      EXPECT_EQ(bench_.helper(HelperId::sret), kCode);
      EXPECT_EQ(hart().privilege, from);
      EXPECT_EQ((hart().mstatus & status::kSie) != 0, enabled);
      EXPECT_EQ(hart().mstatus & (status::kSpp | status::kSpie), status::kSpie);
    }
  }
}

TEST_F(RiscvTrap, InterruptsByPriorityMachineModeFirst) {
  const u32 order[] = {irq::kMei, irq::kMsi, irq::kMti, irq::kSei, irq::kSsi, irq::kSti};
  hart().mie = irq::kAll;
  hart().mstatus = status::kMie | status::kSie;
  bench_.set_mode(Mode::user);
  u64 remaining = irq::kAll;
  for (const u32 number : order) {
    hart().pins = remaining & ~irq::kSupervisor;
    hart().software_pending = remaining & irq::kSupervisor;
    EXPECT_EQ(interrupt_to_take(hart()), static_cast<int>(number));
    remaining &= ~(u64{1} << number);
  }
  // Delegated ones come after all others, whatever their number.
  hart().mideleg = irq::kSeip;
  hart().pins = 0;
  hart().software_pending = irq::kSeip | irq::kStip;
  EXPECT_EQ(interrupt_to_take(hart()), static_cast<int>(irq::kSti));
}

TEST_F(RiscvTrap, WhenAnInterruptIsTaken) {
  for (const Mode mode : {Mode::user, Mode::supervisor, Mode::machine}) {
    for (const bool delegated : {false, true}) {
      for (u32 bits = 0; bits < 8; ++bits) {
        const bool enabled = (bits & 1) != 0, mie = (bits & 2) != 0, sie = (bits & 4) != 0;
        hart().mstatus = (mie ? status::kMie : 0) | (sie ? status::kSie : 0);
        hart().mideleg = delegated ? irq::kSsip : 0;
        hart().mie = enabled ? irq::kSsip : 0;
        hart().software_pending = irq::kSsip;
        bench_.set_mode(mode);
        bool expected = enabled;
        if (mode == Mode::machine) expected = expected && mie && !delegated;
        if (mode == Mode::supervisor && delegated) expected = expected && sie;
        EXPECT_EQ(should_wake(*bench_.vcpu), enabled);
        ASSERT_EQ(interrupted(), expected);
        if (!expected) continue;
        EXPECT_EQ(hart().privilege, delegated ? Mode::supervisor : Mode::machine);
        EXPECT_EQ(delegated ? hart().scause : hart().mcause, cause::kInterrupt | irq::kSsi);
        EXPECT_EQ(delegated ? hart().sepc : hart().mepc, kCode);
      }
    }
  }
}

TEST_F(RiscvTrap, VectorsAreForInterruptsOnly) {
  hart().mtvec = kHandlerM | 1;
  hart().mie = irq::kMtip;
  hart().mstatus = status::kMie;
  bench_.port->set_irq(irq::kMti, true);
  ASSERT_TRUE(interrupted());
  EXPECT_EQ(hart().pc, kHandlerM + 4 * irq::kMti);
  raise(cause::kBreakpoint, 0);
  EXPECT_EQ(hart().pc, kHandlerM);
}

TEST_F(RiscvTrap, EnablingAPendingInterruptLeavesTranslatedCode) {
  hart().software_pending = irq::kSsip;
  const auto polled = [&] { return hart().poll.exchange(0) != 0; };
  polled();
  bench_.write(0x304, irq::kSsip);
  EXPECT_FALSE(polled()) << "mstatus.MIE is clear";
  bench_.access(0x300, CsrOp::set, status::kMie);
  EXPECT_TRUE(polled());
  hart().mstatus = status::kMpie;  // to user mode
  bench_.helper(HelperId::mret);
  EXPECT_TRUE(polled());
}

TEST_F(RiscvTrap, ReturnsLeaveMprvOnlyForMachineMode) {
  hart().mstatus = status::kMprv | status::kMpp;
  bench_.helper(HelperId::mret);
  EXPECT_NE(hart().mstatus & status::kMprv, 0u);
  hart().mstatus = status::kMprv | u64{1} << status::kMppShift;
  bench_.helper(HelperId::mret);
  EXPECT_EQ(hart().mstatus & status::kMprv, 0u);
  bench_.set_mode(Mode::machine);
  hart().mstatus = status::kMprv | status::kSpp;
  bench_.helper(HelperId::sret);
  EXPECT_EQ(hart().mstatus & status::kMprv, 0u);
}

TEST_F(RiscvTrap, PrivilegedInstructionsAreIllegalBelowTheirMode) {
  struct Row {
    HelperId helper;
    Mode mode;
    u64 mstatus;
    bool legal;
  };
  using M = Mode;
  const Row rows[] = {
      {HelperId::mret, M::user, 0, false},
      {HelperId::mret, M::supervisor, 0, false},
      {HelperId::mret, M::machine, 0, true},
      {HelperId::sret, M::user, 0, false},
      {HelperId::sret, M::supervisor, 0, true},
      {HelperId::sret, M::supervisor, status::kTsr, false},
      {HelperId::sret, M::machine, status::kTsr, true},
      {HelperId::wfi, M::user, 0, false},
      {HelperId::wfi, M::supervisor, 0, true},
      {HelperId::wfi, M::supervisor, status::kTw, false},
      {HelperId::wfi, M::machine, status::kTw, true},
      {HelperId::sfence_vma, M::user, 0, false},
      {HelperId::sfence_vma, M::supervisor, 0, true},
      {HelperId::sfence_vma, M::supervisor, status::kTvm, false},
      {HelperId::sfence_vma, M::machine, status::kTvm, true},
  };
  for (const Row& row : rows) {
    hart().mstatus = row.mstatus;
    bench_.set_mode(row.mode);
    bench_.helper(row.helper, 0, 0, 0, u64{0x12345678} << 32);
    EXPECT_EQ(bench_.faulted(), !row.legal) << static_cast<u32>(row.helper) << " " << static_cast<u32>(row.mode);
    if (row.legal) continue;
    EXPECT_EQ(hart().fault_cause, cause::kIllegal);
    EXPECT_EQ(hart().fault_value, 0x12345678u);
    EXPECT_EQ(hart().privilege, row.mode);
  }
}

TEST_F(RiscvTrap, CacheBlockInstructionsNeedTheirSwitches) {
  bench_.open_pmp();
  struct Row {
    u64 operation, field;
  };
  for (const Row& row : {Row{0, u64{1} << 4}, Row{0, u64{3} << 4}, Row{1, envcfg::kCbcfe}, Row{2, envcfg::kCbcfe},
                         Row{4, envcfg::kCbze}}) {
    for (const Mode mode : {Mode::user, Mode::supervisor, Mode::machine}) {
      for (u32 bits = 0; bits < 4; ++bits) {
        hart().menvcfg = (bits & 1) != 0 ? row.field : 0;
        hart().senvcfg = (bits & 2) != 0 ? row.field : 0;
        bench_.set_mode(mode);
        bench_.store64(kRam + 0x40, ~u64{0});
        bench_.store64(kRam + 0x78, ~u64{0});
        bench_.store64(kRam + 0x80, ~u64{0});
        bench_.helper(HelperId::cbo, kRam + 0x55, 0, 0, row.operation);
        const bool legal = mode == Mode::machine || ((bits & 1) != 0 && (mode == Mode::supervisor || bits == 3));
        ASSERT_EQ(bench_.faulted(), !legal) << row.operation << " " << static_cast<u32>(mode) << " " << bits;
        const u64 expected = legal && row.operation == 4 ? 0 : ~u64{0};
        EXPECT_EQ(bench_.load64(kRam + 0x40), expected);
        EXPECT_EQ(bench_.load64(kRam + 0x78), expected);
        EXPECT_EQ(bench_.load64(kRam + 0x80), ~u64{0});
      }
    }
  }
  bench_.set_mode(Mode::machine);
  bench_.helper(HelperId::cbo, 0x1000, 0, 0, 1);  // nothing there
  EXPECT_EQ(hart().fault_cause, cause::kStoreAccess);
  bench_.helper(HelperId::cbo, 0x1000, 0, 0, 4);
  EXPECT_EQ(hart().fault_cause, cause::kStoreAccess);
}

TEST_F(RiscvTrap, SupervisorTimerComparesAndFires) {
  bench_.write(0x30a, envcfg::kStce);
  bench_.now_ns = 1000;
  bench_.clock.run_due();
  ASSERT_TRUE(bench_.write(0x14d, 50));
  EXPECT_EQ(bench_.read(0x344), 0u);
  EXPECT_EQ(bench_.clock.next_deadline(), 5000u);
  bench_.now_ns = 4999;
  EXPECT_EQ(bench_.read(0x344), 0u);
  bench_.now_ns = 5000;
  EXPECT_EQ(bench_.read(0x344), irq::kStip) << "compared when read, whatever the host's timer does";
  EXPECT_EQ(pending(hart()), 0u);
  bench_.hart().poll = 0;
  bench_.clock.run_due();
  EXPECT_EQ(pending(hart()), irq::kStip);
  EXPECT_NE(hart().poll, 0u);
  ASSERT_TRUE(bench_.write(0x14d, 60));
  EXPECT_EQ(pending(hart()), 0u);
  ASSERT_TRUE(bench_.write(0x14d, 7));
  EXPECT_EQ(pending(hart()), irq::kStip) << "a deadline in the past";
  ASSERT_TRUE(bench_.write(0x14d, ~u64{0}));
  EXPECT_EQ(pending(hart()), 0u);
  EXPECT_EQ(bench_.clock.next_deadline(), std::nullopt);
  // Software may not touch STIP meanwhile, and gets its own back without STCE.
  bench_.write(0x344, irq::kStip);
  EXPECT_EQ(bench_.read(0x344), 0u);
  bench_.write(0x30a, 0);
  bench_.write(0x344, irq::kStip);
  EXPECT_EQ(pending(hart()), irq::kStip);
}

TEST_F(RiscvTrap, SupervisorTimerFollowsAWriteOfTime) {
  bench_.write(0x30a, envcfg::kStce);
  bench_.write(0x14d, 1000);
  EXPECT_EQ(bench_.clock.next_deadline(), 100000u);
  bench_.port->set_time_offset(400);
  EXPECT_EQ(bench_.clock.next_deadline(), 60000u);
  bench_.port->set_time_offset(1000);
  EXPECT_EQ(pending(hart()), irq::kStip);
  bench_.port->set_time_offset(u64{0} - 5);  // time is set back to nearly its end
  EXPECT_EQ(pending(hart()), irq::kStip);
}

TEST_F(RiscvTrap, PinsKickTheHart) {
  for (const u32 pin : {irq::kMsi, irq::kMti, irq::kSei, irq::kMei}) {
    hart().poll = 0;
    const IrqLine line = bench_.port->pin(pin);
    line.set(true);
    EXPECT_NE(hart().poll, 0u);
    EXPECT_EQ(bench_.read(0x344), u64{1} << pin);
    line.set(false);
    EXPECT_EQ(bench_.read(0x344), 0u);
  }
}

TEST_F(RiscvTrap, ModeKeyFollowsTheState) {
  const auto memory_mode = [&] { return static_cast<MemoryMode>(hart().mode >> ModeKey::kMemoryShift); };
  EXPECT_EQ(hart().mode, 3u);
  bench_.write(0x300, u64{1} << status::kFsShift);
  EXPECT_EQ(hart().mode, 3u | ModeKey::kFpOn);
  bench_.helper(HelperId::mark_fp_dirty);
  EXPECT_EQ(hart().mode, 3u | ModeKey::kFpOn | ModeKey::kFpDirty);
  bench_.write(0x002, 3);
  EXPECT_EQ(hart().mode >> ModeKey::kRoundShift & 3, ModeKey::kRoundMode);
  bench_.write(0x002, 4);
  EXPECT_EQ(hart().mode >> ModeKey::kRoundShift & 3, ModeKey::kRoundAway);
  bench_.write(0x002, 5);
  EXPECT_EQ(hart().mode >> ModeKey::kRoundShift & 3, ModeKey::kRoundReserved);
  bench_.write(0x300, 0);
  EXPECT_EQ(hart().mode, 3u);

  struct Row {
    u64 mstatus;
    MemoryMode data;
  };
  const u64 as_supervisor = status::kMprv | u64{1} << status::kMppShift;
  for (const Row& row :
       {Row{status::kMprv | status::kMpp, MemoryMode::bare}, Row{status::kSum | status::kMxr, MemoryMode::bare},
        Row{status::kMprv | status::kSum, MemoryMode::user}, Row{status::kMprv | status::kMxr, MemoryMode::user_mxr},
        Row{as_supervisor, MemoryMode::supervisor}, Row{as_supervisor | status::kSum, MemoryMode::supervisor_sum},
        Row{as_supervisor | status::kMxr, MemoryMode::supervisor_mxr},
        Row{as_supervisor | status::kMxr | status::kSum, MemoryMode::supervisor_sum_mxr}}) {
    bench_.write(0x300, 0);
    bench_.write(0x300, row.mstatus);
    EXPECT_EQ(memory_mode(), row.data);
    EXPECT_EQ(hart().memory_mode, static_cast<u32>(row.data));
    EXPECT_EQ(fetch_memory_mode(hart()), MemoryMode::bare);
  }
  hart().mstatus = as_supervisor & ~status::kMprv;
  bench_.helper(HelperId::mret);
  EXPECT_EQ(hart().mode & ModeKey::kPrivilege, 1u);
  EXPECT_EQ(fetch_memory_mode(hart()), MemoryMode::supervisor);
}

// Real code through the run loop: the whole way from instruction to trap and counter.
TEST_F(RiscvTrap, CountersAreExactInRunningCode) {
  const u32 program[] = {
      0xb0205073,  // csrwi minstret, 0
      0xb0202573,  // csrr a0, minstret
      0x00000013,  // nop
      0xc02025f3,  // csrr a1, instret
      0x00000073,  // ecall: does not retire
  };
  for (u32 i = 0; i < std::size(program); ++i) bench_.store32(kCode + 4 * i, program[i]);
  bench_.store32(kHandlerM, 0xb0202673);      // csrr a2, minstret
  bench_.store32(kHandlerM + 4, 0x0000006f);  // j .
  hart().pc = kCode;
  EXPECT_EQ(bench_.vcpu->run(20), Vcpu::Stop::budget);
  EXPECT_EQ(hart().x[10], 0u);
  EXPECT_EQ(hart().x[11], 2u);
  EXPECT_EQ(hart().x[12], 3u);
  EXPECT_EQ(hart().mcause, cause::kEcallMachine);
  EXPECT_EQ(hart().mepc, kCode + 16);
  EXPECT_EQ(bench_.vcpu->instructions(), 20u);
}

// Taken right behind the instruction that enables it, in the middle of code.
TEST_F(RiscvTrap, AnEnabledInterruptIsTakenBetweenTwoInstructions) {
  bench_.store32(kCode, 0x00150513);      // addi a0, a0, 1
  bench_.store32(kCode + 4, 0x30046073);  // csrrsi x0, mstatus, MIE
  bench_.store32(kCode + 8, 0x00150513);
  bench_.store32(kHandlerM, 0x0000006f);  // j .
  bench_.port->set_irq(irq::kMsi, true);
  hart().mie = irq::kMsip;
  hart().mstatus &= ~status::kMie;
  hart().pc = kCode;
  EXPECT_EQ(bench_.vcpu->run(20), Vcpu::Stop::budget);
  EXPECT_EQ(hart().mcause, cause::kInterrupt | irq::kMsi);
  EXPECT_EQ(hart().mepc, kCode + 8);
  EXPECT_EQ(hart().x[10], 1u);
}

TEST_F(RiscvTrap, WaitsUntilAnEnabledInterruptArrives) {
  bench_.store32(kCode, 0x10500073);      // wfi
  bench_.store32(kCode + 4, 0x00150513);  // addi a0, a0, 1
  bench_.store32(kCode + 8, 0xffdff06f);  // j .-4
  hart().mie = irq::kMsip;                // MIE is clear: wakes, is not taken
  hart().pc = kCode;
  EXPECT_EQ(bench_.vcpu->run(100), Vcpu::Stop::waiting);
  EXPECT_EQ(hart().x[10], 0u);
  bench_.port->set_irq(irq::kMei, true);
  EXPECT_EQ(bench_.vcpu->run(100), Vcpu::Stop::waiting) << "not enabled";
  bench_.port->set_irq(irq::kMsi, true);
  EXPECT_EQ(bench_.vcpu->run(100), Vcpu::Stop::budget);
  EXPECT_EQ(hart().x[10], 50u);
  EXPECT_EQ(hart().privilege, Mode::machine);
}

}  // namespace
}  // namespace pagoda::riscv64
