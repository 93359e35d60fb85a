// SPDX-License-Identifier: MIT
// Whole machines on hand-assembled guests: power, console, interrupts, reset, harts, instruction counting.
#include <unistd.h>

#include "machines/tiny_guest.h"

namespace pagoda::test {
namespace {

TEST(TinyGuest, PowersOff) {
  Assembler a;
  a.power_off();
  const RunResult result = run_guest(base_config(), a.words());
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out, "");
}

// A program that runs in flash programs the other bank: each switch between memory and device is seen at once.
TEST(TinyGuest, RunsInFlashAndProgramsIt) {
  constexpr u64 kBank = 32 << 20, kOther = 0x2200'0000;
  const auto expect = [](Assembler& a, u64 value) {
    a.lw(t1, s0);
    a.li(t2, value);
    a.bne(t1, t2, "wrong");
  };
  const auto command = [](Assembler& a, u64 value) {
    a.li(t0, value);
    a.sw(t0, s0);
  };
  Assembler a;
  a.li(s0, kOther + 0x400);
  expect(a, 0);
  command(a, 0x20);  // erase
  command(a, 0xd0);
  expect(a, 0x0080'0080);
  command(a, 0xff);
  a.lw(t1, s0);
  a.addi(t2, zero, -1);
  a.bne(t1, t2, "wrong");
  command(a, 0x40);  // program
  command(a, 0x1234'5678);
  expect(a, 0x0080'0080);
  command(a, 0x50);
  expect(a, 0x1234'5678);
  a.li(s0, 0x2000'0000);  // its own bank is protected, and it goes on running from it
  a.lw(s1, s0);
  command(a, 0xff);
  a.lw(t1, s0);
  a.bne(t1, s1, "wrong");
  a.power_off();
  a.label("wrong");
  a.fail(1);
  const std::vector<u32> program = a.words();
  const TempFile code(program), variables;
  ASSERT_EQ(truncate(code.path().c_str(), kBank), 0);
  ASSERT_EQ(truncate(variables.path().c_str(), kBank), 0);
  MachineConfig config = base_config();
  config.firmware = FirmwareKind::none;
  config.drives = {{.id = "code", .file = code.path(), .readonly = true, .origin = "-drive"},
                   {.id = "vars", .file = variables.path(), .readonly = false, .origin = "-drive"}};
  config.pflash = {"code", "vars"};
  const RunResult result = run_guest(config, {0});
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.status, 0);
  const std::string content = variables.read();
  EXPECT_EQ(content.substr(0x3fc, 12), "\xff\xff\xff\xff\x78\x56\x34\x12\xff\xff\xff\xff");
}

TEST(TinyGuest, FailureCodeIsTheStatus) {
  Assembler a;
  a.fail(7);
  const RunResult result = run_guest(base_config(), a.words());
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.err, "pagoda: the guest reported failure code 7\n");
}

TEST(TinyGuest, FailureCodeIsNeverSuccess) {
  Assembler a;
  a.fail(0x100);
  EXPECT_EQ(run_guest(base_config(), a.words()).status, 255);
}

TEST(TinyGuest, ResetUnderNoReboot) {
  Assembler a;
  a.reset_machine();
  MachineConfig config = base_config();
  config.no_reboot = true;
  const RunResult result = run_guest(config, a.words());
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.err, "pagoda: the guest reset the machine (a panic, or a reboot) under -no-reboot\n");
}

// Zkr: the seed is the host's entropy, or with -icount a sequence that repeats.
TEST(TinyGuest, SeedsRepeatOnlyWithCountedTime) {
  Assembler a;
  for (u32 i = 0; i < 16; ++i) {
    a.word(0x0150'1573);  // csrrw a0, seed, zero
    a.andi(a0, a0, 0x7f);
    a.li(t0, kUartData);
    a.sb(a0, t0);
  }
  a.power_off();
  MachineConfig config = base_config();
  config.cpu.features = {{.name = "zkr", .enabled = true}};
  config.firmware = FirmwareKind::none;
  const auto seeds = [&] { return run_guest(config, a.words()).console; };
  const std::string first = seeds();
  EXPECT_EQ(first.size(), 16u);
  EXPECT_NE(first, seeds());
  config.icount = IcountConfig{.shift = 0, .sleep = false};
  const std::string counted = seeds();
  EXPECT_EQ(counted.size(), 16u);
  EXPECT_EQ(counted, seeds());
}

TEST(TinyGuest, WritesToTheSerialPort) {
  Assembler a;
  for (const char c : {'h', 'i', '\n'}) a.put_char(c);
  a.power_off();
  EXPECT_EQ(run_guest(base_config(), a.words()).console, "hi\n");
}

// What the reset ROM passes: hart id, device tree, firmware information.
TEST(TinyGuest, ResetRomArguments) {
  Assembler a;
  a.bne(a0, zero, "wrong");
  a.lbu(t0, a1);  // first byte of the tree's magic number
  a.addi(t1, zero, 0xd0);
  a.bne(t0, t1, "wrong");
  a.ld(t0, a2);  // magic of fw_dynamic_info
  a.li(t1, 0x4942534f);
  a.bne(t0, t1, "wrong");
  a.ld(t0, a2, 8);  // version
  a.addi(t1, zero, 2);
  a.bne(t0, t1, "wrong");
  a.power_off();
  a.label("wrong");
  a.fail(1);
  EXPECT_EQ(run_guest(base_config(), a.words()).status, 0);
}

// RAM outside of images survives a reset, images are as they were.
Assembler reset_guest() {
  Assembler a;
  a.li(s0, kRam + 0x10'0000);
  a.la(s1, "data");
  a.lw(a3, s1);
  a.addi(t0, zero, 77);
  a.bne(a3, t0, "not restored");
  a.ld(a4, s0);
  a.bne(a4, zero, "again");
  a.addi(t0, zero, 1);
  a.sd(t0, s0);
  a.sw(zero, s1);
  a.put_char('1');
  a.reset_machine();
  a.label("again");
  a.put_char('2');
  a.power_off();
  a.label("not restored");
  a.fail(3);
  a.label("data");
  a.word(77);
  return a;
}

TEST(TinyGuest, ResetRestoresImages) {
  const RunResult result = run_guest(base_config(), reset_guest().words());
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.console, "12");
}

TEST(TinyGuest, ResetUnderInstructionCounting) {
  MachineConfig config = base_config();
  config.icount = IcountConfig{.shift = 0, .sleep = false};
  const RunResult result = run_guest(config, reset_guest().words());
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.console, "12");
}

// Sleeps until the CLINT's timer, `ticks` from now.
Assembler timer_guest(u32 ticks) {
  Assembler a;
  a.li(s0, kMtimecmp0);
  a.li(s1, kMtime);
  a.ld(a3, s1);
  a.li(t0, ticks);
  a.add(a3, a3, t0);
  a.sd(a3, s0);
  a.addi(t0, zero, 1 << 7);
  a.csrw(mie, t0);
  a.wfi();
  a.csrr(t1, mip);
  a.beq(t1, zero, "early");
  a.ld(a4, s1);
  a.bltu(a4, a3, "early");
  a.power_off();
  a.label("early");
  a.fail(4);
  return a;
}

TEST(TinyGuest, WaitsForTheTimer) { EXPECT_EQ(run_guest(base_config(), timer_guest(20'000).words()).status, 0); }

TEST(TinyGuest, WaitsForTheTimerInVirtualTime) {
  MachineConfig config = base_config();
  config.icount = IcountConfig{.shift = 3, .sleep = false};
  // Six minutes, jumped over.
  EXPECT_EQ(run_guest(config, timer_guest(3'600'000'000).words()).status, 0);
  config.icount->sleep = true;
  EXPECT_EQ(run_guest(config, timer_guest(20'000).words()).status, 0);
}

// All harts count in; hart 0 then wakes the last one by a software interrupt, and that one powers off.
TEST(TinyGuest, FourHarts) {
  constexpr u32 kHarts = 4;
  Assembler a;
  a.li(s0, kRam + 0x10'0000);
  a.addi(t0, zero, 1 << 3);
  a.csrw(mie, t0);
  a.addi(t0, zero, 1);
  a.amoadd_d(zero, t0, s0);
  a.beq(a0, zero, "first");
  a.label("sleep");
  a.wfi();
  a.csrr(t0, mip);
  a.andi(t0, t0, 1 << 3);
  a.beq(t0, zero, "sleep");
  a.addi(t1, zero, kHarts - 1);
  a.bne(a0, t1, "wrong hart");
  a.power_off();
  a.label("wrong hart");
  a.fail(5);
  a.label("first");
  a.addi(t1, zero, kHarts);
  a.label("count");
  a.ld(t0, s0);
  a.bne(t0, t1, "count");
  a.li(s1, kClintBase);
  a.addi(t0, zero, 1);
  a.sw(t0, s1, 4 * (kHarts - 1));
  a.label("for ever");
  a.wfi();
  a.jump("for ever");
  MachineConfig config = base_config();
  config.smp = {.cpus = kHarts, .sockets = 1, .cores = kHarts, .threads = 1};
  EXPECT_EQ(run_guest(config, a.words()).status, 0);
}

// The time CSR follows the instruction count within a block too: with shift 0 a tick is 100 instructions.
TEST(InstructionCounting, TimeIsTheCount) {
  Assembler a;
  a.li(a3, 1000);
  a.addi(a4, zero, 100);
  a.label("again");
  a.addi(zero, zero, 0);
  a.csrr(t0, time_csr);
  a.csrr(t1, minstret);
  a.addi(t1, t1, -1);  // of the instruction before
  a.divu(t1, t1, a4);
  a.bne(t0, t1, "wrong");
  a.addi(a3, a3, -1);
  a.bne(a3, zero, "again");
  a.power_off();
  a.label("wrong");
  a.fail(6);
  MachineConfig config = base_config();
  config.icount = IcountConfig{.shift = 0, .sleep = false};
  EXPECT_EQ(run_guest(config, a.words()).status, 0);
}

// A timer interrupt is taken after exactly so many instructions as its time says.
TEST(InstructionCounting, InterruptsAreExact) {
  constexpr u32 kTick = 123;  // not a multiple of the loop's length
  Assembler a;
  a.la(t0, "handler");
  a.csrw(mtvec, t0);
  a.li(s0, kMtimecmp0);
  a.li(t0, kTick);
  a.sd(t0, s0);
  a.li(a3, kTick * 100);
  a.addi(t0, zero, 1 << 7);
  a.csrw(mie, t0);
  a.addi(t0, zero, 1 << 3);
  a.csrs(mstatus, t0);
  a.label("loop");
  for (int i = 0; i < 6; ++i) a.addi(a5, a5, 1);
  a.jump("loop");
  a.label("handler");
  a.csrr(t1, minstret);
  a.bne(t1, a3, "wrong");
  a.power_off();
  a.label("wrong");
  a.sub(t1, t1, a3);
  a.fail(8);
  {
    MachineConfig config = base_config();
    config.icount = IcountConfig{.shift = 0, .sleep = false};
    EXPECT_EQ(run_guest(config, a.words()).status, 0);
    config.accel.fusion = false;
    EXPECT_EQ(run_guest(config, a.words()).status, 0);
  }
}

// Runs with timers and RAM writes in it.
Assembler endless_guest() {
  Assembler a;
  a.la(t0, "handler");
  a.csrw(mtvec, t0);
  a.li(s0, kMtimecmp0);
  a.li(s1, kMtime);
  a.ld(a3, s1);
  a.addi(a3, a3, 13);
  a.sd(a3, s0);
  a.addi(t0, zero, 1 << 7);
  a.csrw(mie, t0);
  a.addi(t0, zero, 1 << 3);
  a.csrs(mstatus, t0);
  a.li(a2, kRam + 0x10'0000);
  a.label("loop");
  a.addi(a5, a5, 1);
  a.sd(a5, a2);
  a.addi(a2, a2, 1);
  a.jump("loop");
  a.label("handler");
  a.ld(a3, s1);
  a.addi(a3, a3, 29);
  a.sd(a3, s0);
  a.addi(a4, a4, 1);
  a.csrr(a1, minstret);
  a.mret();
  return a;
}

std::string hash_at(u64 count, bool fusion) {
  MachineConfig config = base_config();
  config.icount = IcountConfig{.shift = 0, .sleep = false, .stop_at = count};
  config.accel.fusion = fusion;
  const RunResult result = run_guest(config, endless_guest().words());
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(result.out.ends_with(fmt::format(" instructions: {}\n", count))) << result.out;
  EXPECT_TRUE(result.out.starts_with("state-hash: ")) << result.out;
  return result.out.substr(12, 16);
}

TEST(InstructionCounting, StateIsTheSameEachTime) {
  const std::string hash = hash_at(200'000, true);
  EXPECT_EQ(hash, hash_at(200'000, true));
  EXPECT_EQ(hash, hash_at(200'000, false));
  EXPECT_NE(hash, hash_at(200'001, true));
}

}  // namespace
}  // namespace pagoda::test
