// SPDX-License-Identifier: MIT
// "socket": a Unix stream socket: as a server for one client at a time, or as a client.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "devices/serial/char_channel.h"
#include "devices/serial/fd_reader.h"
#include "devices/serial/fd_writer.h"

namespace pagoda {
namespace {

class SocketChannel final : public CharChannel {
 public:
  // A server has a `listener`; `client` may be connected already (-1: nobody is).
  SocketChannel(EventLoop& loop, const CharSpec& spec, int listener, int client)
      : loop_(loop), spec_(spec), listener_(listener), reader_(loop) {
    if (client >= 0) adopt(client);
  }
  ~SocketChannel() override {
    drop_client();
    if (listener_ < 0) return;
    loop_.unwatch(listener_);
    close(listener_);
    unlink(spec_.path.c_str());
  }

  // Output without a client goes nowhere, as on a line with nobody at the end.
  void write(std::span<const u8> bytes) override {
    const std::lock_guard lock(mutex_);
    if (writer_) writer_->write(bytes);
  }
  void start(Sink sink) override {
    sink_ = std::move(sink);
    if (client_ >= 0) {
      talk();
    } else {
      listen_again();
    }
  }
  void set_reading(bool on) override { reader_.set_reading(on); }

 private:
  void adopt(int client) {
    client_ = client;
    const int output = fcntl(client, F_DUPFD_CLOEXEC, 3);
    if (output < 0) return;
    const std::lock_guard lock(mutex_);
    writer_ = std::make_unique<FdWriter>(loop_, output, FdWriter::Settings{.label = spec_.id, .last_wait_ms = 500});
  }
  void talk() {
    reader_.start(client_, sink_.bytes, [this] {
      drop_client();
      sink_.connected(false);
      listen_again();
    });
    sink_.connected(true);
  }
  void listen_again() {
    if (listener_ < 0) return;
    loop_.watch(listener_, POLLIN, [this](short) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0) return;
      loop_.unwatch(listener_);  // the next one waits in the backlog
      adopt(client);
      talk();
    });
  }
  void drop_client() {
    reader_.stop();
    std::unique_ptr<FdWriter> old;
    {
      const std::lock_guard lock(mutex_);
      old.swap(writer_);
    }
    old.reset();  // it waits for the last bytes: not under the lock
    if (client_ >= 0) close(client_);
    client_ = -1;
  }

  EventLoop& loop_;
  const CharSpec spec_;
  const int listener_;
  int client_ = -1;
  Sink sink_;
  FdReader reader_;
  std::mutex mutex_;  // writer_ is the guest's too
  std::unique_ptr<FdWriter> writer_;
};

Result<int> make_listener(const std::string& path, const sockaddr_un& address) {
  // The socket of an earlier run is replaced, anything else of that name is not.
  struct stat status{};
  if (lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, sizeof(address)) != 0 || listen(fd, 1) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail("{}: {}", path, std::strerror(error));
  }
  return fd;
}

Result<int> make_client(const std::string& path, const sockaddr_un& address) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    if (fd >= 0) close(fd);
    return fail("{}: {}", path, std::strerror(error));
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

int wait_for_client(int listener, const CharSpec& spec) {
  fmt::print("pagoda: waiting for a connection to {} (label {})\n", spec.path, spec.id);
  std::fflush(stdout);
  for (;;) {
    pollfd ask{listener, POLLIN, 0};
    if (poll(&ask, 1, -1) < 0) continue;
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) return client;
  }
}

}  // namespace

Result<std::unique_ptr<CharChannel>> open_socket_channel(const CharSpec& spec, EventLoop& loop) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (spec.path.empty() || spec.path.size() >= sizeof(address.sun_path)) return fail("bad socket path '{}'", spec.path);
  std::memcpy(address.sun_path, spec.path.data(), spec.path.size());
  int listener = -1, client = -1;
  if (spec.server) {
    TRY_ASSIGN(listener, make_listener(spec.path, address));
    if (spec.wait) client = wait_for_client(listener, spec);
  } else {
    TRY_ASSIGN(client, make_client(spec.path, address));
  }
  return std::make_unique<SocketChannel>(loop, spec, listener, client);
}

}  // namespace pagoda
