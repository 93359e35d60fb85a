// SPDX-License-Identifier: MIT
// "file": output to a file, no input.
#include <fcntl.h>
#include <cerrno>
#include <cstring>

#include "devices/serial/char_channel.h"
#include "devices/serial/fd_writer.h"

namespace pagoda {
namespace {

class FileChannel final : public CharChannel {
 public:
  FileChannel(EventLoop& loop, int fd, const std::string& path)
      : writer_(loop, fd, {.label = path, .full_wait_ms = 5000, .last_wait_ms = 5000, .is_warning = true}) {}
  void write(std::span<const u8> bytes) override { writer_.write(bytes); }

 private:
  FdWriter writer_;
};

}  // namespace

Result<std::unique_ptr<CharChannel>> open_file_channel(const CharSpec& spec, EventLoop& loop) {
  // O_NONBLOCK is for a FIFO or a device of that name; a file knows no waiting.
  const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (spec.append ? O_APPEND : O_TRUNC);
  const int fd = open(spec.path.c_str(), flags, 0666);
  if (fd < 0 && errno == ENXIO) return fail("{}: no process reads this FIFO", spec.path);
  if (fd < 0) return fail("{}: {}", spec.path, std::strerror(errno));
  return std::make_unique<FileChannel>(loop, fd, spec.path);
}

}  // namespace pagoda
