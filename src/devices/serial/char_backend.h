// SPDX-License-Identifier: MIT
// CharBackend: the host side of a serial port or console (standard streams, a file, a socket, a pty).
//
// Output: write() from any thread, never blocks for long; bytes that the host cannot take are dropped with one log
// line. Input: the back end calls the receiver on the thread that owns guest input (the main loop, or under -icount the
// vcpu thread at a deterministic point); the receiver says how many bytes it took, and calls input_ready() when it has
// room again.
#pragma once

#include <functional>
#include <span>

#include "base/types.h"

namespace pagoda {

// What happens on the host's end beside bytes.
enum class CharEvent : u8 {
  break_received,  // Ctrl-A B
  focus,           // the terminal now talks to this front end
  opened,          // somebody is connected
  closed,          // nobody is
};

class CharBackend {
 public:
  using Receiver = std::function<std::size_t(std::span<const u8>)>;
  virtual ~CharBackend() = default;
  virtual void write(std::span<const u8> bytes) = 0;
  // One receiver; set before the machine runs.
  virtual void set_receiver(Receiver receiver) = 0;
  // One handler of events, on the receiver's thread; a front end without interest in them sets none.
  virtual void set_event_handler(std::function<void(CharEvent)>) {}
  // The receiver has room again: deliver what was held back. Any thread.
  virtual void input_ready() = 0;
};

}  // namespace pagoda
