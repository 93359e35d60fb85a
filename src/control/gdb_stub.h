// SPDX-License-Identifier: MIT
// GdbStub: one debugger's session over the GDB remote serial protocol. vcpus are threads 1, 2, ...; all of them stop
// together.
//
// Nothing of what a debugger sends is trusted: bad packets get an error reply. A packet for a running machine stops it
// first, as in QEMU. Threading: the main loop's thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/gdb_packet.h"
#include "control/monitor.h"
#include "machines/inspect.h"

namespace pagoda {

class GdbStub {
 public:
  GdbStub(DebugHooks hooks, MonitorHooks monitor, std::function<void(std::string_view)> write);

  void receive(std::span<const u8> bytes);
  void connected(bool is_open);
  void stopped(const DebugStop& stop);
  void ended(int status);

 private:
  using Handler = std::string (GdbStub::*)(std::string_view rest);
  struct Row {
    std::string_view begin;
    Handler handler;
  };
  static const Row kRows[];
#define PAGODA_GDB_PACKET(begin, handler, meaning) std::string handler(std::string_view rest);
#include "control/gdb_packets.def"
#undef PAGODA_GDB_PACKET

  void on_event(const gdb::PacketReader::Event& event);
  std::string reply_to(std::string_view packet);
  void send(std::string_view data);
  void stop_silently();
  std::string stop_reply() const;
  void resume(std::vector<DebugAction> actions);
  std::string resume_current(std::string_view rest, DebugAction action, bool has_signal);
  // A thread id: -1 (all) or 0 (any) are the caller's to understand. Nothing: no number.
  static std::optional<i64> take_thread(std::string_view& text);
  bool is_thread(i64 id) const { return id >= 1 && id <= static_cast<i64>(hooks_.vcpus); }
  std::optional<DebugPoint> parse_point(std::string_view rest) const;
  std::string write_memory(u64 address, std::span<const u8> bytes);

  DebugHooks hooks_;
  Monitor monitor_;
  std::function<void(std::string_view)> write_;
  gdb::PacketReader reader_;
  std::string description_;  // the target description
  std::string last_sent_;
  bool acknowledges_ = true;
  bool owes_stop_reply_ = false;  // the debugger resumed the machine and waits
  bool no_reply_ = false;         // set by a handler whose packet gets none now
  bool is_open_ = false;
  bool is_physical_ = false;
  u32 step_bits_ = 7;  // 1: steps at all; 2: without interrupts; 4: without the passing of time
  u32 current_ = 0;    // vcpu of register and memory packets
  u32 resumed_ = 0;    // vcpu of c and s
  bool resumes_all_ = true;
  DebugStop last_stop_{.kind = DebugStop::Kind::asked};
  std::vector<DebugPoint> points_;
};

// A StartDebugger for run_machine.
DebugSession start_gdb_stub(DebugHooks hooks, MonitorHooks monitor, std::function<void(std::string_view)> write);

}  // namespace pagoda
