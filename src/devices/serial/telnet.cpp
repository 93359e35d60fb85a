// SPDX-License-Identifier: MIT
// Telnet commands in a stream.
#include "devices/serial/telnet.h"

#include <utility>

namespace pagoda {
namespace {

// Commands (RFC 854) and options (RFC 856 to 858).
constexpr u8 kSe = 240;
constexpr u8 kBreak = 243;
constexpr u8 kInterrupt = 244;
constexpr u8 kSb = 250;
constexpr u8 kWill = 251;
constexpr u8 kWont = 252;
constexpr u8 kDo = 253;
constexpr u8 kIac = 255;
constexpr u8 kBinary = 0;
constexpr u8 kEcho = 1;
constexpr u8 kSuppressGoAhead = 3;

}  // namespace

std::span<const u8> TelnetFilter::greeting() {
  static constexpr u8 kGreeting[] = {kIac, kWill, kEcho,   kIac, kWill, kSuppressGoAhead,
                                     kIac, kWill, kBinary, kIac, kDo,   kBinary};
  return kGreeting;
}

std::string TelnetFilter::escape(std::span<const u8> bytes) {
  std::string escaped;
  escaped.reserve(bytes.size());
  for (const u8 byte : bytes) escaped.append(byte == kIac ? 2 : 1, static_cast<char>(byte));
  return escaped;
}

void TelnetFilter::feed(std::span<const u8> bytes, const std::function<void(std::span<const u8>)>& data,
                        const std::function<void()>& on_break) {
  std::string plain;
  const auto flush = [&] {
    if (!plain.empty()) data({reinterpret_cast<const u8*>(plain.data()), plain.size()});
    plain.clear();
  };
  const auto take = [&](u8 byte) {
    const bool is_padding = std::exchange(after_cr_, !binary_ && byte == '\r') && byte == 0;
    if (!is_padding) plain += static_cast<char>(byte);
  };
  for (const u8 byte : bytes) {
    switch (state_) {
      case State::data:
        if (byte == kIac) {
          state_ = State::command;
        } else {
          take(byte);
        }
        break;
      case State::command:
        state_ = State::data;
        if (byte == kIac) {
          take(byte);
        } else if (byte == kBreak || byte == kInterrupt) {  // the latter is what clients send for Ctrl-C, as a break
          flush();
          on_break();
        } else if (byte == kSb) {
          state_ = State::subnegotiation;
        } else if (byte >= kWill) {
          verb_ = byte;
          state_ = State::option;
        }
        break;
      case State::option:
        // Nothing is answered: the greeting said what there is, and nothing else is agreed to.
        if (byte == kBinary && (verb_ == kWill || verb_ == kWont)) binary_ = verb_ == kWill;
        state_ = State::data;
        break;
      case State::subnegotiation:
        if (byte == kIac) state_ = State::subnegotiation_command;
        break;
      case State::subnegotiation_command:
        state_ = byte == kSe ? State::data : State::subnegotiation;
        break;
    }
  }
  flush();
}

}  // namespace pagoda
