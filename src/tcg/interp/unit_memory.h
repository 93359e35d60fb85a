// SPDX-License-Identifier: MIT
// Memory of units: cut one after the other from chunks of a huge page each.
//
// Translation writes fresh memory at a high rate; with 4 KiB pages clearing them is about a quarter of a
// translation-only run. Units die in about the order they were made, so a chunk is used again when its last unit is
// freed; the code cache watches unit_memory_bytes() for guests that keep one unit of each chunk alive. Any thread.
// Under a sanitizer every block comes from malloc, so that it sees wrong uses.
#pragma once

#include <cstddef>

namespace pagoda {

inline constexpr std::size_t kMostUnitBytes = std::size_t{1} << 20;

// Aligned to 32 bytes; at most kMostUnitBytes. Null when the host has no memory left.
void* allocate_unit(std::size_t bytes);
void free_unit_memory(void* memory);
// Bytes of all chunks that hold a unit.
std::size_t unit_memory_bytes();

}  // namespace pagoda
