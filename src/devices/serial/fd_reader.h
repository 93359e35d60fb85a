// SPDX-License-Identifier: MIT
// FdReader: reads a descriptor on the loop while reading is wanted and hands the bytes on. Loop's thread only.
#pragma once

#include <functional>
#include <span>

#include "base/event_loop.h"
#include "base/types.h"

namespace pagoda {

class FdReader {
 public:
  using Bytes = std::function<void(std::span<const u8>)>;
  explicit FdReader(EventLoop& loop) : loop_(loop) {}
  ~FdReader() { stop(); }
  FdReader(const FdReader&) = delete;
  FdReader& operator=(const FdReader&) = delete;

  // `ended`: end of file, hang-up or an error; the reader has stopped by then. Does not own `fd`.
  void start(int fd, Bytes bytes, std::function<void()> ended);
  void stop();
  void set_reading(bool on);

 private:
  void on_ready();

  EventLoop& loop_;
  int fd_ = -1;
  bool reading_ = true;
  Bytes bytes_;
  std::function<void()> ended_;
};

}  // namespace pagoda
