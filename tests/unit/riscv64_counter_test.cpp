// SPDX-License-Identifier: MIT
// Counters: programmable ones, by mode, overflow at an exact instruction; state enables; the entropy source.
#include "cpu/riscv64/counters.h"

#include <gtest/gtest.h>

#include "riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kOnes = ~u64{0};
constexpr u32 kInhibit = 0x320, kCycleCfg = 0x321, kInstretCfg = 0x322, kEvent3 = 0x323, kCounter3 = 0xb03,
              kScountovf = 0xda0, kMip = 0x344, kMie = 0x304;
constexpr u32 kAdd = 0x00150513, kStay = 0x0000006f, kEcall = 0x00000073, kMret = 0x30200073,
              kSret = 0x10200073;  // addi a0, a0, 1; j .
constexpr char kAllCounters[] = "rv64,sscofpmf=on,smcntrpmf=on";

// CSR accesses at instruction counts.
struct Accesses {
  Bench bench{kAllCounters};
  u64 at(u64 retired, u32 number, u64 value) {
    u64 old = 0;
    const CsrContext context{*bench.vcpu, bench.hart(), retired, false};
    EXPECT_TRUE(csr_instruction(context, number, CsrOp::write, true, true, value, &old)) << csr_name(number);
    return old;
  }
  u64 at(u64 retired, u32 number) {
    u64 old = 0;
    const CsrContext context{*bench.vcpu, bench.hart(), retired, false};
    EXPECT_TRUE(csr_instruction(context, number, CsrOp::set, true, false, 0, &old)) << csr_name(number);
    return old;
  }
};

TEST(RiscvCounters, ProgrammableOnesCountTheirEvent) {
  Accesses a;
  EXPECT_EQ(a.at(10, kCounter3), 0u) << "no event";
  a.at(10, kEvent3, kEventInstructions);
  EXPECT_EQ(a.at(11, kCounter3), 0u);
  EXPECT_EQ(a.at(31, 0xc03), 20u);
  a.at(31, kInhibit, 8);
  EXPECT_EQ(a.at(50, kCounter3), 21u);
  a.at(50, kCounter3, 100);
  a.at(51, kInhibit, 0);
  EXPECT_EQ(a.at(62, kCounter3), 110u);
  a.at(70, kEvent3, 0);
  EXPECT_EQ(a.at(90, kCounter3), 119u);
  a.at(90, kEvent3, 77);
  EXPECT_EQ(a.at(95, kEvent3), 0u) << "no such event";
  a.at(100, kEvent3 + 15, kEventCycles);
  EXPECT_EQ(a.at(111, kCounter3 + 15), 10u);
  a.at(100, kEvent3 + 16, kEventCycles);
  EXPECT_EQ(a.at(111, kEvent3 + 16), 0u);
  EXPECT_EQ(a.at(111, kCounter3 + 16), 0u);
}

// What stops a counter is counted itself, and may be what makes it overflow.
TEST(RiscvCounters, TheInstructionThatStopsACounterMayOverflowIt) {
  for (const u64 left : {1u, 2u}) {
    Accesses a;
    a.at(10, kEvent3, kEventInstructions);
    a.at(11, kCounter3, u64{0} - left);
    a.at(12, kInhibit, 8);
    EXPECT_EQ(a.at(20, kCounter3), left == 1 ? 0 : kOnes);
    EXPECT_EQ(a.at(20, kScountovf), left == 1 ? 8u : 0u);
    EXPECT_EQ(a.bench.read(kMip), left == 1 ? irq::kLcofip : 0u);
  }
}

TEST(RiscvCounters, GatesOfTheProgrammableOnes) {
  Bench bench;
  bench.set_mode(Mode::supervisor);
  EXPECT_FALSE(bench.readable(0xc05));
  bench.hart().mcounteren = 1 << 5;
  EXPECT_TRUE(bench.readable(0xc05));
  EXPECT_FALSE(bench.readable(0xc06));
  bench.set_mode(Mode::user);
  EXPECT_FALSE(bench.readable(0xc05));
  bench.hart().scounteren = 1 << 5;
  EXPECT_TRUE(bench.readable(0xc05));
}

TEST(RiscvCounters, FieldsOfTheConfigurations) {
  Bench with(kAllCounters), without("rv64,sscofpmf=off");
  for (const u32 number : {kCycleCfg, kInstretCfg}) {
    ASSERT_TRUE(with.write(number, kOnes));
    EXPECT_EQ(with.read(number), u64{7} << 60);
  }
  ASSERT_TRUE(with.write(kEvent3, u64{0xfc} << 56 | kEventCycles));
  EXPECT_EQ(with.read(kEvent3), u64{0xf0} << 56 | kEventCycles) << "no modes of a hypervisor";
  EXPECT_EQ(with.read(kScountovf), 8u);
  ASSERT_TRUE(without.write(kEvent3, u64{0xff} << 56 | kEventCycles));
  EXPECT_EQ(without.read(kEvent3), kEventCycles);
}

TEST(RiscvCounters, OverflowsAreSeenByThoseWhoMayReadTheCounter) {
  Bench bench(kAllCounters);
  bench.write(kEvent3, hpmevent::kOverflow);
  bench.write(kEvent3 + 2, hpmevent::kOverflow);
  EXPECT_EQ(bench.read(kScountovf), 0x28u);
  bench.set_mode(Mode::supervisor);
  bench.hart().mcounteren = 0x20;
  EXPECT_EQ(bench.read(kScountovf), 0x20u);
}

// Code that runs in every tier.
class RiscvCounting : public testing::TestWithParam<u32> {
 protected:
  static CodeOptions options() {
    CodeOptions options;
    if (GetParam() == 0) options.fusions = 0;
    if (GetParam() == 2) options.max_tier = options.min_tier = 1;
    return options;
  }
  RiscvCounting() : bench_(kAllCounters, options()) { bench_.open_pmp(); }
  void put(u64 address, std::initializer_list<u32> words) {
    for (const u32 word : words) bench_.store32(std::exchange(address, address + 4), word);
  }
  Bench bench_;
};
INSTANTIATE_TEST_SUITE_P(Tiers, RiscvCounting, testing::Values(0u, 1u, 2u));

TEST_P(RiscvCounting, ByMode) {
  constexpr u64 kUser = kRam + 0x200, kHandler = kRam + 0x300, kSupervisor = kRam + 0x400;
  using namespace hpmevent;
  put(kRam, {kAdd, kAdd, kMret});
  put(kSupervisor, {kAdd, kAdd, kAdd, kSret});
  put(kUser, {kAdd, kAdd, kAdd, kAdd, kAdd, kEcall});
  put(kHandler, {kStay});
  bench_.write(0x305, kHandler);
  bench_.write(0x341, kSupervisor);
  bench_.write(0x141, kUser);
  bench_.write(0x300, u64{1} << status::kMppShift);
  bench_.write(kEvent3, kEventInstructions | kNotMachine | kNotSupervisor);
  bench_.write(kEvent3 + 1, kEventCycles | kNotUser | kNotSupervisor);
  bench_.write(kEvent3 + 2, kEventCycles | kNotUser | kNotMachine);
  bench_.write(kEvent3 + 3, kEventInstructions);
  bench_.write(kCycleCfg, kNotMachine);
  bench_.write(kInstretCfg, kNotUser);
  for (const u32 counter : {kCounter3, kCounter3 + 1, kCounter3 + 2, kCounter3 + 3, 0xb00u, 0xb02u}) {
    u64 old = 0;  // as an instruction before the first would
    const CsrContext context{*bench_.vcpu, bench_.hart(), bench_.vcpu->instructions() - 1, false};
    ASSERT_TRUE(csr_instruction(context, counter, CsrOp::write, true, true, 0, &old));
  }
  ASSERT_EQ(bench_.vcpu->run(50), Vcpu::Stop::budget);
  EXPECT_EQ(bench_.hart().mcause, cause::kEcallUser);
  EXPECT_EQ(bench_.read(kCounter3), 5u) << "user; ecall does not retire";
  EXPECT_EQ(bench_.read(kCounter3 + 2), 4u) << "supervisor; sret is its";
  EXPECT_EQ(bench_.read(kCounter3 + 1), 41u) << "machine";
  EXPECT_EQ(bench_.read(kCounter3 + 3), 50u);
  EXPECT_EQ(bench_.read(0xb00), 9u);
  EXPECT_EQ(bench_.read(0xb02), 45u);
}

TEST_P(RiscvCounting, AnOverflowInterruptsBehindItsInstruction) {
  constexpr u64 kHandler = kRam + 0x800;
  for (u64 at = kRam; at < kHandler; at += 4) bench_.store32(at, kAdd);
  put(kHandler, {kStay});
  for (const u32 left : {1u, 2u, 7u, 48u, 49u, 100u, 333u}) {
    bench_.vcpu->reset();
    bench_.open_pmp();
    bench_.write(0x305, kHandler);
    bench_.write(kMie, irq::kLcofip);
    bench_.write(0x300, status::kMie);
    bench_.write(kEvent3, kEventInstructions);
    u64 old = 0;
    const CsrContext context{*bench_.vcpu, bench_.hart(), bench_.vcpu->instructions() - 1, false};
    ASSERT_TRUE(csr_instruction(context, kCounter3, CsrOp::write, true, true, u64{0} - left, &old));
    const u64 before = bench_.vcpu->instructions();
    ASSERT_EQ(bench_.vcpu->run(400), Vcpu::Stop::budget);
    EXPECT_EQ(bench_.vcpu->instructions() - before, 400u) << "the budget is what it was";
    EXPECT_EQ(bench_.hart().x[10], left);
    EXPECT_EQ(bench_.hart().mcause, cause::kInterrupt | irq::kLcofi);
    EXPECT_EQ(bench_.hart().mepc, kRam + u64{left} * 4);
    EXPECT_EQ(bench_.read(kCounter3), 400u - left);
    EXPECT_NE(bench_.read(kEvent3) & hpmevent::kOverflow, 0u);
    EXPECT_EQ(bench_.read(kMip), irq::kLcofip);
    EXPECT_EQ(bench_.read(kScountovf), 8u);
  }
}

// Sampling in a guest: the handler sets the counter again and returns, again and again.
TEST_P(RiscvCounting, AMarkedOverflowDoesNotInterruptAgain) {
  put(kRam, {kStay});
  bench_.write(kEvent3, kEventInstructions | hpmevent::kOverflow);
  bench_.write(kCounter3, kOnes - 10);
  bench_.vcpu->run(100);
  EXPECT_EQ(bench_.read(kMip), 0u);
  bench_.write(kEvent3, kEventInstructions);
  bench_.write(kCounter3, kOnes - 10);
  bench_.vcpu->run(100);
  EXPECT_EQ(bench_.read(kMip), irq::kLcofip);
  ASSERT_TRUE(bench_.write(kMip, 0));
  bench_.write(kEvent3, kEventInstructions);
  bench_.write(kInhibit, 8);
  bench_.write(kCounter3, kOnes - 10);
  bench_.vcpu->run(100);
  EXPECT_EQ(bench_.read(kMip), 0u) << "a counter that stands still";
  EXPECT_EQ(bench_.read(kCounter3), kOnes - 10);
}

TEST(RiscvCounters, WithoutTheExtensionNothingInterrupts) {
  Bench bench("rv64,sscofpmf=off");
  bench.store32(kRam, kStay);
  bench.write(kEvent3, kEventInstructions);
  bench.write(kCounter3, kOnes);
  bench.vcpu->run(100);
  EXPECT_EQ(bench.read(kCounter3), 98u);
  EXPECT_EQ(bench.read(kMip), 0u);
}

TEST(RiscvCounters, TheSupervisorTakesAndEndsItsOverflows) {
  Bench bench(kAllCounters);
  bench.hart().software_pending = irq::kLcofip;
  EXPECT_EQ(bench.read(0x144), 0u);
  ASSERT_TRUE(bench.write(0x303, irq::kLcofip));
  EXPECT_EQ(bench.read(0x144), irq::kLcofip);
  ASSERT_TRUE(bench.write(0x104, irq::kLcofip));
  bench.hart().mstatus = status::kSie;
  bench.set_mode(Mode::supervisor);
  EXPECT_EQ(interrupt_to_take(bench.hart()), static_cast<int>(irq::kLcofi));
  ASSERT_TRUE(bench.access(0x144, CsrOp::clear, irq::kLcofip));
  EXPECT_EQ(interrupt_to_take(bench.hart()), -1);
}

// --- Smstateen
// -----------------------------------------------------------------------------------------------------------

TEST(RiscvStateEnables, FieldsThatExist) {
  Bench plain("rv64,smstateen=on"), aia("rv64,smstateen=on,smaia=on,ssaia=on");
  ASSERT_TRUE(plain.write(0x30c, kOnes) && aia.write(0x30c, kOnes));
  EXPECT_EQ(plain.read(0x30c), stateen::kStateen | stateen::kEnvcfg);
  EXPECT_EQ(aia.read(0x30c), plain.read(0x30c) | stateen::kWindow | stateen::kAia | stateen::kImsic);
  for (u32 index = 1; index < 4; ++index) {
    EXPECT_EQ(plain.read(0x30c + index), 0u) << "closed at reset";
    ASSERT_TRUE(plain.write(0x30c + index, kOnes));
    EXPECT_EQ(plain.read(0x30c + index), stateen::kStateen);
    ASSERT_TRUE(plain.write(0x10c + index, kOnes));
    EXPECT_EQ(plain.read(0x10c + index), 0u);
  }
}

TEST(RiscvStateEnables, EachBitOpensItsRegisters) {
  Bench bench("rv64,smstateen=on,smaia=on,ssaia=on");
  struct Row {
    u32 number, enable;
    u64 bit;
  };
  const Row rows[] = {
      {0x10a, 0, stateen::kEnvcfg},  {0x10c, 0, stateen::kStateen}, {0x10d, 1, stateen::kStateen},
      {0x10e, 2, stateen::kStateen}, {0x10f, 3, stateen::kStateen}, {0x150, 0, stateen::kWindow},
      {0xdb0, 0, stateen::kAia},
  };
  for (const Row& row : rows) {
    for (u64& enable : bench.hart().mstateen) enable = kOnes;
    bench.hart().mstateen[row.enable] &= ~row.bit;
    bench.set_mode(Mode::machine);
    EXPECT_TRUE(bench.readable(row.number)) << csr_name(row.number);
    bench.set_mode(Mode::supervisor);
    EXPECT_FALSE(bench.readable(row.number)) << csr_name(row.number);
    bench.hart().mstateen[row.enable] |= row.bit;
    EXPECT_TRUE(bench.readable(row.number)) << csr_name(row.number);
  }
  Bench without("rv64,smaia=on,ssaia=on,smstateen=off");
  without.set_mode(Mode::supervisor);
  for (const u32 number : {0x10a, 0x150, 0xdb0}) EXPECT_TRUE(without.readable(number)) << csr_name(number);
  EXPECT_FALSE(without.readable(0x10c));
}

// --- Zkr
// -----------------------------------------------------------------------------------------------------------------

TEST(RiscvSeed, MustBeWrittenAndIsSwitchedByMode) {
  Bench bench("rv64,zkr=on");
  EXPECT_FALSE(bench.readable(0x015)) << "a read that does not write";
  EXPECT_TRUE(bench.writable(0x015));
  ASSERT_TRUE(bench.write(0x747, kOnes));
  EXPECT_EQ(bench.read(0x747), 0x300u);
  for (const u64 enabled : {0u, 0x100u, 0x200u, 0x300u}) {
    bench.hart().mseccfg = enabled;
    bench.set_mode(Mode::user);
    EXPECT_EQ(bench.writable(0x015), (enabled & 0x100) != 0);
    bench.set_mode(Mode::supervisor);
    EXPECT_EQ(bench.writable(0x015), (enabled & 0x200) != 0);
  }
}

TEST(RiscvSeed, GivesWhatTheMachineGives) {
  u32 calls = 0;
  Bench without("rv64,zkr=on"), with("rv64,zkr=on", {}, [&](std::span<std::byte> out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>(0xa0 + calls++);
  });
  u64 value = 0;
  ASSERT_TRUE(csr_instruction(without.context(), 0x015, CsrOp::write, true, true, 0, &value));
  EXPECT_EQ(value, u64{3} << 30) << "nothing behind it: dead";
  ASSERT_TRUE(csr_instruction(with.context(), 0x015, CsrOp::write, true, true, 0, &value));
  EXPECT_EQ(value, u64{2} << 30 | 0xa1a0);
  ASSERT_TRUE(csr_instruction(with.context(), 0x015, CsrOp::set, true, true, 0, &value));
  EXPECT_EQ(value, u64{2} << 30 | 0xa3a2);
  EXPECT_EQ(with.read(0x015), 0u);
  EXPECT_EQ(calls, 4u) << "a look at it takes nothing";
}

}  // namespace
}  // namespace pagoda::riscv64
