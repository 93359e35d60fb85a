// SPDX-License-Identifier: MIT
// "stdio": standard input and output; a terminal there is raw while the machine runs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/terminal.h"
#include "devices/serial/char_channel.h"
#include "devices/serial/fd_reader.h"
#include "devices/serial/fd_writer.h"

namespace pagoda {
namespace {

// A descriptor for standard output. O_NONBLOCK belongs to the open file, which a terminal's shell and other programs of
// a pipeline share: so a terminal or pipe is opened a second time. Where that is not allowed the original is duplicated
// and stays blocking.
int output_descriptor(bool* nonblocking) {
  struct stat status{};
  *nonblocking = false;
  if (fstat(STDOUT_FILENO, &status) == 0 && (S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode))) {
    const int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0) {
      *nonblocking = true;
      return fd;
    }
  }
  return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

class StdioChannel final : public CharChannel {
 public:
  StdioChannel(EventLoop& loop, int fd, bool nonblocking, bool keep_signals)
      : reader_(loop),
        writer_(loop, fd,
                {.label = "stdio",
                 .full_wait_ms = 5000,
                 .last_wait_ms = 5000,
                 .is_warning = true,
                 .nonblocking = nonblocking}),
        keep_signals_(keep_signals) {}
  ~StdioChannel() override { terminal_restore(); }

  void write(std::span<const u8> bytes) override { writer_.write(bytes); }
  void start(Sink sink) override {
    terminal_make_raw(STDIN_FILENO, keep_signals_);
    // The end of a pipe on standard input ends the input, not the machine.
    reader_.start(STDIN_FILENO, sink.bytes, nullptr);
    sink.connected(true);
  }
  void set_reading(bool on) override { reader_.set_reading(on); }
  bool is_interactive() const override { return isatty(STDIN_FILENO) != 0; }

 private:
  FdReader reader_;
  FdWriter writer_;
  bool keep_signals_;
};

}  // namespace

Result<std::unique_ptr<CharChannel>> open_stdio_channel(const CharSpec& spec, EventLoop& loop) {
  bool nonblocking = false;
  const int fd = output_descriptor(&nonblocking);
  if (fd < 0) return fail("standard output: {}", std::strerror(errno));
  return std::make_unique<StdioChannel>(loop, fd, nonblocking, spec.signal);
}

}  // namespace pagoda
