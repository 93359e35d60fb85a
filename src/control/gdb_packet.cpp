// SPDX-License-Identifier: MIT
// Framing and number formats of the remote serial protocol.
#include "control/gdb_packet.h"

#include <charconv>

#include <fmt/format.h>

namespace pagoda::gdb {
namespace {

constexpr char kEscape = '}';
constexpr u8 kEscapeMask = 0x20;

std::optional<u8> digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<u8>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<u8>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<u8>(c - 'A' + 10);
  return {};
}

}  // namespace

std::string to_hex(std::span<const u8> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const u8 byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::string to_hex(std::string_view text) {
  return to_hex(std::span(reinterpret_cast<const u8*>(text.data()), text.size()));
}

std::optional<std::vector<u8>> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return {};
  std::vector<u8> bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digit_value(text[i]), low = digit_value(text[i + 1]);
    if (!high || !low) return {};
    bytes.push_back(static_cast<u8>(*high << 4 | *low));
  }
  return bytes;
}

std::optional<u64> take_number(std::string_view& text) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{}) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

std::string frame(std::string_view data) {
  std::string packet = "$";
  u8 sum = 0;
  const auto put = [&](char c) {
    packet += c;
    sum = static_cast<u8>(sum + static_cast<u8>(c));
  };
  for (const char c : data) {
    if (c == '$' || c == '#' || c == kEscape || c == '*') {
      put(kEscape);
      put(static_cast<char>(static_cast<u8>(c) ^ kEscapeMask));
    } else {
      put(c);
    }
  }
  return packet + fmt::format("#{:02x}", sum);
}

std::string unescape(std::string_view data) {
  std::string text;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] != kEscape) {
      text += data[i];
    } else if (i + 1 < data.size()) {
      text += static_cast<char>(static_cast<u8>(data[++i]) ^ kEscapeMask);
    }
  }
  return text;
}

std::optional<PacketReader::Event> PacketReader::feed(u8 byte) {
  const char c = static_cast<char>(byte);
  switch (state_) {
    case State::idle:
      if (c == '$') {
        state_ = State::data;
        data_.clear();
        sum_ = 0;
        too_long_ = false;
      }
      if (c == '+') return Event{Event::Kind::ack, {}};
      if (c == '-') return Event{Event::Kind::nack, {}};
      if (byte == 3) return Event{Event::Kind::interrupt, {}};
      return {};
    case State::data:
      if (c == '#') {
        state_ = State::first_digit;
      } else if (data_.size() == kPacketBytes) {
        too_long_ = true;
      } else {
        data_ += c;
        sum_ = static_cast<u8>(sum_ + byte);
      }
      return {};
    case State::first_digit:
      digit_ = c;
      state_ = State::second_digit;
      return {};
    case State::second_digit:
      state_ = State::idle;
      break;
  }
  const auto high = digit_value(digit_), low = digit_value(c);
  const bool right = high && low && static_cast<u8>(*high << 4 | *low) == sum_;
  if (too_long_ || (checks_ && !right)) return Event{Event::Kind::bad_packet, {}};
  return Event{Event::Kind::packet, unescape(data_)};
}

}  // namespace pagoda::gdb
