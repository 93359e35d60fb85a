// SPDX-License-Identifier: MIT
// HostFile: a file or block device of the host that holds a disk image.
//
// While it is open it is locked against other programs the way QEMU locks images, so that each sees the other: any
// number of readers, or one writer and nobody else.
// Threading: every call from any thread at once; the file system orders overlapping requests.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "devices/storage/disk_image.h"

namespace pagoda {

class HostFile {
 public:
  struct Options {
    bool read_only = false;
    bool direct = false;    // aligned transfers bypass the host's page cache
    bool no_flush = false;  // sync() does nothing
    bool locking = true;    // off: whoever has it open, and nobody else is told
  };
  // Errors, naming the file: missing, not permitted, a directory or another thing that is no disk, locked by another
  // instance.
  static Result<std::unique_ptr<HostFile>> open(const std::string& path, const Options& options);
  // A new file; an old one of that name is emptied, once it is known that nobody else uses it.
  static Result<std::unique_ptr<HostFile>> create(const std::string& path);
  // A file without a name, in the host's folder for temporary files.
  static Result<std::unique_ptr<HostFile>> create_temporary();
  ~HostFile();
  HostFile(const HostFile&) = delete;
  HostFile& operator=(const HostFile&) = delete;

  const std::string& path() const { return path_; }
  bool read_only() const { return options_.read_only; }
  bool is_block_device() const { return is_block_device_; }
  // Device and inode: what the file is whatever it is called.
  std::pair<u64, u64> identity() const { return identity_; }
  // Bytes now, and bytes taken on the host's disk; errno values in *error.
  u64 size(int* error) const;
  u64 allocated() const;

  // 0 or an errno value. A range past the file's end is EIO.
  int read(u64 offset, IoSpan to) const;
  // As read(), but what lies past the file's end reads as zeros.
  int read_padded(u64 offset, IoSpan to) const;
  int write(u64 offset, IoSpan from);
  int read(u64 offset, void* to, u64 size) const;
  int read_padded(u64 offset, void* to, u64 size) const;
  int write(u64 offset, const void* from, u64 size);
  // What was written before is on stable storage when this returns.
  int sync();
  int resize(u64 size);
  // Takes space for the range without changing what it reads as.
  int reserve(u64 offset, u64 size);
  // The range reads as zeros and its space goes back to the host; EOPNOTSUPP where the host cannot.
  int punch(u64 offset, u64 size);
  // The range reads as zeros.
  int zero(u64 offset, u64 size, bool may_punch);
  // From `offset` on: how many bytes are data, or a hole, up to `size`. False where the host cannot tell.
  bool data_or_hole(u64 offset, u64 size, u64* length, bool* is_hole) const;

  // For tests of what a power failure leaves: told of each write and sync before it is done.
  struct Trace {
    std::function<void(u64 offset, IoSpan from)> write;
    std::function<void()> sync;
    std::function<void(u64 offset, u64 size)> punch;
  };
  void set_trace(const Trace* trace) { trace_ = trace; }

 private:
  HostFile(std::string path, int fd, const Options& options) : path_(std::move(path)), fd_(fd), options_(options) {}
  int fd_for(u64 offset, IoSpan pieces) const;

  const std::string path_;
  const int fd_;
  int direct_fd_ = -1;
  Options options_;
  bool is_block_device_ = false;
  std::pair<u64, u64> identity_;
  const Trace* trace_ = nullptr;
};

}  // namespace pagoda
