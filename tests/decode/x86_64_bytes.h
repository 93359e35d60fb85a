// SPDX-License-Identifier: MIT
// Random instruction bytes for the x86-64 decoder: plain noise, and rows of the tables behind heaps of prefixes.
#pragma once

#include <array>
#include <random>

#include "cpu/x86_64/decode.h"

namespace pagoda::x86_64 {

using Rng = std::mt19937_64;

struct Bytes {
  std::array<u8, 24> data{};
  u32 size = 0;
  void add(u64 byte) {
    if (size < data.size()) data[size++] = static_cast<u8>(byte);
  }
  std::span<const u8> span() const { return {data.data(), size}; }
};

// Noise all through.
Bytes random_bytes(Rng& rng);
// Prefixes (up to `most`), the row's opcode, a ModRM byte that fits it, noise behind.
Bytes bytes_of_row(Rng& rng, const Row& row, u32 most_prefixes);

}  // namespace pagoda::x86_64
