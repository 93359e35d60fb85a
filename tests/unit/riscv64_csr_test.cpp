// SPDX-License-Identifier: MIT
// CSRs: legal values of every field, access rules, counters, views.
#include "riscv64_bench.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstring>
#include <map>
#include <random>

namespace pagoda::riscv64 {
namespace {

constexpr u64 kOnes = ~u64{0};
constexpr u64 kFixedStatus = status::kUxl | status::kSxl;

TEST(RiscvCsr, EachFieldTakesOnlyLegalValues) {
  struct Row {
    u32 number;
    u64 after_ones, after_zeros;
  };
  const Row rows[] = {
      {0x100,
       status::kSie | status::kSpie | status::kSpp | status::kFs | status::kSum | status::kMxr | status::kUxl |
           status::kSd,
       status::kUxl},
      {0x105, ~u64{2}, 0},
      {0x106, 0x7ffff, 0},
      {0x10a, 0xf1, 0},
      {0x140, kOnes, 0},
      {0x141, ~u64{1}, 0},
      {0x142, kOnes, 0},
      {0x143, kOnes, 0},
      {0x14d, kOnes, 0},
      {0x300, status::kMachineWritable | kFixedStatus | status::kSd, kFixedStatus},
      {0x301, u64{2} << 62 | 0x14112d, u64{2} << 62 | 0x14112d},  // misa: acdfimsu
      {0x302, 0xb3ff, 0},
      {0x303, 0x222, 0},
      {0x304, 0xaaa, 0},
      {0x305, ~u64{2}, 0},
      {0x306, 0x7ffff, 0},
      {0x30a, u64{5} << 61 | 0xf1, 0},
      {0x320, 0x7fffd, 0},
      {0x323, 0, 0},
      {0x33f, 0, 0},
      {0x340, kOnes, 0},
      {0x341, ~u64{1}, 0},
      {0x342, kOnes, 0},
      {0x343, kOnes, 0},
      {0x3b0, (u64{1} << 54) - 1, 0},
      {0x3bf, (u64{1} << 54) - 1, 0},
      {0x7a0, 0, 0},
      {0x7a1, 0, 0},
      {0x7a4, 1, 1},
      {0xb03, kOnes, 0},
      {0xb12, kOnes, 0},
      {0xb13, 0, 0},
      {0xb1f, 0, 0},
  };
  for (const Row& row : rows) {
    Bench bench;
    EXPECT_TRUE(bench.write(row.number, kOnes)) << csr_name(row.number);
    EXPECT_EQ(bench.read(row.number), row.after_ones) << csr_name(row.number);
    EXPECT_TRUE(bench.write(row.number, 0)) << csr_name(row.number);
    EXPECT_EQ(bench.read(row.number), row.after_zeros) << csr_name(row.number);
  }
}

TEST(RiscvCsr, PmpConfigurationHasNoReservedValues) {
  Bench bench;
  // Bits 5 and 6 do not exist; W without R is not taken.
  ASSERT_TRUE(bench.write(0x3a2, 0x60'62'02'1a'1b'1f'05'06));
  EXPECT_EQ(bench.read(0x3a2), 0x00'00'00'18'1b'1f'05'04u);
}

TEST(RiscvCsr, ReservedPreviousPrivilegeIsNotTaken) {
  Bench bench;
  ASSERT_TRUE(bench.write(0x300, u64{1} << status::kMppShift));
  ASSERT_TRUE(bench.write(0x300, u64{2} << status::kMppShift | status::kSum));
  EXPECT_EQ(bench.read(0x300), kFixedStatus | u64{1} << status::kMppShift | status::kSum);
}

TEST(RiscvCsr, ReservedCacheBlockPolicyIsNotTaken) {
  Bench bench;
  for (const u32 csr : {0x10a, 0x30a}) {
    ASSERT_TRUE(bench.write(csr, u64{1} << envcfg::kCbieShift));
    ASSERT_TRUE(bench.write(csr, u64{2} << envcfg::kCbieShift));
    EXPECT_EQ(bench.read(csr), u64{1} << envcfg::kCbieShift) << csr_name(csr);
  }
}

TEST(RiscvCsr, FieldsOfAbsentExtensionsAreZero) {
  Bench bench("rv64,sstc=off,svadu=off,zicbom=off,zicboz=off,zihpm=off,d=off,f=off,c=off");
  ASSERT_TRUE(bench.write(0x30a, kOnes));
  EXPECT_EQ(bench.read(0x30a), envcfg::kFiom);
  ASSERT_TRUE(bench.write(0x10a, kOnes));
  EXPECT_EQ(bench.read(0x10a), envcfg::kFiom);
  ASSERT_TRUE(bench.write(0x300, kOnes));
  EXPECT_EQ(bench.read(0x300) & (status::kFs | status::kSd), 0u);
  ASSERT_TRUE(bench.write(0x341, kOnes));
  EXPECT_EQ(bench.read(0x341), ~u64{3});
  EXPECT_EQ(bench.read(0x301), u64{2} << 62 | 0x141101);
  EXPECT_FALSE(bench.readable(0x14d));
  EXPECT_FALSE(bench.readable(0x003));
  for (const u32 number : {0x106, 0x306}) {
    ASSERT_TRUE(bench.write(number, kOnes));
    EXPECT_EQ(bench.read(number), 7u);
  }
  for (const u32 number : {0x303, 0x304, 0x344}) {
    ASSERT_TRUE(bench.write(number, kOnes));
    EXPECT_EQ(bench.read(number) >> irq::kLcofi, 0u);
  }
  for (const u32 number : {0x015, 0x747, 0x30c, 0x10c, 0x321, 0x322, 0xda0, 0xc03}) {
    EXPECT_FALSE(bench.readable(number)) << csr_name(number);
    EXPECT_FALSE(bench.writable(number)) << csr_name(number);
  }
}

// Each extension alone: with it there is a register, or a bit of menvcfg after reset, and with it off there is none.
TEST(RiscvCsr, ComeAndGoWithTheirExtension) {
  constexpr std::pair<const char*, u32> kRegisters[] = {{"zicntr", 0xc00},    {"zicntr", 0xc02},    {"sstc", 0x14d},
                                                        {"zihpm", 0xc03},     {"zkr", 0x015},       {"zkr", 0x747},
                                                        {"smcntrpmf", 0x321}, {"smstateen", 0x30c}, {"sscofpmf", 0xda0},
                                                        {"smaia", 0x350},     {"ssaia", 0x150}};
  for (const auto& [name, number] : kRegisters) {
    const auto there = [&](const char* state) {
      Bench bench(fmt::format("max,{}={}", name, state));
      return bench.readable(number) || bench.writable(number);
    };
    EXPECT_TRUE(there("on")) << name << " " << csr_name(number);
    EXPECT_FALSE(there("off")) << name << " " << csr_name(number);
  }
  constexpr std::pair<const char*, u64> kSwitches[] = {
      {"svadu", envcfg::kAdue}, {"svpbmt", envcfg::kPbmte}, {"sstc", envcfg::kStce}};
  for (const auto& [name, bit] : kSwitches) {
    for (const bool on : {false, true}) {
      Bench bench(fmt::format("max,{}={}", name, on ? "on" : "off"));
      ASSERT_TRUE(bench.write(0x30a, kOnes));
      EXPECT_EQ((bench.read(0x30a) & bit) != 0, on) << name;
    }
  }
  // Svade has no register: it turns hardware updates off until the firmware asks for them.
  EXPECT_EQ(Bench("max,svade=on").read(0x30a) & envcfg::kAdue, 0u);
  EXPECT_NE(Bench("max,svade=off").read(0x30a) & envcfg::kAdue, 0u);
}

TEST(RiscvCsr, AddressTranslationModesThatDoNotExistChangeNothing) {
  Bench bench;
  const u64 sv48 = u64{9} << 60 | u64{0xffff} << 44 | 0x80123;
  ASSERT_TRUE(bench.write(0x180, sv48));
  EXPECT_EQ(bench.read(0x180), sv48);
  for (const u64 mode : {1, 2, 7, 11, 15}) {
    ASSERT_TRUE(bench.write(0x180, mode << 60 | 0x1));
    EXPECT_EQ(bench.read(0x180), sv48) << mode;
  }
  for (const u64 mode : {8, 10, 0}) {
    ASSERT_TRUE(bench.write(0x180, mode << 60));
    EXPECT_EQ(bench.read(0x180), mode << 60);
  }
}

TEST(RiscvCsr, NumbersDecideWhoMayDoWhat) {
  Bench bench("rv64,smaia=on,ssaia=on,zkr=on,smstateen=on,sscofpmf=on,smcntrpmf=on");
  bench.write(0x300, status::kFs);
  bench.write(0x306, kOnes);
  bench.write(0x106, kOnes);
  bench.write(0x747, seccfg::kUseed | seccfg::kSseed);
  for (u32 number = 0x30c; number < 0x310; ++number) bench.write(number, kOnes);
  bench.write(0x30a, envcfg::kStce);
  for_each_csr([&](u32 number, const std::string& name) {
    // These are there with interrupt files only (riscv64_aia_test.cpp).
    if (name == "seed") return;  // may not be read alone (riscv64_counter_test.cpp)
    if (name == "sireg" || name == "stopei" || name == "mireg" || name == "mtopei") return;
    for (const Mode mode : {Mode::user, Mode::supervisor, Mode::machine}) {
      bench.set_mode(mode);
      const u32 needed = number >> 8 & 3;
      bool allowed = static_cast<u32>(mode) >= needed;
      // Counters that are not there cannot be enabled below machine mode.
      if (number >= 0xc13 && number <= 0xc1f && mode != Mode::machine) allowed = false;
      EXPECT_EQ(bench.readable(number), allowed) << name << " in mode " << static_cast<u32>(mode);
      EXPECT_EQ(bench.writable(number), allowed && number >> 10 != 3) << name << " in mode " << static_cast<u32>(mode);
    }
  });
}

TEST(RiscvCsr, WhatDoesNotExistIsIllegal) {
  Bench bench;
  bench.write(0x300, status::kFs);
  for (const u32 number : {0x3a1, 0x3a3, 0x3a4, 0x3c0, 0x747, 0x310, 0x600, 0xc80, 0x008, 0x5a8, 0x7a5, 0x7b0, 0xb01,
                           0xfff, 0x110, 0x310, 0xdb1}) {
    EXPECT_FALSE(bench.readable(number)) << number;
  }
  u64 old = 77;
  EXPECT_FALSE(csr_instruction(bench.context(), 0x747, CsrOp::write, true, true, 1, &old));
  EXPECT_FALSE(csr_instruction(bench.context(), 0xc00, CsrOp::set, true, true, 0, &old));
  EXPECT_TRUE(csr_instruction(bench.context(), 0xc00, CsrOp::set, true, false, 0, &old));
}

TEST(RiscvCsr, SwitchesGateAccess) {
  Bench bench;
  EXPECT_FALSE(bench.readable(0x001)) << "FS is Off";
  bench.write(0x300, u64{1} << status::kFsShift);
  EXPECT_TRUE(bench.readable(0x001));

  bench.set_mode(Mode::supervisor);
  EXPECT_TRUE(bench.readable(0x180));
  bench.hart().mstatus |= status::kTvm;
  EXPECT_FALSE(bench.readable(0x180));

  EXPECT_FALSE(bench.readable(0xc01));
  bench.hart().mcounteren = 2;
  EXPECT_TRUE(bench.readable(0xc01));
  EXPECT_FALSE(bench.readable(0xc00));
  EXPECT_FALSE(bench.readable(0x14d)) << "STCE is clear";
  bench.hart().menvcfg |= envcfg::kStce;
  EXPECT_TRUE(bench.readable(0x14d));
  bench.hart().mcounteren = 5;
  EXPECT_FALSE(bench.readable(0x14d));
  bench.set_mode(Mode::user);
  EXPECT_FALSE(bench.readable(0xc00));
  bench.hart().scounteren = 1;
  EXPECT_TRUE(bench.readable(0xc00));
  bench.hart().mcounteren = 0;
  EXPECT_FALSE(bench.readable(0xc00));
  bench.set_mode(Mode::machine);
  EXPECT_TRUE(bench.readable(0xc00));
  EXPECT_TRUE(bench.readable(0x14d));
}

TEST(RiscvCsr, SupervisorViewsShowWhatIsDelegated) {
  Bench bench;
  bench.write(0x304, irq::kAll);
  EXPECT_EQ(bench.read(0x104), 0u);
  bench.write(0x303, irq::kSsip | irq::kSeip);
  EXPECT_EQ(bench.read(0x104), irq::kSsip | irq::kSeip);
  bench.write(0x104, 0);
  EXPECT_EQ(bench.read(0x304), irq::kAll & ~(irq::kSsip | irq::kSeip));

  bench.write(0x344, irq::kAll);
  EXPECT_EQ(bench.read(0x344), irq::kSupervisor) << "machine bits are the platform's";
  EXPECT_EQ(bench.read(0x144), irq::kSsip | irq::kSeip);
  bench.write(0x144, 0);
  EXPECT_EQ(bench.read(0x344), irq::kStip | irq::kSeip) << "only SSIP is the supervisor's to write";

  bench.write(0x100, kOnes);
  EXPECT_EQ(bench.read(0x300), status::kSupervisorWritable | kFixedStatus | status::kSd);
}

TEST(RiscvCsr, TheExternalPinTakesNoPartInReadModifyWrite) {
  Bench bench;
  bench.port->set_irq(irq::kSei, true);
  EXPECT_EQ(bench.read(0x344), irq::kSeip);
  ASSERT_TRUE(bench.access(0x344, CsrOp::set, irq::kSsip));
  bench.port->set_irq(irq::kSei, false);
  EXPECT_EQ(bench.read(0x344), irq::kSsip);
  ASSERT_TRUE(bench.access(0x344, CsrOp::set, irq::kSeip));
  bench.port->set_irq(irq::kSei, true);
  ASSERT_TRUE(bench.access(0x344, CsrOp::clear, irq::kSeip));
  EXPECT_EQ(bench.read(0x344), irq::kSsip | irq::kSeip);
  bench.port->set_irq(irq::kSei, false);
  EXPECT_EQ(bench.read(0x344), irq::kSsip);
}

TEST(RiscvCsr, CountersCountWhatRetiredAndStopOnRequest) {
  Bench bench;
  const auto at = [&](u64 retired, u32 csr, CsrOp op, bool writes, u64 value) {
    u64 old = 0;
    const CsrContext context{*bench.vcpu, bench.hart(), retired, false};
    EXPECT_TRUE(csr_instruction(context, csr, op, true, writes, value, &old));
    return old;
  };
  EXPECT_EQ(at(10, 0xb02, CsrOp::write, true, 100), 10u);
  EXPECT_EQ(at(11, 0xb02, CsrOp::set, false, 0), 100u) << "the write is not counted";
  EXPECT_EQ(at(15, 0xc02, CsrOp::set, false, 0), 104u);
  EXPECT_EQ(at(15, 0xc00, CsrOp::set, false, 0), 15u) << "cycle is its own counter";
  at(20, 0x320, CsrOp::write, true, 4);
  EXPECT_EQ(at(30, 0xc02, CsrOp::set, false, 0), 110u);
  EXPECT_EQ(at(30, 0xc00, CsrOp::set, false, 0), 30u);
  at(30, 0xb02, CsrOp::write, true, 7);
  EXPECT_EQ(at(50, 0xc02, CsrOp::set, false, 0), 7u);
  at(60, 0x320, CsrOp::write, true, 0);
  EXPECT_EQ(at(61, 0xc02, CsrOp::set, false, 0), 7u);
  EXPECT_EQ(at(71, 0xc02, CsrOp::set, false, 0), 17u);
}

TEST(RiscvCsr, TimeIsTheVirtualClockInTicks) {
  Bench bench;
  bench.now_ns = 12345;
  EXPECT_EQ(bench.read(0xc01), 123u);
  bench.port->set_time_offset(1000);
  EXPECT_EQ(bench.read(0xc01), 1123u);
}

TEST(RiscvCsr, FloatingPointStateIsOneRegisterInThreeViews) {
  Bench bench;
  bench.write(0x300, u64{1} << status::kFsShift);
  ASSERT_TRUE(bench.write(0x003, 0xffff));
  EXPECT_EQ(bench.read(0x003), 0xffu);
  EXPECT_EQ(bench.read(0x001), 0x1fu);
  EXPECT_EQ(bench.read(0x002), 7u);
  EXPECT_EQ(bench.read(0x300) & (status::kFs | status::kSd), status::kFs | status::kSd);
  ASSERT_TRUE(bench.write(0x001, 0x0a));
  ASSERT_TRUE(bench.write(0x002, 3));
  EXPECT_EQ(bench.read(0x003), 0x6au);
  ASSERT_TRUE(bench.write(0x002, 4));
  EXPECT_EQ(bench.read(0x001), 0x0au) << "a new rounding mode keeps the flags";
}

// In code: all forms, as one block under FS Dirty and under FS Initial, where the first write ends it.
TEST(RiscvCsr, CodeReadsAndWritesTheFloatingPointFlags) {
  constexpr u64 kInitial = u64{1} << 13;
  for (const u64 fs : {kInitial, u64{status::kFs}}) {
    Bench bench;
    bench.write(0x300, fs);
    constexpr u32 kA0 = 10, kA1 = 11;
    const auto csr = [](u32 f3, u32 rd, u32 rs1) { return 1u << 20 | rs1 << 15 | f3 << 12 | rd << 7 | 0x73; };
    u64 at = kRam;
    for (const u32 word : {csr(5, 0, 0b10110), csr(2, 12, 0), csr(2, 13, kA0), csr(3, 14, kA1), csr(1, 15, kA0),
                           csr(1, kA0, kA0), csr(6, 16, 0b00100), csr(7, 17, 0b01000), csr(2, 18, 0), 0x6fu}) {
      bench.store32(at, word);
      at += 4;
    }
    u64* x = bench.hart().x;
    x[kA0] = ~u64{0} << 32 | 0b01001;
    x[kA1] = 0b10001;
    bench.hart().pc = kRam;
    ASSERT_EQ(bench.vcpu->run(20), Vcpu::Stop::budget);
    EXPECT_EQ(x[12], 0b10110u);
    EXPECT_EQ(x[13], 0b10110u);
    EXPECT_EQ(x[14], 0b11111u);
    EXPECT_EQ(x[15], 0b01110u);
    EXPECT_EQ(x[kA0], 0b01001u);
    EXPECT_EQ(x[16], 0b01001u);
    EXPECT_EQ(x[17], 0b01101u);
    EXPECT_EQ(x[18], 0b00101u);
    EXPECT_EQ(bench.hart().mstatus & status::kFs, status::kFs);
  }
}

TEST(RiscvCsr, ResetPutsEveryRegisterBack) {
  Bench bench;
  std::vector<std::pair<u32, u64>> fresh;
  for_each_csr([&](u32 number, const std::string&) { fresh.emplace_back(number, bench.read(number)); });
  bench.write(0x300, status::kFs);
  for (const auto& [number, value] : fresh) {
    if (number >> 10 != 3) bench.write(number, number == 0x180 ? u64{8} << 60 : 0x1357'9bdf'1357'9bdf);
  }
  bench.vcpu->reset();
  for (const auto& [number, value] : fresh) EXPECT_EQ(bench.read(number), value) << csr_name(number);
  EXPECT_EQ(bench.read(0x30a), envcfg::kAdue);
}

// An instruction that may stand inside a block must leave mode key and context alone and enable no interrupt.
TEST(RiscvCsr, PlainAccessesChangeNoMode) {
  std::mt19937_64 random(1);
  u32 plain = 0;
  std::vector<u32> numbers;
  for_each_csr([&](u32 number, const std::string&) { numbers.push_back(number); });
  Bench bench;
  for (u32 i = 0; i < 20000; ++i) {
    if (i % 50 == 0) {
      bench.vcpu->reset();
      bench.set_mode(Mode::machine);
      bench.hart().mstatus = random() & status::kMachineWritable & ~status::kMpp;
      bench.hart().mie = random() & irq::kAll;
      bench.hart().mideleg = random() & irq::kSupervisor;
      bench.hart().pins = random() & irq::kAll & ~irq::kStip;
      bench.hart().menvcfg = random() & (envcfg::kStce | envcfg::kAdue);
      constexpr Mode modes[] = {Mode::user, Mode::supervisor, Mode::machine};
      bench.set_mode(modes[random() % 3]);
    }
    const u32 number = numbers[random() % numbers.size()];
    const auto op = static_cast<CsrOp>(random() % 3 + 1);
    const bool immediate = random() % 2 != 0;
    const u64 source = immediate ? random() % 32 : random();
    const u32 mode = bench.hart().mode;
    if (csr_ends_block(number, op, true, immediate ? source : ~u64{0}, mode)) {
      bench.access(number, op, source);
      continue;
    }
    const u64 context = context_key(bench.hart());
    const bool takes_interrupt = interrupt_to_take(bench.hart()) >= 0;
    if (!bench.access(number, op, source)) continue;
    ++plain;
    ASSERT_EQ(bench.hart().mode, mode) << csr_name(number);
    ASSERT_EQ(mode_key(bench.hart()), mode) << csr_name(number);
    ASSERT_EQ(context_key(bench.hart()), context) << csr_name(number);
    ASSERT_TRUE(takes_interrupt || interrupt_to_take(bench.hart()) < 0) << csr_name(number);
  }
  EXPECT_GT(plain, 1000u);
}

// Saves by name, restores into another hart.
struct Record final : StateVisitor {
  std::map<std::string, u64, std::less<>> values;
  bool restoring = false;
  void scalar(std::string_view name, void* data, u32 size) override {
    if (restoring) {
      std::memcpy(data, &values.find(name)->second, size);
      return;
    }
    u64 value = 0;
    std::memcpy(&value, data, size);
    EXPECT_TRUE(values.emplace(name, value).second) << name;
  }
  void bytes(std::string_view, std::vector<u8>*) override {}
};

TEST(RiscvCsr, TheStateListCarriesAWholeHart) {
  Bench from, to;
  std::mt19937_64 random(2);
  from.write(0x300, status::kFs);
  for_each_csr([&](u32 number, const std::string&) {
    if (number >> 10 != 3 && number != 0x300) from.write(number, random());
  });
  from.write(0x180, u64{8} << 60 | u64{5} << 44 | 0x80100);
  from.write(0x300, status::kFs | status::kMprv | status::kSum | u64{1} << status::kMppShift);
  for (u32 i = 1; i < 32; ++i) from.hart().x[i] = random();
  for (u64& value : from.hart().f) value = random();
  from.hart().pc = kRam + 0x123;
  from.port->set_irq(irq::kMei, true);
  from.port->set_time_offset(77);
  from.set_mode(Mode::supervisor);

  Record record;
  visit_hart(*from.vcpu, record);
  record.restoring = true;
  visit_hart(*to.vcpu, record);
  hart_restored(*to.vcpu);
  for_each_csr([&](u32 number, const std::string& name) { EXPECT_EQ(to.read(number), from.read(number)) << name; });
  EXPECT_TRUE(std::equal(from.hart().x, from.hart().x + 32, to.hart().x));
  EXPECT_TRUE(std::equal(from.hart().f, from.hart().f + 32, to.hart().f));
  EXPECT_EQ(to.hart().pc, from.hart().pc);
  EXPECT_EQ(to.hart().mode, from.hart().mode);
  EXPECT_EQ(to.hart().memory_mode, from.hart().memory_mode);
  EXPECT_EQ(to.hart().fp_control, from.hart().fp_control);
  EXPECT_EQ(to.clock.next_deadline(), from.clock.next_deadline());
}

TEST(RiscvCsr, TheHelperDecodesItsImmediate) {
  Bench bench;
  const u64 word = u64{0x34011073} << 32;
  bench.hart().mscratch = 5;
  const u64 imm = 0x340 | u64{2} << 12 | u64{1} << 14 | u64{1} << 15 | word;
  EXPECT_EQ(bench.helper(HelperId::csr_plain, 8, 0, 0, imm), 5u);
  EXPECT_EQ(bench.hart().mscratch, 13u);
  bench.helper(HelperId::csr_plain, 1, 0, 0, 0x340 | u64{3} << 12 | u64{1} << 14 | word);
  EXPECT_EQ(bench.hart().mscratch, 13u) << "the write bit is clear";
  bench.set_mode(Mode::user);
  bench.helper(HelperId::csr_access, 8, 0, 0, imm);
  EXPECT_TRUE(bench.faulted());
  EXPECT_EQ(bench.hart().fault_cause, cause::kIllegal);
  EXPECT_EQ(bench.hart().fault_value, 0x34011073u);
}

}  // namespace
}  // namespace pagoda::riscv64
