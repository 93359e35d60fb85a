// SPDX-License-Identifier: MIT
// Rounds of AES, SHA-1 and SHA-256 (Arm ARM C4.1, "Cryptographic"; FIPS 197, FIPS 180-4).
#include <array>
#include <bit>

#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {
namespace {

// Times x modulo x^8 + x^4 + x^3 + x + 1.
constexpr u8 times_x(u8 a) { return static_cast<u8>((a << 1) ^ ((a & 0x80) != 0 ? 0x1b : 0)); }
constexpr u8 product(u8 a, u8 b) {
  u8 sum = 0;
  for (; b != 0; b >>= 1, a = times_x(a)) {
    if ((b & 1) != 0) sum ^= a;
  }
  return sum;
}

using Box = std::array<u8, 256>;
constexpr Box substitution() {
  Box box{};
  for (u32 value = 0; value < 256; ++value) {
    // The inverse is the 254th power.
    u8 inverse = 1;
    for (u32 n = 0; n < 254; ++n) inverse = product(inverse, static_cast<u8>(value));
    u8 mapped = 0x63;
    for (int turn = 0; turn < 5; ++turn) mapped ^= std::rotl(inverse, turn);
    box[value] = mapped;
  }
  return box;
}
const Box kBox = substitution();
const Box kInverseBox = [] {
  Box box{};
  for (u32 value = 0; value < 256; ++value) box[kBox[value]] = static_cast<u8>(value);
  return box;
}();

}  // namespace

// Opcode bits 13-12: AESE, AESD, AESMC, AESIMC.
void aes(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
  Vector result{};
  const u32 which = i.field(12, 2);
  if (which < 2) {
    for (u32 k = 0; k < 16; ++k) {
      const u32 column = k / 4, row = k % 4;
      const u32 from = ((which == 0 ? column + row : column + 4 - row) % 4) * 4 + row;
      const u8 mixed = lane<u8>(n, from) ^ lane<u8>(d, from);
      set_lane(result, k, which == 0 ? kBox[mixed] : kInverseBox[mixed]);
    }
  } else {
    constexpr u8 factors[2][4] = {{2, 3, 1, 1}, {14, 11, 13, 9}};
    for (u32 k = 0; k < 16; ++k) {
      u8 sum = 0;
      for (u32 row = 0; row < 4; ++row) {
        sum ^= product(lane<u8>(n, (k & ~3u) + row), factors[which - 2][(row + 4 - (k & 3)) % 4]);
      }
      set_lane(result, k, sum);
    }
  }
  cpu.v[i.rd()] = result;
}

namespace {

using Words = std::array<u32, 4>;
Words words_of(const Vector& v) { return {lane<u32>(v, 0), lane<u32>(v, 1), lane<u32>(v, 2), lane<u32>(v, 3)}; }
u32 choose(u32 x, u32 y, u32 z) { return ((y ^ z) & x) ^ z; }
u32 majority(u32 x, u32 y, u32 z) { return (x & y) | ((x | y) & z); }

// SHA1C, SHA1P, SHA1M: four rounds.
Words sha1_rounds(u32 kind, Words x, u32 y, const Words& w) {
  for (const u32 word : w) {
    const u32 f = kind == 0 ? choose(x[1], x[2], x[3]) : kind == 1 ? x[1] ^ x[2] ^ x[3] : majority(x[1], x[2], x[3]);
    const u32 next = y + std::rotl(x[0], 5) + f + word;
    y = x[3];
    x = {next, x[0], std::rotl(x[1], 30), x[2]};
  }
  return x;
}

// SHA256H and SHA256H2: the same four rounds, one half of the state each.
Words sha256_rounds(Words x, Words y, const Words& w, bool first_half) {
  for (const u32 word : w) {
    const u32 sum1 = std::rotr(y[0], 6) ^ std::rotr(y[0], 11) ^ std::rotr(y[0], 25);
    const u32 sum0 = std::rotr(x[0], 2) ^ std::rotr(x[0], 13) ^ std::rotr(x[0], 22);
    const u32 t = y[3] + sum1 + choose(y[0], y[1], y[2]) + word;
    const u32 a = t + sum0 + majority(x[0], x[1], x[2]);
    const u32 e = x[3] + t;
    y = {e, y[0], y[1], y[2]};
    x = {a, x[0], x[1], x[2]};
  }
  return first_half ? x : y;
}

Words sha256_schedule(const Words& d, const Words& n, const Words& m) {
  const Words added = {n[1], n[2], n[3], m[0]};
  Words result{};
  for (u32 k = 0; k < 4; ++k) {
    const u32 from = k < 2 ? m[k + 2] : result[k - 2];
    result[k] = (std::rotr(from, 17) ^ std::rotr(from, 19) ^ from >> 10) + d[k] + added[k];
  }
  return result;
}

Words sha_of_three(const Insn& i, const Words& d, const Words& n, const Words& m) {
  switch (i.field(12, 3)) {
    case 0:
    case 1:
    case 2:
      return sha1_rounds(i.field(12, 3), d, n[0], m);
    case 3:
      return {d[2] ^ d[0] ^ m[0], d[3] ^ d[1] ^ m[1], n[0] ^ d[2] ^ m[2], n[1] ^ d[3] ^ m[3]};
    case 4:
      return sha256_rounds(d, n, m, true);
    case 5:
      return sha256_rounds(n, d, m, false);
    default:
      return sha256_schedule(d, n, m);
  }
}

Words sha_of_two(const Insn& i, const Words& d, const Words& n) {
  switch (i.field(12, 5)) {
    case 0:
      return {std::rotl(n[0], 30), 0, 0, 0};
    case 1: {
      const Words t = {d[0] ^ n[1], d[1] ^ n[2], d[2] ^ n[3], d[3]};
      return {std::rotl(t[0], 1), std::rotl(t[1], 1), std::rotl(t[2], 1), std::rotl(t[3], 1) ^ std::rotl(t[0], 2)};
    }
    default: {
      const Words t = {d[1], d[2], d[3], n[0]};
      Words result{};
      for (u32 k = 0; k < 4; ++k) result[k] = (std::rotr(t[k], 7) ^ std::rotr(t[k], 18) ^ t[k] >> 3) + d[k];
      return result;
    }
  }
}

}  // namespace

void sha(Cpu& cpu, const Insn& i) {
  const Words d = words_of(cpu.v[i.rd()]), n = words_of(cpu.v[i.rn()]);
  const Words r = i.bit(11) ? sha_of_two(i, d, n) : sha_of_three(i, d, n, words_of(cpu.v[i.rm()]));
  for (u32 k = 0; k < 4; ++k) set_lane(cpu.v[i.rd()], k, r[k]);
}

}  // namespace pagoda::arm64::simd
