// SPDX-License-Identifier: MIT
// What a monitor, debugger or overlay may ask of a running machine.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "cpu/inspect.h"

namespace pagoda {

// A debugger's hold on the machine. Registers, memory and resume() only while it is stopped (is_running() is false);
// vcpus are numbered from 0. All on the main loop's thread.
struct DebugHooks {
  u32 vcpus = 0;
  std::string architecture;
  u32 general_registers = 0;  // registers 0 up to this one are what is asked for all the time
  std::vector<DebugFeature> features;
  std::function<bool(u32 vcpu, u32 number, std::vector<u8>& out)> read_register;
  std::function<bool(u32 vcpu, u32 number, std::span<const u8> bytes)> write_register;
  // As the vcpu maps virtual addresses now, whatever the permissions, or physical ones. Without side effects: device
  // registers are peeked at and not written. The number of bytes done, from the first on.
  std::function<u64(u32 vcpu, u64 address, std::span<std::byte> out, bool is_physical)> read_memory;
  std::function<u64(u32 vcpu, u64 address, std::span<const std::byte> bytes, bool is_physical)> write_memory;
  std::function<bool()> is_running;
  std::function<void()> stop;  // DebugSession::stopped is not called for it
  // Goes on with these break- and watchpoints until a vcpu meets one or has done its step; an entry of `actions` for
  // each vcpu. While one steps, virtual time stands still and it takes no interrupt, unless `steps_with_interrupts`.
  std::function<void(std::span<const DebugAction> actions, std::span<const DebugPoint> points,
                     bool steps_with_interrupts)>
      resume;
  // One instruction as text; the bytes it takes, 0 if there are too few.
  std::function<u32(u64 pc, std::span<const u8> bytes, std::string& text)> disassemble;
  std::function<void()> forget_points;  // the debugger is gone; a machine that runs goes on
  std::function<void()> quit;
};
struct DebugSession {
  std::function<void(std::span<const u8>)> receive;
  std::function<void(bool is_open)> connected;
  std::function<void(const DebugStop&)> stopped;  // the machine stopped by itself or by the monitor
  std::function<void(int status)> ended;          // the program ends with this exit status
};

// Called on the main loop's thread; none may block for long. Texts end in a newline.
struct MonitorHooks {
  std::function<std::string(u32 vcpu)> registers;
  std::function<std::string(u32 vcpu)> mappings;  // of its address space, as its page tables say
  std::function<std::string(u32 vcpu)> tlb;       // what its software TLB holds
  std::function<std::string()> memory_tree;
  std::function<std::string()> devices;
  std::function<std::string()> disks;
  std::function<std::string()> chardevs;
  std::function<std::string()> networks;
  std::function<std::string()> name;
  std::function<std::string()> vcpus;        // one line each
  std::function<std::string()> translation;  // statistics of the translator and its code
  std::function<bool()> is_running;
  std::function<void()> stop;
  std::function<void()> cont;
  std::function<void()> system_reset;
  std::function<std::string()> system_powerdown;  // empty, or why not
  std::function<void()> quit;
  DebugHooks debug;  // registers and memory, also while the machine runs (it is held for the moment)
};

// A monitor's ear: bytes from its terminal, and that the terminal has turned to it (connected, or Ctrl-A C). Both are
// called on the main loop's thread.
struct MonitorSession {
  std::function<void(std::span<const u8>)> receive;
  std::function<void()> focus;
};
using StartMonitor = std::function<MonitorSession(MonitorHooks hooks, std::function<void(std::string_view)> write)>;
using StartDebugger =
    std::function<DebugSession(DebugHooks hooks, MonitorHooks monitor, std::function<void(std::string_view)> write)>;

// The ways in from outside that a machine starts on character devices of its configuration.
struct Controls {
  StartMonitor monitor;         // for each of config.monitors
  StartDebugger debugger;       // for config.gdb
  std::function<void()> ready;  // called once the machine is built and about to run; may be empty
};

}  // namespace pagoda
