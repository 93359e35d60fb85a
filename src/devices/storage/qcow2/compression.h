// SPDX-License-Identifier: MIT
// Compressed clusters: raw deflate with a window of 4 KiB, or a zstd frame.
#pragma once

#include <span>
#include <vector>

#include "devices/storage/qcow2/format.h"

namespace pagoda::qcow2 {

// Fills `out` whole; what follows the compressed data in `in` is ignored. False: the data is damaged.
[[nodiscard]] bool decompress(Compression type, std::span<const u8> in, std::span<std::byte> out);
// Empty: the result would be no smaller than the input.
std::vector<u8> compress(Compression type, std::span<const std::byte> in);

}  // namespace pagoda::qcow2
