// SPDX-License-Identifier: MIT
// The human monitor: commands and line editing.
#include "control/monitor.h"

#include <gtest/gtest.h>

namespace pagoda {
namespace {

class MonitorTest : public testing::Test {
 protected:
  std::string calls, screen;
  bool running = true;
  Monitor monitor{MonitorHooks{
                      .registers = [](bool all) { return all ? "all registers\n" : "registers of 0\n"; },
                      .memory_tree = [] { return "ram\nuart\n"; },
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
  EXPECT_EQ(monitor.execute("info registers"), "registers of 0\n");
  EXPECT_EQ(monitor.execute("info registers -a"), "all registers\n");
  EXPECT_EQ(monitor.execute("info  mtree "), "ram\nuart\n");
  EXPECT_EQ(monitor.execute("info status"), "VM status: running\n");
  running = false;
  EXPECT_EQ(monitor.execute("info status"), "VM status: paused\n");
  EXPECT_EQ(monitor.execute("info version"), "Pagoda " PAGODA_VERSION "\n");
  EXPECT_NE(monitor.execute("info").find("info mtree -- "), std::string::npos);
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
  EXPECT_EQ(monitor.execute("info registers x"), "only -a is known: the registers of all vcpus\n");
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
