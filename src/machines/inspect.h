// SPDX-License-Identifier: MIT
// What a monitor, debugger or overlay may ask of a running machine.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"

namespace pagoda {

// Called on the main loop's thread; none may block for long. Texts end in a newline.
struct MonitorHooks {
  std::function<std::string(bool all_vcpus)> registers;
  std::function<std::string()> memory_tree;
  std::function<std::string()> vcpus;        // one line each
  std::function<std::string()> translation;  // statistics of the translator and its code
  std::function<bool()> is_running;
  std::function<void()> stop;
  std::function<void()> cont;
  std::function<void()> system_reset;
  std::function<std::string()> system_powerdown;  // empty, or why not
  std::function<void()> quit;
};

// A monitor's ear: bytes from its terminal, and that the terminal has turned to it (connected, or Ctrl-A C). Both are
// called on the main loop's thread.
struct MonitorSession {
  std::function<void(std::span<const u8>)> receive;
  std::function<void()> focus;
};
using StartMonitor = std::function<MonitorSession(MonitorHooks hooks, std::function<void(std::string_view)> write)>;

}  // namespace pagoda
