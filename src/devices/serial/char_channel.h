// SPDX-License-Identifier: MIT
// CharChannel: the host's end of a character device: a terminal, a file, a pty, a socket.
//
// Threading: write() from any thread; the rest on the loop's thread, or before the loop runs and after it ended. The
// sink is called on the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "base/event_loop.h"
#include "base/result.h"
#include "devices/serial/char_spec.h"

namespace pagoda {

class CharChannel {
 public:
  struct Sink {
    std::function<void(std::span<const u8>)> bytes;
    std::function<void(bool is_open)> connected;  // somebody came or went
    std::function<void()> line_break;
  };
  virtual ~CharChannel() = default;
  // Never blocks for long; what the host cannot take is queued up to a bound, then dropped.
  virtual void write(std::span<const u8> bytes) = 0;
  // Begins to read; a terminal becomes raw here and not before.
  virtual void start(Sink) {}
  // Stops or resumes reading.
  virtual void set_reading(bool) {}
  // A person types here: input that the guest has no room for may be dropped, but commands must be seen.
  virtual bool is_interactive() const { return false; }
};

// One for each CharKind but null; errors are without the option.
Result<std::unique_ptr<CharChannel>> open_stdio_channel(const CharSpec& spec, EventLoop& loop);
Result<std::unique_ptr<CharChannel>> open_file_channel(const CharSpec& spec, EventLoop& loop);
Result<std::unique_ptr<CharChannel>> open_pty_channel(const CharSpec& spec, EventLoop& loop);
Result<std::unique_ptr<CharChannel>> open_socket_channel(const CharSpec& spec, EventLoop& loop);
Result<std::unique_ptr<CharChannel>> open_pipe_channel(const CharSpec& spec, EventLoop& loop);

}  // namespace pagoda
