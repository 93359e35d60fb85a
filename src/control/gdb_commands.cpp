// SPDX-License-Identifier: MIT
// Packets about registers, memory, points, threads, and questions.
#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "control/gdb_stub.h"

namespace pagoda {
namespace {

using gdb::take;
using gdb::take_number;

constexpr const char* kBadPacket = "E22";                       // EINVAL
constexpr const char* kNoMemory = "E14";                        // EFAULT
constexpr std::size_t kMostBytes = gdb::kPacketBytes / 2 - 32;  // of memory, in one packet

std::span<const std::byte> as_bytes(std::span<const u8> bytes) { return std::as_bytes(bytes); }

// "address,length"
struct AddressRange {
  u64 address, size;
};
std::optional<AddressRange> take_range(std::string_view& rest) {
  const auto address = take_number(rest);
  if (!address || !take(rest, ',')) return {};
  const auto size = take_number(rest);
  if (!size) return {};
  return AddressRange{*address, *size};
}

}  // namespace

std::string GdbStub::on_unknown(std::string_view) { return {}; }

// --- registers
// --------------------------------------------------------------------------------------------------------
std::string GdbStub::on_read_general(std::string_view) {
  std::vector<u8> bytes;
  for (u32 number = 0; number < hooks_.general_registers; ++number) hooks_.read_register(current_, number, bytes);
  return gdb::to_hex(bytes);
}

std::string GdbStub::on_write_general(std::string_view rest) {
  const auto bytes = gdb::from_hex(rest);
  if (!bytes) return kBadPacket;
  std::span<const u8> left = *bytes;
  for (u32 number = 0; number < hooks_.general_registers && !left.empty(); ++number) {
    std::vector<u8> old;
    if (!hooks_.read_register(current_, number, old)) continue;
    if (left.size() < old.size()) return kBadPacket;
    hooks_.write_register(current_, number, left.first(old.size()));
    left = left.subspan(old.size());
  }
  return "OK";
}

std::string GdbStub::on_read_register(std::string_view rest) {
  const auto number = take_number(rest);
  std::vector<u8> bytes;
  if (!number || !rest.empty() || *number > 0xffff'ffff) return kBadPacket;
  if (!hooks_.read_register(current_, static_cast<u32>(*number), bytes)) return kBadPacket;
  return gdb::to_hex(bytes);
}

std::string GdbStub::on_write_register(std::string_view rest) {
  const auto number = take_number(rest);
  if (!number || *number > 0xffff'ffff || !take(rest, '=')) return kBadPacket;
  const auto bytes = gdb::from_hex(rest);
  if (!bytes || !hooks_.write_register(current_, static_cast<u32>(*number), *bytes)) return kBadPacket;
  return "OK";
}

// --- memory
// -----------------------------------------------------------------------------------------------------------
std::string GdbStub::on_read_memory(std::string_view rest) {
  const auto range = take_range(rest);
  if (!range || !rest.empty() || range->size > kMostBytes) return kBadPacket;
  std::vector<u8> bytes(range->size);
  const u64 done = hooks_.read_memory(current_, range->address, std::as_writable_bytes(std::span(bytes)), is_physical_);
  if (done == 0 && range->size != 0) return kNoMemory;
  return gdb::to_hex(std::span<const u8>(bytes).first(done));
}

std::string GdbStub::write_memory(u64 address, std::span<const u8> bytes) {
  const u64 done = hooks_.write_memory(current_, address, as_bytes(bytes), is_physical_);
  return done == bytes.size() ? "OK" : kNoMemory;
}

std::string GdbStub::on_write_memory(std::string_view rest) {
  const auto range = take_range(rest);
  if (!range || !take(rest, ':')) return kBadPacket;
  const auto bytes = gdb::from_hex(rest);
  if (!bytes || bytes->size() != range->size) return kBadPacket;
  return write_memory(range->address, *bytes);
}

std::string GdbStub::on_write_binary(std::string_view rest) {
  const auto range = take_range(rest);
  if (!range || !take(rest, ':') || rest.size() != range->size) return kBadPacket;
  return write_memory(range->address, {reinterpret_cast<const u8*>(rest.data()), rest.size()});
}

// --- points
// -----------------------------------------------------------------------------------------------------------
std::optional<DebugPoint> GdbStub::parse_point(std::string_view rest) const {
  using Kind = DebugPoint::Kind;
  constexpr std::array kKinds = {Kind::software_break, Kind::hardware_break, Kind::write_watch, Kind::read_watch,
                                 Kind::access_watch};
  const auto kind = take_number(rest);
  if (!kind || *kind >= kKinds.size() || !take(rest, ',')) return {};
  const auto range = take_range(rest);
  if (!range || (!rest.empty() && rest[0] != ';')) return {};
  DebugPoint point{.kind = kKinds[*kind], .address = range->address, .size = range->size};
  if (point.is_break()) {
    point.size = 0;  // the length of the instruction, which nobody needs
  } else if (point.size == 0 || point.size > 4096) {
    return {};
  }
  return point;
}

std::string GdbStub::on_insert_point(std::string_view rest) {
  constexpr std::size_t kMost = 4096;
  const auto point = parse_point(rest);
  if (!point) return kBadPacket;
  if (std::ranges::find(points_, *point) != points_.end()) return "OK";
  if (points_.size() == kMost) return "E28";
  points_.push_back(*point);
  return "OK";
}

std::string GdbStub::on_remove_point(std::string_view rest) {
  const auto point = parse_point(rest);
  if (!point) return kBadPacket;
  std::erase(points_, *point);
  return "OK";
}

// --- threads
// ----------------------------------------------------------------------------------------------------------
std::optional<i64> GdbStub::take_thread(std::string_view& text) {
  if (text.starts_with("-1")) {
    text.remove_prefix(2);
    return -1;
  }
  const auto number = take_number(text);
  if (!number || *number > 0xffff'ffff) return {};
  return static_cast<i64>(*number);
}

std::string GdbStub::on_set_thread(std::string_view rest) {
  const char operation = rest.empty() ? '\0' : rest[0];
  if (operation != 'g' && operation != 'c') return kBadPacket;
  rest.remove_prefix(1);
  const auto id = take_thread(rest);
  if (!id || !rest.empty()) return kBadPacket;
  if (operation == 'c') resumes_all_ = *id <= 0;
  if (*id <= 0) return "OK";
  if (!is_thread(*id)) return kBadPacket;
  (operation == 'g' ? current_ : resumed_) = static_cast<u32>(*id - 1);
  return "OK";
}

std::string GdbStub::on_is_alive(std::string_view rest) {
  const auto id = take_thread(rest);
  return id && is_thread(*id) ? "OK" : kBadPacket;
}

std::string GdbStub::on_current_thread(std::string_view) { return fmt::format("QC{:x}", current_ + 1); }

std::string GdbStub::on_thread_list(std::string_view) {
  std::string reply = "m";
  for (u32 vcpu = 0; vcpu < hooks_.vcpus; ++vcpu) reply += fmt::format("{}{:x}", vcpu == 0 ? "" : ",", vcpu + 1);
  return reply;
}
std::string GdbStub::on_thread_list_end(std::string_view) { return "l"; }

std::string GdbStub::on_thread_name(std::string_view rest) {
  const auto id = take_thread(rest);
  if (!id || !is_thread(*id)) return kBadPacket;
  return gdb::to_hex(fmt::format("CPU#{}", *id - 1));
}

// --- questions
// --------------------------------------------------------------------------------------------------------
std::string GdbStub::on_attached(std::string_view) { return "1"; }
std::string GdbStub::on_symbols(std::string_view) { return "OK"; }

std::string GdbStub::on_supported(std::string_view) {
  return fmt::format("PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+;swbreak+;hwbreak+",
                     gdb::kPacketBytes);
}

std::string GdbStub::on_no_acknowledgements(std::string_view) {
  acknowledges_ = false;
  reader_.ignore_checksums();
  return "OK";
}

// "annex:offset,length"
std::string GdbStub::on_read_description(std::string_view rest) {
  constexpr std::string_view kAnnex = "target.xml:";
  if (!rest.starts_with(kAnnex)) return "E00";
  rest.remove_prefix(kAnnex.size());
  const auto range = take_range(rest);
  if (!range || !rest.empty()) return kBadPacket;
  if (range->address > description_.size()) return kBadPacket;
  const std::string_view piece =
      std::string_view(description_).substr(range->address, std::min<u64>(range->size, kMostBytes));
  const bool is_last = range->address + piece.size() == description_.size();
  return fmt::format("{}{}", is_last ? 'l' : 'm', piece);
}

std::string GdbStub::on_monitor_command(std::string_view rest) {
  const auto line = gdb::from_hex(rest);
  if (!line) return kBadPacket;
  const bool was_running = hooks_.is_running();
  const std::string text = monitor_.execute({reinterpret_cast<const char*>(line->data()), line->size()});
  for (std::size_t at = 0; at < text.size(); at += kMostBytes) {
    send(fmt::format("O{}", gdb::to_hex(std::string_view(text).substr(at, kMostBytes))));
  }
  // "cont" there would leave the debugger believing in a stopped machine.
  if (!was_running && hooks_.is_running()) hooks_.stop();
  return "OK";
}

std::string GdbStub::on_get_physical(std::string_view) { return is_physical_ ? "1" : "0"; }
std::string GdbStub::on_set_physical(std::string_view rest) {
  if (rest != "0" && rest != "1") return kBadPacket;
  is_physical_ = rest == "1";
  return "OK";
}

std::string GdbStub::on_step_bits(std::string_view) { return "ENABLE=1,NOIRQ=2,NOTIMER=4"; }
std::string GdbStub::on_get_step(std::string_view) { return fmt::format("{:#x}", step_bits_); }
std::string GdbStub::on_set_step(std::string_view rest) {
  const auto bits = take_number(rest);
  if (!bits || !rest.empty() || *bits > 7) return kBadPacket;
  step_bits_ = static_cast<u32>(*bits);
  return "OK";
}

}  // namespace pagoda
