// SPDX-License-Identifier: MIT
// Pieces of memory as one buffer.
#include "devices/storage/io_span.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace pagoda {

u64 io_size(IoSpan pieces) {
  u64 size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  return size;
}

void io_slice(IoSpan pieces, u64 offset, u64 size, std::vector<iovec>* out) {
  for (const iovec& piece : pieces) {
    if (size == 0) return;
    if (offset >= piece.iov_len) {
      offset -= piece.iov_len;
      continue;
    }
    const u64 step = std::min<u64>(size, piece.iov_len - offset);
    out->push_back({static_cast<std::byte*>(piece.iov_base) + offset, step});
    size -= step;
    offset = 0;
  }
  CHECK(size == 0, "{} bytes beyond the pieces", size);
}

void io_fill_zero(IoSpan pieces) {
  for (const iovec& piece : pieces) std::memset(piece.iov_base, 0, piece.iov_len);
}

void io_copy_to(IoSpan pieces, const std::byte* from, u64 size) {
  for (const iovec& piece : pieces) {
    const u64 step = std::min<u64>(size, piece.iov_len);
    std::memcpy(piece.iov_base, from, step);
    from += step;
    size -= step;
  }
  CHECK(size == 0, "{} bytes beyond the pieces", size);
}

}  // namespace pagoda
