// SPDX-License-Identifier: MIT
// Random instruction bytes for the x86-64 decoder: plain noise, and rows of the tables behind heaps of prefixes.
#pragma once

#include <array>
#include <span>

#include "cpu/x86_64/decode.h"

namespace pagoda::x86_64 {

// Numbers that cost next to nothing (splitmix64): a case takes hundreds of them.
struct Rng {
  u64 state;
  explicit Rng(u64 seed) : state(seed * 0xd1342543de82ef95) {}
  u64 operator()() {
    u64 z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
};

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
