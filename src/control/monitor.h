// SPDX-License-Identifier: MIT
// The human monitor: a line editor over a terminal and a table of commands.
//
// Threading: the main loop's thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "machines/inspect.h"

namespace pagoda {

// What a monitor's commands work on.
struct MonitorState {
  MonitorHooks hooks;
  u32 vcpu = 0;  // that commands are about: "cpu N"
};

class Monitor {
 public:
  Monitor(MonitorHooks hooks, std::function<void(std::string_view)> write)
      : state_{std::move(hooks)}, write_(std::move(write)) {}

  // The terminal has turned to the monitor: greets the first time, then prompts.
  void focus();
  void receive(std::span<const u8> bytes);
  // Runs one line without the terminal; the result ends in a newline unless it is empty.
  std::string execute(std::string_view line);

 private:
  void key(u8 byte);
  void prompt();
  void run_line();

  MonitorState state_;
  std::function<void(std::string_view)> write_;
  std::string line_;
  std::string last_line_;
  enum class Escape { none, started, sequence } escape_ = Escape::none;
  bool after_return_ = false;
  bool greeted_ = false;
};

// A StartMonitor for run_machine.
MonitorSession start_monitor(MonitorHooks hooks, std::function<void(std::string_view)> write);

}  // namespace pagoda
