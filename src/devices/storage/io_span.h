// SPDX-License-Identifier: MIT
// Pieces of memory that together are one buffer: cutting, filling, copying.
#pragma once

#include <sys/uio.h>
#include <span>
#include <vector>

#include "base/types.h"
#include "devices/storage/disk_image.h"

namespace pagoda {

u64 io_size(IoSpan pieces);
// Appends [offset, offset + size) of `pieces`, which must be inside.
void io_slice(IoSpan pieces, u64 offset, u64 size, std::vector<iovec>* out);
void io_fill_zero(IoSpan pieces);
// Copies into the first bytes of `pieces`.
void io_copy_to(IoSpan pieces, const std::byte* from, u64 size);

}  // namespace pagoda
