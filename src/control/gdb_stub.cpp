// SPDX-License-Identifier: MIT
// A debugger's session: packets in, replies out, stops and resumption.
#include "control/gdb_stub.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "control/gdb_xml.h"

namespace pagoda {
namespace {

using gdb::PacketReader;

constexpr int kSigInt = 2, kSigTrap = 5;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

const GdbStub::Row GdbStub::kRows[] = {
#define PAGODA_GDB_PACKET(begin, handler, meaning) {begin, &GdbStub::handler},
#include "control/gdb_packets.def"
#undef PAGODA_GDB_PACKET
};

GdbStub::GdbStub(DebugHooks hooks, MonitorHooks monitor, std::function<void(std::string_view)> write)
    : hooks_(std::move(hooks)),
      monitor_(std::move(monitor), [](std::string_view) {}),
      write_(std::move(write)),
      description_(gdb::description_xml(hooks_)) {}

void GdbStub::connected(bool is_open) {
  reader_.reset();
  last_sent_.clear();
  points_.clear();
  acknowledges_ = true;
  owes_stop_reply_ = is_physical_ = false;
  step_bits_ = 7;
  current_ = resumed_ = 0;
  resumes_all_ = true;
  is_open_ = is_open;
  last_stop_ = {.kind = DebugStop::Kind::asked};
  if (is_open) {
    stop_silently();
  } else {
    hooks_.forget_points();
  }
}

void GdbStub::receive(std::span<const u8> bytes) {
  for (const u8 byte : bytes) {
    if (const auto event = reader_.feed(byte)) on_event(*event);
  }
}

void GdbStub::on_event(const PacketReader::Event& event) {
  using Kind = PacketReader::Event::Kind;
  switch (event.kind) {
    case Kind::ack:
      return;
    case Kind::nack:
      if (acknowledges_ && !last_sent_.empty()) write_(last_sent_);
      return;
    case Kind::bad_packet:
      if (acknowledges_) {
        write_("-");
      } else {
        send("E22");
      }
      return;
    case Kind::interrupt:
      if (!hooks_.is_running()) return;
      hooks_.stop();
      stopped({.kind = DebugStop::Kind::asked, .vcpu = current_});
      return;
    case Kind::packet:
      break;
  }
  if (acknowledges_) write_("+");
  if (hooks_.is_running()) {
    hooks_.stop();
    if (owes_stop_reply_) return stopped({.kind = DebugStop::Kind::asked, .vcpu = current_});
  }
  no_reply_ = false;
  const std::string reply = reply_to(event.data);
  if (!no_reply_) send(reply);
}

std::string GdbStub::reply_to(std::string_view packet) {
  const Row* best = nullptr;
  for (const Row& row : kRows) {
    if (!packet.starts_with(row.begin) || (best != nullptr && row.begin.size() < best->begin.size())) continue;
    // A name is a whole word: "qC" does not begin "qCRC".
    const bool is_word = row.begin.size() > 1 && is_letter(row.begin.back());
    if (is_word && packet.size() > row.begin.size() && is_letter(packet[row.begin.size()])) continue;
    best = &row;
  }
  return best == nullptr ? std::string{} : (this->*best->handler)(packet.substr(best->begin.size()));
}

void GdbStub::send(std::string_view data) {
  last_sent_ = gdb::frame(data);
  write_(last_sent_);
}

void GdbStub::stop_silently() {
  if (hooks_.is_running()) hooks_.stop();
}

void GdbStub::stopped(const DebugStop& stop) {
  last_stop_ = stop;
  if (!is_open_ || !owes_stop_reply_) return;
  owes_stop_reply_ = false;
  current_ = resumed_ = stop.vcpu;
  send(stop_reply());
}

void GdbStub::ended(int status) {
  if (is_open_) send(fmt::format("W{:02x}", status & 0xff));
}

std::string GdbStub::stop_reply() const {
  std::string reply = fmt::format("T{:02x}thread:{:x};", last_stop_.kind == DebugStop::Kind::asked ? kSigInt : kSigTrap,
                                  last_stop_.vcpu + 1);
  if (last_stop_.kind != DebugStop::Kind::point) return reply;
  switch (last_stop_.point) {
    case DebugPoint::Kind::software_break:
      return reply + "swbreak:;";
    case DebugPoint::Kind::hardware_break:
      return reply + "hwbreak:;";
    case DebugPoint::Kind::write_watch:
      return reply + fmt::format("watch:{:x};", last_stop_.address);
    case DebugPoint::Kind::read_watch:
      return reply + fmt::format("rwatch:{:x};", last_stop_.address);
    case DebugPoint::Kind::access_watch:
      return reply + fmt::format("awatch:{:x};", last_stop_.address);
  }
  return reply;
}

std::string GdbStub::on_why(std::string_view) {
  points_.clear();
  // The session's first packet: what is current is what the reply names.
  current_ = resumed_ = last_stop_.vcpu;
  std::string reply = stop_reply();
  // A new debugger is not told of an old breakpoint.
  if (last_stop_.kind == DebugStop::Kind::asked) reply.replace(1, 2, fmt::format("{:02x}", kSigTrap));
  return reply;
}

void GdbStub::resume(std::vector<DebugAction> actions) {
  owes_stop_reply_ = true;
  no_reply_ = true;
  hooks_.resume(actions, points_, (step_bits_ & 2) == 0);
}

// c, s and their forms with a signal: "[signal][;address]" or "[address]".
std::string GdbStub::resume_current(std::string_view rest, DebugAction action, bool has_signal) {
  if (has_signal) {
    if (!gdb::take_number(rest)) return "E22";
    if (!rest.empty() && !gdb::take(rest, ';')) return "E22";
  }
  if (!rest.empty()) {
    const auto address = gdb::take_number(rest);
    if (!address || !rest.empty()) return "E22";
    std::vector<u8> bytes;
    for (u32 i = 0; i < 8; ++i) bytes.push_back(static_cast<u8>(*address >> (8 * i)));
    // The program counter is the last of the general registers.
    if (!hooks_.write_register(resumed_, hooks_.general_registers - 1, bytes)) return "E22";
  }
  std::vector<DebugAction> actions(hooks_.vcpus, resumes_all_ ? DebugAction::run : DebugAction::stay);
  actions[resumed_] = action;
  resume(std::move(actions));
  return {};
}

std::string GdbStub::on_continue(std::string_view rest) { return resume_current(rest, DebugAction::run, false); }
std::string GdbStub::on_continue_signal(std::string_view rest) { return resume_current(rest, DebugAction::run, true); }
std::string GdbStub::on_step(std::string_view rest) { return resume_current(rest, DebugAction::step, false); }
std::string GdbStub::on_step_signal(std::string_view rest) { return resume_current(rest, DebugAction::step, true); }

std::string GdbStub::on_resume_actions(std::string_view) { return "vCont;c;C;s;S"; }

// "action[:thread];action[:thread]...": for each vcpu the leftmost that names it, or all.
std::string GdbStub::on_resume(std::string_view rest) {
  std::vector<DebugAction> actions(hooks_.vcpus, DebugAction::stay);
  std::vector<bool> is_set(hooks_.vcpus);
  while (!rest.empty()) {
    const char letter = rest[0];
    rest.remove_prefix(1);
    if (letter != 'c' && letter != 'C' && letter != 's' && letter != 'S') return "E22";
    if ((letter == 'C' || letter == 'S') && !gdb::take_number(rest)) return "E22";
    i64 thread = -1;
    if (gdb::take(rest, ':')) {
      const auto id = take_thread(rest);
      if (!id) return "E22";
      thread = *id == 0 ? static_cast<i64>(current_) + 1 : *id;
      if (thread != -1 && !is_thread(thread)) return "E22";
    }
    if (!rest.empty() && !gdb::take(rest, ';')) return "E22";
    for (u32 vcpu = 0; vcpu < hooks_.vcpus; ++vcpu) {
      if (is_set[vcpu] || (thread != -1 && thread != static_cast<i64>(vcpu) + 1)) continue;
      is_set[vcpu] = true;
      actions[vcpu] = letter == 's' || letter == 'S' ? DebugAction::step : DebugAction::run;
    }
  }
  if (std::ranges::find(is_set, true) == is_set.end()) return "E22";  // nobody would ever stop
  resume(std::move(actions));
  return {};
}

std::string GdbStub::on_kill_politely(std::string_view) {
  hooks_.quit();
  return "OK";
}

std::string GdbStub::on_kill(std::string_view) {
  no_reply_ = true;
  hooks_.quit();
  return {};
}

std::string GdbStub::on_detach(std::string_view) {
  points_.clear();
  send("OK");  // before anything that runs could send a stop
  resume(std::vector<DebugAction>(hooks_.vcpus, DebugAction::run));
  owes_stop_reply_ = false;
  return {};
}

DebugSession start_gdb_stub(DebugHooks hooks, MonitorHooks monitor, std::function<void(std::string_view)> write) {
  const auto stub = std::make_shared<GdbStub>(std::move(hooks), std::move(monitor), std::move(write));
  return {.receive = [stub](std::span<const u8> bytes) { stub->receive(bytes); },
          .connected = [stub](bool is_open) { stub->connected(is_open); },
          .stopped = [stub](const DebugStop& stop) { stub->stopped(stop); },
          .ended = [stub](int status) { stub->ended(status); }};
}

}  // namespace pagoda
