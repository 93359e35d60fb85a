// SPDX-License-Identifier: MIT
// Raw images: requests go to the host's file as they are.
#include "devices/storage/raw_image.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "devices/storage/io_span.h"
#include "devices/storage/qcow2/format.h"

namespace pagoda {

Result<std::unique_ptr<RawImage>> RawImage::open(std::unique_ptr<HostFile> file, bool unmap, bool was_probed) {
  int error = 0;
  const u64 size = file->size(&error);
  if (error != 0) return fail("disk image {}: {}", file->path(), std::strerror(error));
  if (size % kSectorSize != 0)
    return fail("disk image {}: its size of {} bytes is not a multiple of {}", file->path(), size, kSectorSize);
  return std::unique_ptr<RawImage>(new RawImage(std::move(file), size, unmap, was_probed));
}

int RawImage::read(u64 offset, IoSpan to) {
  CHECK(is_inside(offset, io_size(to)));
  return file_->read(offset, to);
}

int RawImage::write(u64 offset, IoSpan from) {
  CHECK(is_inside(offset, io_size(from)));
  if (was_probed_ && offset == 0) {
    std::array<u8, sizeof(u32)> magic{};
    u64 filled = 0;
    for (const iovec& piece : from) {
      const u64 step = std::min<u64>(piece.iov_len, magic.size() - filled);
      std::memcpy(magic.data() + filled, piece.iov_base, step);
      filled += step;
    }
    if (qcow2::load_be<u32>(magic.data()) == qcow2::kMagic) return EPERM;
  }
  return file_->write(offset, from);
}

int RawImage::flush() { return read_only() ? 0 : file_->sync(); }

int RawImage::discard(u64 offset, u64 size) {
  CHECK(is_inside(offset, size));
  if (size == 0 || !unmap_) return 0;
  const int error = file_->punch(offset, size);
  return error == EOPNOTSUPP ? 0 : error;  // a discard is a wish
}

int RawImage::write_zeroes(u64 offset, u64 size, bool may_unmap) {
  CHECK(is_inside(offset, size));
  return size == 0 ? 0 : file_->zero(offset, size, may_unmap && unmap_);
}

int RawImage::extent(u64 offset, u64 size, Extent* extent) {
  CHECK(is_inside(offset, size) && size != 0);
  *extent = Extent{size, false, 0};
  bool is_hole = false;
  u64 length = 0;
  if (file_->data_or_hole(offset, size, &length, &is_hole)) *extent = Extent{length, is_hole, 0};
  return 0;
}

}  // namespace pagoda
