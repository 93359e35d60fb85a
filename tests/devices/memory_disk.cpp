// SPDX-License-Identifier: MIT
// Disk images in memory.
#include "devices/memory_disk.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

namespace pagoda::test {

std::unique_ptr<DiskImage> make_disk(const std::string& content, bool read_only) {
  const int fd = memfd_create("disk", MFD_CLOEXEC);
  CHECK(fd >= 0 && ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  auto file = open_disk(fmt::format("/proc/self/fd/{}", fd), {.format = DiskFormat::raw, .read_only = read_only});
  CHECK(file.has_value(), "{}", file.error().message);
  close(fd);
  return std::move(*file);
}

std::string sector_pattern(u64 sector, u64 salt) {
  std::string text = fmt::format("sector {} {} ", sector, salt);
  while (text.size() < DiskImage::kSectorSize) text += static_cast<char>('a' + (text.size() * 7 + sector + salt) % 26);
  text.resize(DiskImage::kSectorSize);
  return text;
}

}  // namespace pagoda::test
