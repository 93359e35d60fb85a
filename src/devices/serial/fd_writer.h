// SPDX-License-Identifier: MIT
// FdWriter: bytes for a file descriptor that may be slow: written at once where possible, else queued and written by
// the loop; when the queue is full the writer waits for a bounded time (or not at all), then bytes are dropped and it
// is said once.
//
// Threading: write() from any thread; construction and destruction on the loop's thread or while it does not run.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/event_loop.h"
#include "base/types.h"

namespace pagoda {

class FdWriter {
 public:
  struct Settings {
    std::string label;  // for messages: "stdio"
    std::size_t queue_bytes = std::size_t{1} << 20;
    int full_wait_ms = 0;     // how long a writer waits for a full queue to move
    int last_wait_ms = 0;     // how long the destructor waits for the rest to leave
    bool is_warning = false;  // loss is said on stderr, not only in the device log
    bool nonblocking = true;  // the descriptor is O_NONBLOCK (else it is asked before each write)
  };
  // Owns `fd`, which nothing else watches.
  FdWriter(EventLoop& loop, int fd, Settings settings);
  ~FdWriter();
  FdWriter(const FdWriter&) = delete;
  FdWriter& operator=(const FdWriter&) = delete;

  void write(std::span<const u8> bytes);

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with what is posted to the loop
};

}  // namespace pagoda
