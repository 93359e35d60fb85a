// SPDX-License-Identifier: MIT
// DiskImage: the bytes of a disk, whatever file format holds them; and how one is opened.
//
// Threading: every call from any thread at once. Requests that overlap are ordered by whoever makes them.
#pragma once

#include <sys/uio.h>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

using IoSpan = std::span<const iovec>;

enum class DiskFormat : u8 { probe, raw, qcow2 };

class DiskImage {
 public:
  static constexpr u64 kSectorSize = 512;
  virtual ~DiskImage() = default;

  const std::string& path() const { return path_; }
  u64 size() const { return size_; }  // bytes, fixed while open
  bool read_only() const { return read_only_; }

  // Whole ranges inside size(). They return 0 or an errno value; on an error any part may have been done.
  virtual int read(u64 offset, IoSpan to) = 0;
  virtual int write(u64 offset, IoSpan from) = 0;
  // What was written before is on stable storage when this returns.
  virtual int flush() = 0;
  // The content of the range no longer matters: its space goes back to the host if the host can do that.
  virtual int discard(u64 offset, u64 size) = 0;
  // The range reads as zeros. `may_unmap`: its space may go back to the host.
  virtual int write_zeroes(u64 offset, u64 size, bool may_unmap) = 0;

  // What is known of the bytes from `offset` on without reading them.
  struct Extent {
    u64 size = 0;       // bytes that are alike, at least 1
    bool zero = false;  // they read as zeros
    u32 depth = 0;      // how far down the backing chain they were found; kNowhere: in no file of the chain
    static constexpr u32 kNowhere = ~u32{0};
  };
  virtual int extent(u64 offset, u64 size, Extent* extent) = 0;

  int read(u64 offset, std::span<std::byte> to) {
    const iovec piece{to.data(), to.size()};
    return read(offset, IoSpan(&piece, 1));
  }
  int write(u64 offset, std::span<const std::byte> from) {
    const iovec piece{const_cast<std::byte*>(from.data()), from.size()};
    return write(offset, IoSpan(&piece, 1));
  }

 protected:
  DiskImage(std::string path, u64 size, bool read_only) : path_(std::move(path)), size_(size), read_only_(read_only) {}

 private:
  const std::string path_;
  const u64 size_;
  const bool read_only_;
};

struct DiskOptions {
  DiskFormat format = DiskFormat::probe;
  bool read_only = false;
  bool direct = false;      // go round the host's page cache where alignment allows it
  bool no_flush = false;    // flush() does not wait for the host's disk
  bool unmap = true;        // discarded ranges go back to the host
  bool snapshot = false;    // writes go to a temporary file that is gone when the image is closed
  bool locking = true;      // keep other programs from the file, and go when they are there first
  bool no_backing = false;  // qcow2: do not open the backing file (its clusters read as zeros)
};

// Errors are one line naming the file: whatever HostFile::open() says, a format that is not the one asked for, a
// malformed image, features that are not supported, a backing chain that loops or is too long.
Result<std::unique_ptr<DiskImage>> open_disk(const std::string& path, const DiskOptions& options);

// The format that the file's first bytes show: qcow2 or, if they are nothing known, raw.
Result<DiskFormat> probe_disk(const std::string& path, bool locking = true);
// A backing file's name as it stands in an overlay, as seen from here; errors: protocols other than plain files.
Result<std::string> resolve_backing(const std::string& overlay, const std::string& name);

}  // namespace pagoda
