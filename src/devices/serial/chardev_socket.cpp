// SPDX-License-Identifier: MIT
// "socket": a Unix or TCP stream socket: as a server for one client at a time, or as a client.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <cstdio>
#include <mutex>

#include "devices/serial/char_channel.h"
#include "devices/serial/fd_reader.h"
#include "devices/serial/fd_writer.h"
#include "devices/serial/socket_address.h"
#include "devices/serial/telnet.h"

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
    if (spec_.port.empty()) unlink(spec_.path.c_str());
  }

  // Output without a client goes nowhere, as on a line with nobody at the end.
  void write(std::span<const u8> bytes) override {
    const std::lock_guard lock(mutex_);
    if (!writer_) return;
    if (!spec_.telnet) return writer_->write(bytes);
    const std::string escaped = TelnetFilter::escape(bytes);
    writer_->write({reinterpret_cast<const u8*>(escaped.data()), escaped.size()});
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
    telnet_ = {};
    if (spec_.telnet && spec_.server) writer_->write(TelnetFilter::greeting());
  }
  void talk() {
    const auto bytes = [this](std::span<const u8> received) {
      if (!spec_.telnet) return sink_.bytes(received);
      telnet_.feed(received, sink_.bytes, sink_.line_break);
    };
    reader_.start(client_, bytes, [this] {
      drop_client();
      sink_.connected(false);
      listen_again();
    });
    sink_.connected(true);
  }
  void listen_again() {
    if (listener_ < 0) return;
    loop_.watch(listener_, POLLIN, [this](short) {
      const int client = socket_accept(listener_);
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
  TelnetFilter telnet_;
  std::mutex mutex_;  // writer_ is the guest's too
  std::unique_ptr<FdWriter> writer_;
};

int wait_for_client(int listener, const CharSpec& spec) {
  fmt::print("pagoda: waiting for a connection to {} (label {})\n", socket_name(spec), spec.id);
  std::fflush(stdout);
  for (;;) {
    pollfd ask{listener, POLLIN, 0};
    if (poll(&ask, 1, -1) < 0) continue;
    const int client = socket_accept(listener);
    if (client >= 0) return client;
  }
}

}  // namespace

Result<std::unique_ptr<CharChannel>> open_socket_channel(const CharSpec& spec, EventLoop& loop) {
  int listener = -1, client = -1;
  if (spec.server) {
    TRY_ASSIGN(listener, socket_listen(spec));
    if (spec.wait) client = wait_for_client(listener, spec);
  } else {
    TRY_ASSIGN(client, socket_connect(spec));
  }
  return std::make_unique<SocketChannel>(loop, spec, listener, client);
}

}  // namespace pagoda
