// SPDX-License-Identifier: MIT
// Addresses to sockets.
#include "devices/serial/socket_address.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <memory>

namespace pagoda {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Result<Addresses> resolve(const CharSpec& spec) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  // No host: the loopback addresses, also for a server: a debugger or console is not for the whole network unasked.
  const int error = getaddrinfo(spec.host.empty() ? nullptr : spec.host.c_str(), spec.port.c_str(), &hints, &list);
  if (error != 0) return fail("{}: {}", socket_name(spec), gai_strerror(error));
  return Addresses(list);
}

Result<sockaddr_un> unix_address(const CharSpec& spec) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (spec.path.empty() || spec.path.size() >= sizeof(address.sun_path)) return fail("bad socket path '{}'", spec.path);
  std::memcpy(address.sun_path, spec.path.data(), spec.path.size());
  return address;
}

std::unexpected<Error> failed(const CharSpec& spec, int fd) {
  const int error = errno;
  if (fd >= 0) close(fd);
  return fail("{}: {}", socket_name(spec), std::strerror(error));
}

// Keys and debugger packets are small and waited for. Unix sockets do not know the option.
void set_no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

std::string socket_name(const CharSpec& spec) {
  return spec.port.empty() ? spec.path : fmt::format("{}:{}", spec.host, spec.port);
}

Result<int> socket_listen(const CharSpec& spec) {
  constexpr int kType = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (spec.port.empty()) {
    TRY_ASSIGN(const sockaddr_un address, unix_address(spec));
    // The socket of an earlier run is replaced, anything else of that name is not.
    struct stat status{};
    if (lstat(spec.path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(spec.path.c_str());
    const int fd = socket(AF_UNIX, kType, 0);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (fd < 0 || bind(fd, generic, sizeof(address)) != 0 || listen(fd, 1) != 0) return failed(spec, fd);
    return fd;
  }
  TRY_ASSIGN(const Addresses addresses, resolve(spec));
  int fd = -1;
  // A name with addresses of both kinds: clients that say 127.0.0.1 are more than those that say ::1.
  for (const bool is_ipv4 : {true, false}) {
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
      if ((address->ai_family == AF_INET) != is_ipv4) continue;
      if (fd >= 0) close(fd);
      fd = socket(address->ai_family, kType, 0);
      if (fd < 0) continue;
      const int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
      if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 1) == 0) return fd;
    }
  }
  return failed(spec, fd);
}

Result<int> socket_connect(const CharSpec& spec) {
  if (spec.port.empty()) {
    TRY_ASSIGN(const sockaddr_un address, unix_address(spec));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (fd < 0 || connect(fd, generic, sizeof(address)) != 0) return failed(spec, fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
  }
  TRY_ASSIGN(const Addresses addresses, resolve(spec));
  int fd = -1;
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    if (fd >= 0) close(fd);
    fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) != 0) continue;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    set_no_delay(fd);
    return fd;
  }
  return failed(spec, fd);
}

int socket_accept(int listener) {
  const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (client >= 0) set_no_delay(client);
  return client;
}

}  // namespace pagoda
