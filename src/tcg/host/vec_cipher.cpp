// SPDX-License-Identifier: MIT
// AES rounds (FIPS 197) and carry-less multiplication. The state's bytes are those of the vector in order, a column
// after the other.
#include <array>

#include "tcg/host/vec_lanes.h"

namespace pagoda::vec {
namespace {

using Out = Vec128*;
using In = const Vec128*;

constexpr u8 times_x(u8 a) { return static_cast<u8>(a << 1 ^ ((a & 0x80) != 0 ? 0x1b : 0)); }
constexpr u8 multiply(u8 a, u8 b) {
  u8 product = 0;
  for (; b != 0; b >>= 1, a = times_x(a)) {
    if ((b & 1) != 0) product ^= a;
  }
  return product;
}

struct Boxes {
  std::array<u8, 256> forward{}, backward{};
  constexpr Boxes() {
    u8 p = 1, q = 1;  // p runs through all but 0, q is its inverse
    do {
      p = static_cast<u8>(p ^ times_x(p));  // times 3
      q = static_cast<u8>(q ^ q << 1);      // divided by 3
      q = static_cast<u8>(q ^ q << 2);
      q = static_cast<u8>(q ^ q << 4);
      if ((q & 0x80) != 0) q ^= 0x09;
      const auto rotated = [q](u32 n) { return static_cast<u8>(q << n | q >> (8 - n)); };
      set(p, static_cast<u8>(q ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63));
    } while (p != 1);
    set(0, 0x63);
  }
  constexpr void set(u8 from, u8 to) {
    forward[from] = to;
    backward[to] = from;
  }
};
constexpr Boxes kBoxes;

// Row r of the state turned by r columns, through a box.
Vec128 substitute(const Vec128& a, const std::array<u8, 256>& box, u32 direction) {
  Vec128 r;
  for (u32 i = 0; i < 16; ++i) r.bytes[i] = box[a.bytes[(i + (i & 3) * direction) & 15]];
  return r;
}
Vec128 forward(In a) { return substitute(*a, kBoxes.forward, 4); }
Vec128 backward(In a) { return substitute(*a, kBoxes.backward, 12); }

Vec128 mix(const Vec128& a, const u8 (&factors)[4]) {
  Vec128 r;
  for (u32 i = 0; i < 16; ++i) {
    u8 sum = 0;
    for (u32 k = 0; k < 4; ++k) sum ^= multiply(a.bytes[(i & ~3u) + k], factors[(k - i) & 3]);
    r.bytes[i] = sum;
  }
  return r;
}
constexpr u8 kMix[4] = {2, 3, 1, 1}, kInverseMix[4] = {14, 11, 13, 9};

void add_key(Out d, const Vec128& state, In key) {
  each<u64>(d, &state, key, [](u64 x, u64 y) { return x ^ y; });
}

}  // namespace

void aes_encrypt(Out d, In a, In b, In, u32) { add_key(d, mix(forward(a), kMix), b); }
void aes_encrypt_last(Out d, In a, In b, In, u32) { add_key(d, forward(a), b); }
void aes_decrypt(Out d, In a, In b, In, u32) { add_key(d, mix(backward(a), kInverseMix), b); }
void aes_decrypt_last(Out d, In a, In b, In, u32) { add_key(d, backward(a), b); }
void aes_inverse_mix(Out d, In a, In, In, u32) { *d = mix(*a, kInverseMix); }
void aes_key(Out d, In a, In, In, u32 imm) {
  const auto x = load<u32>(a);
  const auto word = [](u32 w) {
    u32 r = 0;
    for (u32 i = 0; i < 32; i += 8) r |= u32{kBoxes.forward[w >> i & 0xff]} << i;
    return r;
  };
  const u32 low = word(x[1]), high = word(x[3]);
  store(d, Lanes<u32>{{low, (low >> 8 | low << 24) ^ imm, high, (high >> 8 | high << 24) ^ imm}});
}

void clmul_64(Out d, In a, In b, In, u32 imm) {
  const u64 x = load<u64>(a)[imm & 1], y = load<u64>(b)[imm >> 4 & 1];
  Lanes<u64> r{};
  for (u32 i = 0; i < 64; ++i) {
    if ((y >> i & 1) == 0) continue;
    r[0] ^= x << i;
    if (i != 0) r[1] ^= x >> (64 - i);
  }
  store(d, r);
}

}  // namespace pagoda::vec
