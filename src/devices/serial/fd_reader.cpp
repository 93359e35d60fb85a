// SPDX-License-Identifier: MIT
// Reading a descriptor on the loop.
#include "devices/serial/fd_reader.h"

#include <poll.h>
#include <unistd.h>
#include <array>
#include <cerrno>

namespace pagoda {

void FdReader::start(int fd, Bytes bytes, std::function<void()> ended) {
  stop();
  fd_ = fd;
  bytes_ = std::move(bytes);
  ended_ = std::move(ended);
  set_reading(reading_);
}

void FdReader::stop() {
  if (fd_ >= 0) loop_.unwatch(fd_);
  fd_ = -1;
}

void FdReader::set_reading(bool on) {
  reading_ = on;
  if (fd_ < 0) return;
  // Not watched at all while reading is off: a hang-up would come again and again, with bytes still to be read before
  // it.
  if (on) {
    loop_.watch(fd_, POLLIN, [this](short) { on_ready(); });
  } else {
    loop_.unwatch(fd_);
  }
}

void FdReader::on_ready() {
  std::array<u8, 4096> buffer;
  const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
  if (n > 0) {
    bytes_({buffer.data(), static_cast<std::size_t>(n)});
    return;
  }
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  stop();
  if (ended_) ended_();
}

}  // namespace pagoda
