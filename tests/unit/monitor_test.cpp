// SPDX-License-Identifier: MIT
// The human monitor: commands and line editing.
#include "control/monitor.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace pagoda {
namespace {

class MonitorTest : public testing::Test {
 protected:
  std::string calls, screen;
  bool running = true;
  // One register, 256 bytes of memory that count up, instructions of two bytes.
  static DebugHooks debug_hooks() {
    DebugHooks hooks;
    hooks.vcpus = 2;
    hooks.features = {{"f", "", {{"pc", 0, 64, "int", "general"}}}};
    hooks.read_register = [](u32, u32, std::vector<u8>& out) {
      out.assign({0x10, 0, 0, 0, 0, 0, 0, 0});
      return true;
    };
    hooks.read_memory = [](u32, u64 address, std::span<std::byte> out, bool is_physical) {
      u64 done = 0;
      for (; done < out.size() && address + done < 256; ++done) {
        out[done] = static_cast<std::byte>(address + done + (is_physical ? 1 : 0));
      }
      return done;
    };
    hooks.disassemble = [](u64 pc, std::span<const u8> bytes, std::string& text) {
      text = fmt::format("insn at {:#x}", pc);
      return bytes.size() < 2 ? 0u : 2u;
    };
    return hooks;
  }
  Monitor monitor{MonitorHooks{
                      .registers = [](u32 vcpu) { return fmt::format("registers of {}\n", vcpu); },
                      .memory_tree = [] { return "ram\nuart\n"; },
                      .networks = [] { return "net0\n"; },
                      .name = [] { return "box\n"; },
                      .is_running = [this] { return running; },
                      .stop = [this] { calls += "stop "; },
                      .cont = [this] { calls += "cont "; },
                      .system_reset = [this] { calls += "reset "; },
                      .system_powerdown =
                          [this] {
                            calls += "powerdown ";
                            return std::string();
                          },
                      .quit = [this] { calls += "quit "; },
                      .debug = debug_hooks(),
                  },
                  [this](std::string_view text) { screen += text; }};
  void type(std::string_view text) { monitor.receive({reinterpret_cast<const u8*>(text.data()), text.size()}); }
};

TEST_F(MonitorTest, Commands) {
  for (const char* line : {"stop", "s", "cont", " c ", "system_reset", "system_powerdown", "quit", "q"}) {
    EXPECT_EQ(monitor.execute(line), "") << line;
  }
  EXPECT_EQ(calls, "stop stop cont cont reset powerdown quit quit ");
  EXPECT_EQ(monitor.execute(""), "");
}

TEST_F(MonitorTest, Info) {
  EXPECT_EQ(monitor.execute("info registers"), "CPU#0\nregisters of 0\n");
  EXPECT_EQ(monitor.execute("info registers 1"), "CPU#1\nregisters of 1\n");
  EXPECT_EQ(monitor.execute("info registers -a"), "CPU#0\nregisters of 0\n\nCPU#1\nregisters of 1\n");
  EXPECT_EQ(monitor.execute("cpu 1"), "");
  EXPECT_EQ(monitor.execute("info registers"), "CPU#1\nregisters of 1\n");
  EXPECT_EQ(monitor.execute("info  mtree "), "ram\nuart\n");
  EXPECT_EQ(monitor.execute("info network"), "net0\n");
  EXPECT_EQ(monitor.execute("info name"), "box\n");
  EXPECT_EQ(monitor.execute("info status"), "VM status: running\n");
  running = false;
  EXPECT_EQ(monitor.execute("info status"), "VM status: paused\n");
  EXPECT_EQ(monitor.execute("info version"), "Pagoda " PAGODA_VERSION "\n");
  EXPECT_NE(monitor.execute("info").find("info mtree -- "), std::string::npos);
}

TEST_F(MonitorTest, Memory) {
  EXPECT_EQ(monitor.execute("x 0x20"), "0000000000000020: 0x23222120\n");
  EXPECT_EQ(monitor.execute("xp 0x20"), "0000000000000020: 0x24232221\n");
  EXPECT_EQ(monitor.execute("x/2xg $pc"), "0000000000000010: 0x1716151413121110 0x1f1e1d1c1b1a1918\n");
  EXPECT_EQ(monitor.execute("x /2db 0xff - 1"), "00000000000000fe: -2 -1\n");
  EXPECT_EQ(monitor.execute("x/3cb 0x40+1"), "0000000000000041: 'A' 'B' 'C'\n");
  EXPECT_EQ(monitor.execute("x/5xw 0"),
            "0000000000000000: 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c\n0000000000000010: 0x13121110\n");
  EXPECT_EQ(monitor.execute("x/2i $pc+2"),
            "0x00000012:  1312              insn at 0x12\n0x00000014:  1514              insn at 0x14\n");
  EXPECT_EQ(monitor.execute("x/2ub 255"), "00000000000000ff: 255\n0000000000000100: Cannot access memory\n");
  EXPECT_EQ(monitor.execute("x/1i 0x100"), "0000000000000100: Cannot access memory\n");
  EXPECT_EQ(monitor.execute("x"), "an address is missing\n");
  EXPECT_EQ(monitor.execute("x $nothing"), "unknown register '$nothing'\n");
  EXPECT_EQ(monitor.execute("x 12z"), "'12z' is no number\n");
  EXPECT_EQ(monitor.execute("x 1 2"), "'2' is too much\n");
  EXPECT_EQ(monitor.execute("x/99999999x 0"), "'/99999999x': a count, one of xduoci and one of bhwg\n");
  EXPECT_EQ(monitor.execute("x/4q 0"), "'/4q': a count, one of xduoci and one of bhwg\n");
}

TEST_F(MonitorTest, HelpListsEveryCommand) {
  const std::string help = monitor.execute("help");
  for (const char* name : {"cont|c", "help|?", "info", "quit|q", "stop|s", "system_powerdown", "system_reset"}) {
    EXPECT_NE(help.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(monitor.execute("help quit"), "quit|q -- end the program\n");
  EXPECT_NE(monitor.execute("help info").find("info status -- "), std::string::npos);
}

TEST_F(MonitorTest, Mistakes) {
  EXPECT_EQ(monitor.execute("qiut"), "unknown command 'qiut'; did you mean 'quit'?\n");
  EXPECT_EQ(monitor.execute("info regsiters"), "unknown subject 'regsiters'; did you mean 'registers'?\n");
  EXPECT_EQ(monitor.execute("info registers x"), "'x': vcpus are 0 to 1\n");
  EXPECT_EQ(monitor.execute("quit now"), "'quit' takes no arguments\n");
  EXPECT_EQ(monitor.execute("help frobnicate"), "unknown command 'frobnicate'\n");
  EXPECT_EQ(calls, "");
}

TEST_F(MonitorTest, GreetsOnceAndEchoes) {
  monitor.focus();
  EXPECT_EQ(screen, "Pagoda " PAGODA_VERSION " monitor - type 'help' for more information\r\n(pagoda) ");
  screen.clear();
  monitor.focus();
  EXPECT_EQ(screen, "(pagoda) ");
  screen.clear();
  type("info status\r\n");  // one line end, not two
  EXPECT_EQ(screen, "info status\r\nVM status: running\r\n(pagoda) ");
}

TEST_F(MonitorTest, Editing) {
  type("stopx\x7f\r");
  EXPECT_EQ(calls, "stop ");
  type(
      "quit\x15"
      "cont\n");
  EXPECT_EQ(calls, "stop cont ");
  type("\x1b[A\r");  // the last line again
  EXPECT_EQ(calls, "stop cont cont ");
  type("\x1b[3~\x1bOCqu\x1b[Dit\r");  // other keys are left out
  EXPECT_EQ(calls, "stop cont cont quit ");
  type("\x7f\x7fstop\x03\r");
  EXPECT_EQ(calls, "stop cont cont quit ");
  type(std::string(5000, 'a') + "\r");
  EXPECT_NE(screen.find("unknown command"), std::string::npos);
}

}  // namespace
}  // namespace pagoda
