// SPDX-License-Identifier: MIT
// The map file of perf.
#include "tcg/cache/perf_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace pagoda {

Result<std::unique_ptr<PerfMap>> PerfMap::create() {
  const std::string path = fmt::format("/tmp/perf-{}.map", getpid());
  unlink(path.c_str());  // of an older process with this number; perf reads no link of somebody else's, nor do we write
                         // one
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  std::FILE* file = fd >= 0 ? fdopen(fd, "w") : nullptr;
  if (file == nullptr) return fail("-perfmap: {}: {}", path, std::strerror(errno));
  setvbuf(file, nullptr, _IOLBF, 4096);  // whoever looks at a process that runs sees all of it
  return std::unique_ptr<PerfMap>(new PerfMap(file));
}

PerfMap::~PerfMap() { std::fclose(file_); }

void PerfMap::add(const u8* start, u64 bytes, std::string_view name) {
  const std::lock_guard lock(mutex_);
  std::fputs(fmt::format("{:x} {:x} {}\n", reinterpret_cast<u64>(start), bytes, name).c_str(), file_);
}

}  // namespace pagoda
