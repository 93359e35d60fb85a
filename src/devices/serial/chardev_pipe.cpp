// SPDX-License-Identifier: MIT
// "pipe": two FIFOs, PATH.in for input and PATH.out for output, or one file, PATH, for both.
#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include "devices/serial/char_channel.h"
#include "devices/serial/fd_reader.h"
#include "devices/serial/fd_writer.h"

namespace pagoda {
namespace {

class PipeChannel final : public CharChannel {
 public:
  PipeChannel(EventLoop& loop, int input, int output, const CharSpec& spec)
      : input_(input),
        reader_(loop),
        writer_(loop, output, {.label = spec.id, .full_wait_ms = 5000, .last_wait_ms = 500}) {}
  ~PipeChannel() override {
    reader_.stop();
    close(input_);
  }
  void write(std::span<const u8> bytes) override { writer_.write(bytes); }
  void start(Sink sink) override {
    reader_.start(input_, sink.bytes, nullptr);
    sink.connected(true);
  }
  void set_reading(bool on) override { reader_.set_reading(on); }

 private:
  int input_;
  FdReader reader_;
  FdWriter writer_;
};

}  // namespace

Result<std::unique_ptr<CharChannel>> open_pipe_channel(const CharSpec& spec, EventLoop& loop) {
  // For reading and writing, each: opening waits for nobody, and whoever is at the other end may come and go.
  constexpr int kFlags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
  int input = open((spec.path + ".in").c_str(), kFlags);
  int output = open((spec.path + ".out").c_str(), kFlags);
  if (input < 0 || output < 0) {
    if (input >= 0) close(input);
    if (output >= 0) close(output);
    input = open(spec.path.c_str(), kFlags);
    output = input < 0 ? -1 : fcntl(input, F_DUPFD_CLOEXEC, 3);
    if (output < 0) {
      const int error = errno;
      if (input >= 0) close(input);
      return fail("{}: {} (and there are no FIFOs {}.in and {}.out)", spec.path, std::strerror(error), spec.path,
                  spec.path);
    }
  }
  return std::make_unique<PipeChannel>(loop, input, output, spec);
}

}  // namespace pagoda
