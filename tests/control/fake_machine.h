// SPDX-License-Identifier: MIT
// A machine without a guest, for tests of what talks to machines: registers and memory are arrays, stops come at will.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "control/gdb_stub.h"

namespace pagoda::test {

struct FakeMachine {
  static constexpr u32 kVcpus = 2, kGeneral = 4, kRegisters = 8;
  static constexpr u64 kMemoryBase = 0x1000, kMemoryBytes = 0x1000;

  u64 registers[kVcpus][kRegisters] = {};
  std::vector<std::byte> memory = std::vector<std::byte>(kMemoryBytes);
  bool running = true;
  bool quit = false;
  std::vector<DebugAction> actions;
  std::vector<DebugPoint> points;
  std::string sent;
  std::optional<GdbStub> stub;

  FakeMachine() {
    stub.emplace(hooks(), monitor(), [this](std::string_view bytes) { sent += bytes; });
  }

  DebugHooks hooks() {
    DebugFeature feature{.name = "org.example.cpu", .types = "", .registers = {}};
    for (u32 i = 0; i < kRegisters; ++i) {
      feature.registers.push_back({fmt::format("r{}", i), i, 64, "int", "general"});
    }
    return {
        .vcpus = kVcpus,
        .architecture = "riscv:rv64",
        .general_registers = kGeneral,
        .features = {feature},
        .read_register =
            [this](u32 vcpu, u32 number, std::vector<u8>& out) {
              if (number >= kRegisters) return false;
              const auto* bytes = reinterpret_cast<const u8*>(&registers[vcpu][number]);
              out.insert(out.end(), bytes, bytes + 8);
              return true;
            },
        .write_register =
            [this](u32 vcpu, u32 number, std::span<const u8> bytes) {
              if (number >= kRegisters || bytes.size() != 8) return false;
              std::memcpy(&registers[vcpu][number], bytes.data(), 8);
              return true;
            },
        .read_memory =
            [this](u32, u64 address, std::span<std::byte> out, bool) {
              const u64 size = size_at(address, out.size());
              if (size != 0) std::memcpy(out.data(), &memory[address - kMemoryBase], size);
              return size;
            },
        .write_memory =
            [this](u32, u64 address, std::span<const std::byte> bytes, bool) {
              const u64 size = size_at(address, bytes.size());
              if (size != 0) std::memcpy(&memory[address - kMemoryBase], bytes.data(), size);
              return size;
            },
        .is_running = [this] { return running; },
        .stop = [this] { running = false; },
        .resume =
            [this](std::span<const DebugAction> wanted, std::span<const DebugPoint> with, bool) {
              actions.assign(wanted.begin(), wanted.end());
              points.assign(with.begin(), with.end());
              running = true;
            },
        .disassemble = [](u64, std::span<const u8> bytes, std::string&) { return bytes.empty() ? 0u : 1u; },
        .forget_points = [this] { points.clear(); },
        .quit = [this] { quit = true; },
    };
  }
  MonitorHooks monitor() {
    MonitorHooks hooks;
    hooks.is_running = [this] { return running; };
    hooks.registers = [](u32) { return std::string("registers\n"); };
    hooks.mappings = hooks.tlb = hooks.registers;
    hooks.devices = hooks.disks = hooks.chardevs = hooks.networks = hooks.name = hooks.memory_tree = hooks.vcpus =
        hooks.translation = [] { return std::string("text\n"); };
    hooks.stop = [this] { running = false; };
    hooks.cont = [this] { running = true; };
    hooks.system_reset = [] {};
    hooks.system_powerdown = [] { return std::string(); };
    hooks.quit = [this] { quit = true; };
    hooks.debug = this->hooks();
    return hooks;
  }
  static u64 size_at(u64 address, u64 size) {
    const u64 offset = address - kMemoryBase;
    return offset < kMemoryBytes ? std::min(size, kMemoryBytes - offset) : 0;
  }

  void receive(std::string_view bytes) { stub->receive({reinterpret_cast<const u8*>(bytes.data()), bytes.size()}); }
  void stop_at(const DebugStop& stop) {
    running = false;
    stub->stopped(stop);
  }
  // What is sent for a packet, frames and acknowledgements taken off.
  std::string ask(std::string_view data) {
    sent.clear();
    receive(gdb::frame(data));
    return last_packet();
  }
  std::string last_packet() const {
    const std::size_t begin = sent.rfind('$'), end = sent.rfind('#');
    if (begin == std::string::npos || end == std::string::npos || end < begin) return "(nothing)";
    return gdb::unescape(std::string_view(sent).substr(begin + 1, end - begin - 1));
  }
};

}  // namespace pagoda::test
