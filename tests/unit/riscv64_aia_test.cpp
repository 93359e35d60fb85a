// SPDX-License-Identifier: MIT
// Smaia and Ssaia: which registers exist when, the indirect window, claiming, the top interrupt.
#include "riscv64_bench.h"

#include <gtest/gtest.h>
#include <map>
#include <set>

#include "devices/bus/interrupt_file.h"

namespace pagoda::riscv64 {
namespace {

constexpr u32 kSiselect = 0x150, kSireg = 0x151, kStopei = 0x15c, kStopi = 0xdb0, kMvien = 0x308, kMvip = 0x309,
              kMiselect = 0x350, kMireg = 0x351, kMtopei = 0x35c, kMtopi = 0xfb0, kMip = 0x344, kSie = 0x104,
              kMie = 0x304, kMideleg = 0x303;

class FakeFile final : public InterruptFile {
 public:
  bool has_register(u32 number) const override { return number >= 0x70 && number < 0x100 && number % 2 == 0; }
  u64 read_register(u32 number) const override { return registers.at(number); }
  void write_register(u32 number, u64 value) override { registers[number] = value; }
  u32 top() const override { return pending.empty() ? 0 : *pending.begin(); }
  void claim(u32 identity) override { pending.erase(identity); }

  std::map<u32, u64> registers;
  std::set<u32> pending;
};

struct AiaBench : Bench {
  AiaBench() : Bench("rv64,smaia=on,ssaia=on") {
    hart().files[0] = &machine;
    hart().files[1] = &supervisor;
  }
  FakeFile machine, supervisor;
};

constexpr u32 kAll[] = {kSiselect, kSireg, kStopei, kStopi, kMvien, kMvip, kMiselect, kMireg, kMtopei, kMtopi};

TEST(RiscvAia, RegistersExistWithTheExtensionsOnly) {
  Bench without;
  for (const u32 csr : kAll) EXPECT_FALSE(without.readable(csr)) << csr_name(csr);
  Bench no_files("rv64,smaia=on,ssaia=on");
  for (const u32 csr : {kSiselect, kStopi, kMvien, kMvip, kMiselect, kMtopi}) EXPECT_TRUE(no_files.readable(csr));
  for (const u32 csr : {kSireg, kStopei, kMireg, kMtopei}) {
    EXPECT_FALSE(no_files.readable(csr)) << csr_name(csr);
    EXPECT_EQ(no_files.read(csr), 0u) << "a listing";
  }
  Bench machine_only("rv64,smaia=on");
  EXPECT_TRUE(machine_only.readable(kMtopi));
  EXPECT_FALSE(machine_only.readable(kStopi));
  AiaBench bench;
  EXPECT_TRUE(bench.readable(kStopei));
  EXPECT_FALSE(bench.writable(kStopi));
  EXPECT_FALSE(bench.writable(kMtopi));
  bench.set_mode(Mode::supervisor);
  EXPECT_TRUE(bench.readable(kStopei));
  EXPECT_FALSE(bench.readable(kMtopei));
  bench.set_mode(Mode::user);
  for (const u32 csr : kAll) EXPECT_FALSE(bench.readable(csr)) << csr_name(csr);
}

TEST(RiscvAia, TheWindowShowsWhatIsSelected) {
  AiaBench bench;
  for (const u64 select : {0x30u, 0x3eu, 0x70u, 0x72u, 0x80u, 0xfeu}) {
    ASSERT_TRUE(bench.write(kSiselect, select));
    EXPECT_TRUE(bench.readable(kSireg)) << select;
  }
  for (const u64 select : {0x00u, 0x2fu, 0x31u, 0x3fu, 0x40u, 0x6fu, 0x71u, 0x81u, 0xffu, 0x100u, 0x1ffu}) {
    ASSERT_TRUE(bench.write(kSiselect, select));
    EXPECT_EQ(bench.read(kSiselect), select);
    EXPECT_FALSE(bench.readable(kSireg)) << select;
    EXPECT_FALSE(bench.write(kSireg, 1)) << select;
  }
  ASSERT_TRUE(bench.write(kSiselect, 0xc0));
  ASSERT_TRUE(bench.write(kMiselect, 0xc0));
  bench.machine.registers[0xc0] = 1;
  bench.supervisor.registers[0xc0] = 2;
  EXPECT_TRUE(bench.access(kSireg, CsrOp::set, 0x10));
  EXPECT_TRUE(bench.access(kMireg, CsrOp::set, 0x20));
  EXPECT_EQ(bench.supervisor.registers[0xc0], 0x12u);
  EXPECT_EQ(bench.machine.registers[0xc0], 0x21u);
  ASSERT_TRUE(bench.write(kSiselect, 0x32));
  EXPECT_TRUE(bench.write(kSireg, ~u64{0}));
  EXPECT_EQ(bench.read(kSireg), 0u) << "priorities are read-only zero";
}

TEST(RiscvAia, ClaimTakesWhatTheSameInstructionRead) {
  AiaBench bench;
  bench.supervisor.pending = {7, 9};
  EXPECT_EQ(bench.read(kStopei), 7u << 16 | 7);
  u64 old = 0;
  EXPECT_TRUE(csr_instruction(bench.context(), kStopei, CsrOp::write, true, true, 0, &old));
  EXPECT_EQ(old, 7u << 16 | 7);
  EXPECT_EQ(bench.supervisor.pending, (std::set<u32>{9}));
  // A write that reads nothing takes what is on top.
  EXPECT_TRUE(csr_instruction(bench.context(), kStopei, CsrOp::write, false, true, 0, &old));
  EXPECT_TRUE(bench.supervisor.pending.empty());
  EXPECT_TRUE(csr_instruction(bench.context(), kStopei, CsrOp::write, true, true, 0, &old));
  EXPECT_EQ(old, 0u);
  bench.machine.pending = {3};
  EXPECT_TRUE(bench.write(kMtopei, 0));
  EXPECT_TRUE(bench.machine.pending.empty());
}

TEST(RiscvAia, TopInterruptFollowsDefaultPrioritiesAndDelegation) {
  AiaBench bench;
  ASSERT_TRUE(bench.write(kMideleg, irq::kSupervisor));
  ASSERT_TRUE(bench.write(kMie, irq::kAll));
  EXPECT_EQ(bench.read(kStopi), 0u);
  EXPECT_EQ(bench.read(kMtopi), 0u);
  ASSERT_TRUE(bench.write(kMip, irq::kSsip));
  EXPECT_EQ(bench.read(kStopi), irq::kSsi << 16 | 1);
  bench.port->set_irq(irq::kSei, true);
  EXPECT_EQ(bench.read(kStopi), irq::kSei << 16 | 1);
  bench.port->set_irq(irq::kMti, true);
  EXPECT_EQ(bench.read(kMtopi), irq::kMti << 16 | 1);
  bench.port->set_irq(irq::kMei, true);
  EXPECT_EQ(bench.read(kMtopi), irq::kMei << 16 | 1);
  ASSERT_TRUE(bench.write(kSie, irq::kSsip));
  EXPECT_EQ(bench.read(kStopi), irq::kSsi << 16 | 1);
  ASSERT_TRUE(bench.write(kMideleg, 0));
  EXPECT_EQ(bench.read(kStopi), 0u);
}

TEST(RiscvAia, VirtualPendingBitsAreThoseOfMip) {
  AiaBench bench;
  EXPECT_TRUE(bench.write(kMvien, ~u64{0}));
  EXPECT_EQ(bench.read(kMvien), 0u);
  EXPECT_TRUE(bench.write(kMvip, ~u64{0}));
  EXPECT_EQ(bench.read(kMvip), irq::kSupervisor);
  EXPECT_EQ(bench.read(kMip) & irq::kSupervisor, irq::kSupervisor);
  EXPECT_TRUE(bench.write(kMvip, 0));
  EXPECT_EQ(bench.read(kMip) & irq::kSsip, 0u);
}

}  // namespace
}  // namespace pagoda::riscv64
