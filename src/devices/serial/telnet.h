// SPDX-License-Identifier: MIT
// TelnetFilter: one side of a Telnet connection (RFC 854 to 858): commands out of the bytes received, escapes into
// those sent. Not safe for threads; escape() needs no lock.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/types.h"

namespace pagoda {

class TelnetFilter {
 public:
  // What a server says first: it echoes, sends without go-aheads, and bytes are 8 bits wide in both directions.
  static std::span<const u8> greeting();
  // Bytes as they have to be sent.
  static std::string escape(std::span<const u8> bytes);

  // Takes out the commands of what was received, wherever it was cut. `on_break` is called for a break in its place
  // between bytes, `data` for what lies between commands.
  void feed(std::span<const u8> bytes, const std::function<void(std::span<const u8>)>& data,
            const std::function<void()>& on_break);

 private:
  enum class State { data, command, option, subnegotiation, subnegotiation_command };
  State state_ = State::data;
  u8 verb_ = 0;            // WILL, WONT, DO or DONT
  bool binary_ = false;    // the other side sends bytes, not lines of the network terminal
  bool after_cr_ = false;  // of such a line: CR NUL stands for CR
};

}  // namespace pagoda
