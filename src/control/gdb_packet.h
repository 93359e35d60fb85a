// SPDX-License-Identifier: MIT
// GDB remote serial protocol, framing: packets, acknowledgements, escapes, hexadecimal (GDB manual, appendix "Remote
// Protocol").
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace pagoda::gdb {

// Longest packet that is taken, escapes included; qSupported says so.
inline constexpr std::size_t kPacketBytes = 0x4000;

std::string to_hex(std::span<const u8> bytes);
std::string to_hex(std::string_view text);
// Nothing if it is not an even number of hexadecimal digits.
std::optional<std::vector<u8>> from_hex(std::string_view text);

// Cuts a hexadecimal number of at most 64 bits off the front. Nothing, and the text is as before, if there is none.
std::optional<u64> take_number(std::string_view& text);
// Cuts off one character if it is the next.
bool take(std::string_view& text, char c);

// "$data#checksum" with what has to be escaped.
std::string frame(std::string_view data);
// Undoes the escapes of a packet's data.
std::string unescape(std::string_view data);

// Cuts a stream of bytes into events. Whatever comes, at most kPacketBytes are kept.
class PacketReader {
 public:
  struct Event {
    enum class Kind { packet, bad_packet, interrupt, ack, nack } kind;
    std::string data;  // packet: between $ and #, escapes undone
  };
  // Bad checksums count until this is called (QStartNoAckMode).
  void ignore_checksums() { checks_ = false; }
  void reset() { *this = {}; }
  std::optional<Event> feed(u8 byte);

 private:
  enum class State { idle, data, first_digit, second_digit } state_ = State::idle;
  std::string data_;
  char digit_ = 0;
  u8 sum_ = 0;
  bool too_long_ = false;
  bool checks_ = true;
};

}  // namespace pagoda::gdb
