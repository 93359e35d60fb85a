// SPDX-License-Identifier: MIT
// Fork, pipe and pid file.
#include "base/daemon.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pagoda {
namespace {

// The parent's end: waits for the child's byte or its end.
[[noreturn]] void wait_for(pid_t child, int from) {
  char byte = 0;
  ssize_t got = 0;
  do {
    got = read(from, &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) _exit(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

}  // namespace

Result<> Daemon::start() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail("-daemonize: {}", std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) return fail("-daemonize: {}", std::strerror(errno));
  if (child != 0) {
    close(ends[1]);
    wait_for(child, ends[0]);
  }
  close(ends[0]);
  pipe_ = ends[1];
  setsid();
  return {};
}

void Daemon::ready() {
  if (pipe_ < 0) return;
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (null >= 0) dup2(null, stream);
  }
  if (null > STDERR_FILENO) close(null);
  [[maybe_unused]] const ssize_t done = ::write(pipe_, "", 1);
  close(std::exchange(pipe_, -1));
}

PidFile::~PidFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

Result<> PidFile::write(const std::string& path) {
  if (path.empty()) return {};
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail("-pidfile {}: {}", path, std::strerror(errno));
  const std::string text = fmt::format("{}\n", getpid());
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int error = errno;
  close(fd);
  if (!written) return fail("-pidfile {}: {}", path, std::strerror(error));
  path_ = path;
  return {};
}

}  // namespace pagoda
