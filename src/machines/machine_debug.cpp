// SPDX-License-Identifier: MIT
// A machine under a debugger: stops, resumption with break- and watchpoints, and memory without side effects.
#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "machines/machine.h"

namespace pagoda {
namespace {

bool has_watchpoint(std::span<const DebugPoint> points, const DebugStop& stop) {
  return std::ranges::any_of(points, [&](const DebugPoint& point) {
    return !point.is_break() && point.kind == stop.point && stop.address - point.address < point.size;
  });
}

}  // namespace

// The physical address of a byte and how many bytes from it on lie in the same page.
struct Machine::DebugPiece {
  GuestPhys address;
  u64 size = 0;  // 0: not mapped
};
Machine::DebugPiece Machine::debug_piece(u32 vcpu, u64 address, u64 size, bool is_physical) {
  const u64 room = std::min(size, kPageSize - (address & ~kPageMask));
  if (is_physical) return {GuestPhys(address), room};
  const auto translated = vcpus_[vcpu]->guest().debug->translate(*vcpus_[vcpu], GuestVirt(address));
  return translated ? DebugPiece{*translated, room} : DebugPiece{};
}

u64 Machine::debug_read(u32 vcpu, u64 address, std::span<std::byte> out, bool is_physical) {
  u64 done = 0;
  while (done < out.size()) {
    const DebugPiece piece = debug_piece(vcpu, address + done, out.size() - done, is_physical);
    const GuestMemory::Range* range = piece.size != 0 ? memory_.find(piece.address) : nullptr;
    if (range == nullptr) break;
    const u64 offset = piece.address.value - range->start;
    u64 size = std::min(piece.size, range->size - offset);
    if (range->is_ram()) {
      if (!memory_.read(piece.address, out.subspan(done, size))) break;
    } else {
      const u64 at = range->mmio_offset + offset;
      u32 step = 8;
      while (step > size || (at & (step - 1)) != 0) step /= 2;
      const u64 value = range->mmio->peek(at, step);
      for (u32 i = 0; i < step; ++i) out[done + i] = static_cast<std::byte>(value >> (8 * i));
      size = step;
    }
    done += size;
  }
  return done;
}

u64 Machine::debug_write(u32 vcpu, u64 address, std::span<const std::byte> bytes, bool is_physical) {
  u64 done = 0;
  while (done < bytes.size()) {
    const DebugPiece piece = debug_piece(vcpu, address + done, bytes.size() - done, is_physical);
    const GuestMemory::Range* range = piece.size != 0 ? memory_.find(piece.address) : nullptr;
    if (range == nullptr || !range->is_ram() || range->read_only) break;
    const u64 size = std::min(piece.size, range->size - (piece.address.value - range->start));
    if (!memory_.write(piece.address, bytes.subspan(done, size))) break;
    done += size;
  }
  return done;
}

void Machine::set_debug_points(std::span<const DebugPoint> points) {
  if (std::ranges::equal(points, debug_set_)) return;
  debug_set_.assign(points.begin(), points.end());
  // The threads are outside of Vcpu::run(); nobody else works on a vcpu meanwhile.
  rendezvous_.exclusive(nullptr, [&] {
    points_.set(points);
    code_->set_stops(points_.page_offsets());
    for (const auto& vcpu : vcpus_) vcpu->mmu().watchpoints_changed();
  });
}

void Machine::debug_resume(std::span<const DebugAction> actions, std::span<const DebugPoint> points,
                           bool steps_with_interrupts) {
  CHECK(is_paused_ && actions.size() == vcpus_.size());
  set_debug_points(points);
  if (has_shut_down_) return loop_.post([this] { debugger_->stopped({.kind = DebugStop::Kind::asked}); });
  // Two vcpus stopped in the same moment and one was reported. A breakpoint is met again, an access is not.
  while (!missed_stops_.empty()) {
    const DebugStop stop = missed_stops_.back();
    missed_stops_.pop_back();
    if (stop.kind != DebugStop::Kind::point || !has_watchpoint(debug_set_, stop)) continue;
    if (actions[stop.vcpu] == DebugAction::stay) continue;
    return loop_.post([this, stop] { debugger_->stopped(stop); });
  }
  is_paused_ = false;
  if (std::ranges::find(actions, DebugAction::step) == actions.end()) inputs_.resume();
  runner_.resume(actions, steps_with_interrupts);
}

void Machine::on_debug_stop(const DebugStop& stop) {
  runner_.pause();
  inputs_.pause();
  if (is_paused_) {
    missed_stops_.push_back(stop);
    return;
  }
  is_paused_ = true;
  if (debugger_) debugger_->stopped(stop);
}

DebugHooks Machine::debug_hooks() {
  const GuestDebug& guest = *vcpus_[0]->guest().debug;
  return {
      .vcpus = static_cast<u32>(vcpus_.size()),
      .architecture = guest.architecture,
      .general_registers = guest.general_registers,
      .features = guest.features(*vcpus_[0]),
      .read_register =
          [this, &guest](u32 vcpu, u32 number, std::vector<u8>& out) {
            return held([&] { return guest.read_register(*vcpus_[vcpu], number, out); });
          },
      .write_register =
          [this, &guest](u32 vcpu, u32 number, std::span<const u8> bytes) {
            return held([&] { return guest.write_register(*vcpus_[vcpu], number, bytes); });
          },
      .read_memory =
          [this](u32 vcpu, u64 address, std::span<std::byte> out, bool is_physical) {
            return held([&] { return debug_read(vcpu, address, out, is_physical); });
          },
      .write_memory =
          [this](u32 vcpu, u64 address, std::span<const std::byte> bytes, bool is_physical) {
            return held([&] { return debug_write(vcpu, address, bytes, is_physical); });
          },
      .is_running = [this] { return is_running(); },
      .stop = [this] { pause(false); },
      .resume = [this](std::span<const DebugAction> actions, std::span<const DebugPoint> points,
                       bool steps_with_interrupts) { debug_resume(actions, points, steps_with_interrupts); },
      .disassemble = guest.disassemble,
      .forget_points =
          [this] {
            const bool was_running = is_running();
            pause(false);
            set_debug_points({});
            if (was_running) cont();
          },
      .quit = [this] { end({}); },
  };
}

void Machine::make_semihosting() {
  const SemihostingConfig& wanted = config_.semihosting;
  if (!wanted.enabled) return;
  Semihosting::Host host;
  for (const std::string& argument : wanted.arguments) {
    host.command_line += fmt::format("{}{}", host.command_line.empty() ? "" : " ", argument);
  }
  if (wanted.arguments.empty())
    host.command_line = config_.append.empty() ? config_.kernel : config_.kernel + " " + config_.append;
  for (const GuestMemory::Range& range : memory_.ranges()) {
    if (range.is_ram() && !range.read_only && range.size > host.ram_size) {
      host.ram_start = range.start;
      host.ram_size = range.size;
    }
  }
  host.allows_user = wanted.allows_user;
  host.wall_seconds = [this] { return wall_clock_ns() / 1'000'000'000; };
  host.exit = [this](int status) {
    runner_.request_pause();
    loop_.post([this, status] {
      end({.status = status, .message = status == 0 ? "" : fmt::format("the guest ended with status {}", status)});
    });
  };
  CharBackend* console = wanted.chardev.empty() ? nullptr : &guest_backend(wanted.chardev);
  host.write = [console](std::string_view text) {
    if (console != nullptr) return console->write({reinterpret_cast<const u8*>(text.data()), text.size()});
    std::fwrite(text.data(), 1, text.size(), stderr);
  };
  semihosting_ = std::make_unique<Semihosting>(std::move(host));
}

void Machine::start_debugger(const StartDebugger& start) {
  if (config_.gdb.empty() || !start) return;
  CharBackend& backend = chardevs_.attach_to_loop(config_.gdb);
  debugger_ = start(debug_hooks(), monitor_hooks(), [&backend](std::string_view bytes) {
    backend.write({reinterpret_cast<const u8*>(bytes.data()), bytes.size()});
  });
  backend.set_receiver([this](std::span<const u8> bytes) {
    debugger_->receive(bytes);
    return bytes.size();
  });
  backend.set_event_handler([this](CharEvent event) {
    if (event == CharEvent::opened || event == CharEvent::closed) debugger_->connected(event == CharEvent::opened);
  });
}

}  // namespace pagoda
