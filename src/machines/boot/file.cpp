// SPDX-License-Identifier: MIT
// Reading whole files.
#include "machines/boot/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace pagoda {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

Result<std::vector<std::byte>> read_file(std::string_view option, const std::string& path, u64 limit) {
  const Descriptor file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) {
    // Test suites made for QEMU start it without a kernel and go by these words: nothing else was wrong.
    const std::string_view what = option == "-kernel" ? "could not open kernel: " : "";
    return fail("{} {}: {}{}", option, path, what, std::strerror(errno));
  }
  struct stat status{};
  if (fstat(file.fd, &status) != 0) return fail("{} {}: {}", option, path, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return fail("{} {}: it is a directory", option, path);
  const bool is_regular = S_ISREG(status.st_mode);
  constexpr u64 kStep = 1 << 20;
  const u64 expected = is_regular ? static_cast<u64>(status.st_size) : 0;
  std::vector<std::byte> bytes;
  u64 size = 0;
  while (expected <= limit && size <= limit) {
    // One byte more than expected shows the end of the file without another round.
    if (bytes.size() == size) bytes.resize(std::max(size + kStep, expected + 1));
    const ssize_t got = read(file.fd, bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("{} {}: {}", option, path, std::strerror(errno));
    if (got == 0) break;
    size += static_cast<u64>(got);
  }
  if (expected > limit || size > limit) {
    return fail("{} {}: it is too big: it would not fit into the guest's RAM (-m)", option, path);
  }
  if (size == 0) return fail("{} {}: the file is empty", option, path);
  bytes.resize(size);
  return bytes;
}

Result<> write_file(std::string_view option, const std::string& path, std::span<const std::byte> bytes) {
  const Descriptor file{open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
  if (file.fd < 0) return fail("{} {}: {}", option, path, std::strerror(errno));
  while (!bytes.empty()) {
    const ssize_t done = write(file.fd, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return fail("{} {}: {}", option, path, std::strerror(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return {};
}

}  // namespace pagoda
