// SPDX-License-Identifier: MIT
// The output queue of a file descriptor.
#include "devices/serial/fd_writer.h"

#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/log.h"

namespace pagoda {
namespace {

// A pipe that says it is writable takes this much without blocking (pipe(7)).
constexpr std::size_t kBlockingChunk = 4096;

bool is_writable(int fd, int wait_ms) {
  pollfd ask{fd, POLLOUT, 0};
  return poll(&ask, 1, wait_ms) > 0;
}

}  // namespace

struct FdWriter::State : std::enable_shared_from_this<FdWriter::State> {
  State(EventLoop& event_loop, int descriptor, Settings s) : loop(event_loop), fd(descriptor), settings(std::move(s)) {}

  EventLoop& loop;
  const int fd;
  const Settings settings;
  std::mutex mutex;
  std::string queue;
  std::size_t sent = 0;   // bytes of the queue that are written already
  bool watched = false;   // the loop waits, or has been asked to wait, for room
  bool dropping = false;  // no more waiting until something moves
  bool failed = false;    // the descriptor took an error: everything is dropped
  bool loss_said = false;

  std::size_t waiting() const { return queue.size() - sent; }

  void say_loss(const char* why) {
    if (std::exchange(loss_said, true)) return;
    if (settings.is_warning) {
      fmt::print(stderr, "pagoda: {}: {}; output is lost\n", settings.label, why);
    } else {
      log(Log::device, "{}: {}; output is lost", settings.label, why);
    }
  }

  // Writes what the descriptor takes now; returns how much that was.
  std::size_t write_now(const char* bytes, std::size_t count) {
    std::size_t done = 0;
    while (done < count && !failed) {
      if (!settings.nonblocking && !is_writable(fd, 0)) break;
      const std::size_t chunk = settings.nonblocking ? count - done : std::min(count - done, kBlockingChunk);
      const ssize_t n = ::write(fd, bytes + done, chunk);
      if (n >= 0) {
        done += static_cast<std::size_t>(n);
        dropping = false;
        continue;
      }
      if (errno == EINTR) continue;
      if (errno == EAGAIN) break;
      failed = true;
      say_loss(std::strerror(errno));
    }
    return done;
  }

  void write_queue() {
    sent += write_now(queue.data() + sent, waiting());
    if (failed || sent == queue.size()) {
      queue.clear();
      sent = 0;
    } else if (sent >= settings.queue_bytes) {
      queue.erase(0, sent);
      sent = 0;
    }
  }

  // Waits until the queue moved; false when it did not in time.
  bool wait_for_room(int wait_ms) {
    const std::size_t before = waiting();
    if (!is_writable(fd, wait_ms)) return false;
    write_queue();
    return waiting() < before;
  }

  // Asks the loop to go on with the queue.
  void watch_later() {
    if (waiting() == 0 || std::exchange(watched, true)) return;
    loop.post([weak = weak_from_this()] {
      if (const auto state = weak.lock()) {
        state->loop.watch(state->fd, POLLOUT, [weak](short) {
          if (const auto watching = weak.lock()) watching->on_writable();
        });
      }
    });
  }

  void on_writable() {
    const std::lock_guard lock(mutex);
    write_queue();
    if (waiting() != 0) return;
    watched = false;
    loop.unwatch(fd);
  }
};

FdWriter::FdWriter(EventLoop& loop, int fd, Settings settings)
    : state_(std::make_shared<State>(loop, fd, std::move(settings))) {
  // A reader that went away is an error of write(2), not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
}

FdWriter::~FdWriter() {
  {
    const std::lock_guard lock(state_->mutex);
    while (state_->waiting() != 0) {
      if (!state_->wait_for_room(state_->settings.last_wait_ms)) break;
    }
    if (state_->waiting() != 0) state_->say_loss("the last bytes were not taken");
    state_->failed = true;
  }
  state_->loop.unwatch(state_->fd);
  close(state_->fd);
}

void FdWriter::write(std::span<const u8> bytes) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const char* data = reinterpret_cast<const char*>(bytes.data());
  std::size_t count = bytes.size();
  if (state.waiting() == 0) {
    const std::size_t done = state.write_now(data, count);
    data += done;
    count -= done;
  }
  while (count != 0 && !state.failed) {
    const std::size_t room = state.settings.queue_bytes - std::min(state.waiting(), state.settings.queue_bytes);
    const std::size_t part = std::min(count, room);
    state.queue.append(data, part);
    data += part;
    count -= part;
    if (count == 0) break;
    if (!state.wait_for_room(state.dropping ? 0 : state.settings.full_wait_ms)) {
      state.dropping = true;
      state.say_loss("nothing reads it");
      break;
    }
  }
  state.watch_later();
}

}  // namespace pagoda
