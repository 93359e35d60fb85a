// SPDX-License-Identifier: MIT
// "pty": a new pseudo terminal, for a terminal program to open.
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "devices/serial/char_channel.h"
#include "devices/serial/fd_reader.h"
#include "devices/serial/fd_writer.h"

namespace pagoda {
namespace {

class PtyChannel final : public CharChannel {
 public:
  // `slave` stays open here: the settings live as long as it does, and the master never reports a hang-up, so a client
  // may come and go. What nobody reads fills the queue.
  PtyChannel(EventLoop& loop, int master, int slave, int output, const CharSpec& spec)
      : master_(master),
        slave_(slave),
        link_(spec.path),
        reader_(loop),
        writer_(loop, output, {.label = spec.id, .queue_bytes = 65536}) {}
  ~PtyChannel() override {
    reader_.stop();
    if (!link_.empty()) unlink(link_.c_str());
    close(slave_);
    close(master_);
  }
  void write(std::span<const u8> bytes) override { writer_.write(bytes); }
  void start(Sink sink) override {
    reader_.start(master_, sink.bytes, nullptr);
    sink.connected(true);
  }
  void set_reading(bool on) override { reader_.set_reading(on); }

 private:
  int master_;
  int slave_;
  std::string link_;
  FdReader reader_;
  FdWriter writer_;
};

}  // namespace

Result<std::unique_ptr<CharChannel>> open_pty_channel(const CharSpec& spec, EventLoop& loop) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  if (master < 0) return fail("no pseudo terminal can be had: {}", std::strerror(errno));
  char name[64] = "";
  int slave = -1;
  if (grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof(name)) == 0) {
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  const int output = slave < 0 ? -1 : fcntl(master, F_DUPFD_CLOEXEC, 3);
  if (output < 0) {
    const int error = errno;
    if (slave >= 0) close(slave);
    close(master);
    return fail("pseudo terminal {}: {}", name, std::strerror(error));
  }
  // Raw, or the terminal itself would echo the guest's output back as input.
  termios settings;
  tcgetattr(slave, &settings);
  cfmakeraw(&settings);
  tcsetattr(slave, TCSANOW, &settings);
  if (!spec.path.empty() && symlink(name, spec.path.c_str()) != 0) {
    const int error = errno;
    close(output);
    close(slave);
    close(master);
    return fail("{}: {}", spec.path, std::strerror(error));
  }
  // QEMU's words, on standard output: programs look for them.
  fmt::print("char device redirected to {} (label {})\n", name, spec.id);
  std::fflush(stdout);
  return std::make_unique<PtyChannel>(loop, master, slave, output, spec);
}

}  // namespace pagoda
