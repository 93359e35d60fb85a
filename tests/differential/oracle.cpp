// SPDX-License-Identifier: MIT
// Process and pipes.
#include "differential/oracle.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace pagoda {
namespace {

constexpr int kShared = 3;

bool write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size != 0) {
    const ssize_t put = ::write(fd, at, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    size -= static_cast<std::size_t>(put);
  }
  return true;
}

bool read_all(int fd, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size != 0) {
    const ssize_t got = ::read(fd, at, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

Oracle::~Oracle() { stop(); }

// The harness ends where its input does.
void Oracle::stop() {
  if (to_ >= 0) {
    ::close(to_);
    ::close(from_);
  }
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  to_ = from_ = pid_ = -1;
}

Result<> Oracle::start(const std::string& emulator, const std::string& model, const std::string& harness, int shared) {
  stop();
  ::signal(SIGPIPE, SIG_IGN);
  if (::access(emulator.c_str(), X_OK) != 0) return fail("{}: {}", emulator, std::strerror(errno));
  if (::access(harness.c_str(), R_OK) != 0) return fail("{}: {}", harness, std::strerror(errno));
  int to[2], from[2];
  if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) return fail("pipe: {}", std::strerror(errno));
  for (const int fd : {to[1], from[1]}) ::fcntl(fd, F_SETPIPE_SZ, 1 << 20);  // only for speed
  pid_ = ::fork();
  if (pid_ < 0) return fail("fork: {}", std::strerror(errno));
  if (pid_ == 0) {
    ::dup2(to[0], 0);
    ::dup2(from[1], 1);
    if (shared >= 0 && (shared == kShared ? ::fcntl(shared, F_SETFD, 0) : ::dup2(shared, kShared)) < 0) ::_exit(126);
    ::execl(emulator.c_str(), emulator.c_str(), "-cpu", model.c_str(), harness.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  to_ = to[1];
  from_ = from[0];
  return {};
}

Result<> Oracle::put_bytes(std::span<const std::byte> bytes) {
  if (!write_all(to_, bytes.data(), bytes.size())) return fail("the oracle does not take cases any more");
  return {};
}

Result<> Oracle::send_bytes(Word count, std::span<const std::byte> cases) {
  TRY(tell(Batch{count}));
  return put_bytes(cases);
}

Result<> Oracle::receive_bytes(std::span<std::byte> outcomes) {
  if (!read_all(from_, outcomes.data(), outcomes.size())) return fail("the oracle ended in the middle of a batch");
  return {};
}

}  // namespace pagoda
