// SPDX-License-Identifier: MIT
// RawFile: a disk image whose bytes are the disk's bytes, or a host block device.
//
// While it is open it is locked against other programs the way QEMU locks images, so that each sees the other: any
// number of readers, or one writer and nobody else.
// Threading: read, write, flush and the like from any thread at once; the file system orders overlapping requests.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class RawFile {
 public:
  static constexpr u64 kSectorSize = 512;

  // Errors, naming the file: missing, not permitted, a directory or another thing that is no disk, size not a multiple
  // of a sector, locked by another instance.
  static Result<std::unique_ptr<RawFile>> open(const std::string& path, bool read_only);
  ~RawFile();
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  const std::string& path() const { return path_; }
  u64 size() const { return size_; }  // bytes, fixed while open
  bool read_only() const { return read_only_; }

  // Whole ranges inside size(). They return 0 or an errno value; on an error any part may have been done.
  int read(u64 offset, std::span<std::byte> out) const;
  int write(u64 offset, std::span<const std::byte> bytes);
  // What was written before is on stable storage when this returns.
  int flush();
  // The content of the range no longer matters: its space goes back to the host if the host can do that.
  int discard(u64 offset, u64 size);
  // The range reads as zeros. `may_unmap`: its space may go back to the host.
  int write_zeroes(u64 offset, u64 size, bool may_unmap);

 private:
  RawFile(std::string path, int fd, u64 size, bool read_only)
      : path_(std::move(path)), fd_(fd), size_(size), read_only_(read_only) {}

  const std::string path_;
  const int fd_;
  const u64 size_;
  const bool read_only_;
};

}  // namespace pagoda
