// SPDX-License-Identifier: MIT
// A program for tests/unit/terminal_test.py: the command line's consoles, the monitor and the quit signals around a
// "guest" that echoes what it gets in upper case and obeys a few control bytes:
//   Ctrl-E  prints 1.8 MB of numbered lines      Ctrl-F  aborts      Ctrl-G  says "ready"      Ctrl-P  powers off
#include <cstdio>
#include <cstdlib>

#include "base/quit_signals.h"
#include "cli/parse.h"
#include "control/monitor.h"
#include "devices/serial/chardev.h"

namespace pagoda {
namespace {

void say(CharBackend& port, std::string_view text) {
  port.write({reinterpret_cast<const u8*>(text.data()), text.size()});
}

class Probe {
 public:
  explicit Probe(const MachineConfig& config) : config_(config) {}

  int run() {
    const QuitSignals signals(loop_, [this](int signal, int sender) {
      fmt::print(stderr, "pagoda: terminating on signal {}{}\n", signal, sender != 0 ? " from a process" : "");
      quit(128 + signal);
    });
    CharDevices devices(loop_, [this] { quit(0); });
    for (const CharSpec& spec : config_.chardevs) {
      if (const auto opened = devices.open(spec); !opened) {
        fmt::print(stderr, "pagoda: {}\n", opened.error().message);
        return 1;
      }
    }
    for (const std::string& id : config_.serials) connect_guest(devices, id);
    for (const std::string& id : config_.monitors) connect_monitor(devices, id);
    devices.start();
    loop_.run();
    return status_;
  }

 private:
  void quit(int status) {
    status_ = status;
    loop_.stop();
  }
  void connect_guest(CharDevices& devices, const std::string& id) {
    CharBackend& port = devices.attach(id, [this](std::function<void()> event) { loop_.post(std::move(event)); });
    port.set_event_handler([&port](CharEvent event) {
      if (event == CharEvent::break_received) say(port, "<break>");
    });
    port.set_receiver([this, &port](std::span<const u8> bytes) {
      for (const u8 byte : bytes) guest_byte(port, byte);
      return bytes.size();
    });
  }
  void guest_byte(CharBackend& port, u8 byte) {
    if (byte == 0x05) {
      for (int i = 0; i < 200000; ++i) say(port, fmt::format("{:08}\n", i));
    } else if (byte == 0x06) {
      std::abort();
    } else if (byte == 0x07) {
      say(port, "ready\n");
    } else if (byte == 0x10) {
      quit(0);
    } else {
      say(port, std::string(1, static_cast<char>(toupper(byte))));
    }
  }
  void connect_monitor(CharDevices& devices, const std::string& id) {
    CharBackend& port = devices.attach_to_loop(id);
    const MonitorSession session = start_monitor({.registers = [](bool) { return "none\n"; },
                                                  .memory_tree = [] { return "none\n"; },
                                                  .is_running = [] { return true; },
                                                  .stop = [] {},
                                                  .cont = [] {},
                                                  .system_reset = [] {},
                                                  .system_powerdown = [] { return std::string(); },
                                                  .quit = [this] { quit(0); }},
                                                 [&port](std::string_view text) { say(port, text); });
    port.set_receiver([session](std::span<const u8> bytes) {
      session.receive(bytes);
      return bytes.size();
    });
    port.set_event_handler([session](CharEvent event) {
      if (event == CharEvent::focus) session.focus();
    });
  }

  const MachineConfig& config_;
  EventLoop loop_;
  int status_ = 0;
};

}  // namespace
}  // namespace pagoda

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  const auto parsed = pagoda::cli::parse(arguments);
  if (!parsed) {
    fmt::print(stderr, "pagoda: {}\n", parsed.error().message);
    return 1;
  }
  return pagoda::Probe(parsed->config).run();
}
