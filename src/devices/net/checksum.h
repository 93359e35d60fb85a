// SPDX-License-Identifier: MIT
// The Internet checksum (RFC 1071).
#pragma once

#include <cstddef>
#include <span>

#include "base/types.h"

namespace pagoda {

// One's complement sum of 16-bit words as they lie in memory, folded to 16 bits; an odd last byte counts as if a zero
// followed. `start` is a sum to go on from, over an even number of bytes. Sums are byte-order independent: what is
// stored in memory order gives a checksum in network order.
u16 internet_sum(std::span<const std::byte> bytes, u16 start = 0);

// Replaces the partial transport checksum of a frame (see NetFrame) by the whole one. False, and nothing done, if it
// does not lie in the frame. A checksum of 0 becomes 0xffff, as UDP wants it and TCP does not mind.
[[nodiscard]] bool complete_checksum(std::span<std::byte> frame, u16 checksum_start, u16 checksum_offset);

}  // namespace pagoda
