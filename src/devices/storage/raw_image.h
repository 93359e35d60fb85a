// SPDX-License-Identifier: MIT
// RawImage: an image whose bytes are the disk's bytes, or a host block device.
#pragma once

#include <memory>

#include "devices/storage/disk_image.h"
#include "devices/storage/host_file.h"

namespace pagoda {

class RawImage final : public DiskImage {
 public:
  // Error, naming the file: a size that is not a multiple of a sector. `was_probed`: nobody said that this is raw, so
  // the guest may not turn it into an image of another format, which the next start would believe.
  static Result<std::unique_ptr<RawImage>> open(std::unique_ptr<HostFile> file, bool unmap, bool was_probed);

  using DiskImage::read;
  using DiskImage::write;
  int read(u64 offset, IoSpan to) override;
  int write(u64 offset, IoSpan from) override;
  int flush() override;
  int discard(u64 offset, u64 size) override;
  int write_zeroes(u64 offset, u64 size, bool may_unmap) override;
  int extent(u64 offset, u64 size, Extent* extent) override;
  HostFile& file() { return *file_; }

 private:
  RawImage(std::unique_ptr<HostFile> file, u64 size, bool unmap, bool was_probed)
      : DiskImage(file->path(), size, file->read_only()),
        file_(std::move(file)),
        unmap_(unmap),
        was_probed_(was_probed) {}
  bool is_inside(u64 offset, u64 size) const { return offset <= this->size() && size <= this->size() - offset; }

  const std::unique_ptr<HostFile> file_;
  const bool unmap_;
  const bool was_probed_;
};

}  // namespace pagoda
