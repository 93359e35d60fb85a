// SPDX-License-Identifier: MIT
// AES rounds on half a state (Unprivileged ISA 31; FIPS 197), SM4 (GB/T 32907), and crossbar permutations (Zbkx).
//
// An AES state is four columns of four bytes, column 0 in the low word of the first operand. The instructions give the
// columns 0 and 1 of the next state; software calls them again with the operands exchanged for the other two.
#include "cpu/riscv64/crypto.h"

#include <array>
#include <bit>

namespace pagoda::riscv64::helper {
namespace {

// GF(2^8) modulo a polynomial of degree 8, of which the low bits are given.
constexpr u8 kAesField = 0x1b, kSm4Field = 0xf5;
constexpr u8 multiply(u8 a, u8 b, u8 field = kAesField) {
  u8 product = 0;
  for (; b != 0; b = static_cast<u8>(b >> 1)) {
    if ((b & 1) != 0) product ^= a;
    a = static_cast<u8>(a << 1 ^ (field & (0 - (a >> 7))));
  }
  return product;
}
constexpr u8 invert(u8 a, u8 field) {
  u8 inverse = 1;  // a^254 = a^2 a^4 ... a^128
  for (u32 i = 0; i < 7; ++i) {
    a = multiply(a, a, field);
    inverse = multiply(inverse, a, field);
  }
  return inverse;
}

struct Boxes {
  std::array<u8, 256> forward{}, inverse{};
};
// FIPS 197, 5.1.1: the inverse in the field, then an affine map.
consteval Boxes make_boxes() {
  Boxes boxes;
  for (u32 value = 0; value < 256; ++value) {
    const u8 a = static_cast<u8>(value);
    const u8 inverted = invert(a, kAesField);
    u8 mapped = 0x63;
    for (int turn = 0; turn < 5; ++turn) mapped ^= std::rotl(inverted, turn);
    boxes.forward[value] = mapped;
    boxes.inverse[mapped] = a;
  }
  return boxes;
}
constexpr Boxes kBoxes = make_boxes();

// SM4's substitution: an affine map before and after the inverse in its field.
consteval std::array<u8, 256> make_sm4_box() {
  const auto affine = [](u8 a) {
    u8 mapped = 0xd3;
    for (int bit = 0; bit < 8; ++bit)
      mapped ^= static_cast<u8>((std::popcount(static_cast<u8>(a & std::rotl(u8{0xa7}, bit))) & 1) << bit);
    return mapped;
  };
  std::array<u8, 256> box{};
  for (u32 value = 0; value < 256; ++value) box[value] = affine(invert(affine(static_cast<u8>(value)), kSm4Field));
  return box;
}
constexpr std::array<u8, 256> kSm4Box = make_sm4_box();

// The contribution of one byte: substituted, spread by a linear map, rotated to its place. SM4's words are big-endian.
template <class F>
u64 sm4_round(u64 a, u64 b, u64 byte, F&& linear) {
  const u32 substituted = u32{kSm4Box[b >> byte * 8 & 0xff]} << 24;
  const u32 spread = __builtin_bswap32(linear(substituted));
  const u32 word = std::rotl(spread, static_cast<int>(byte * 8)) ^ static_cast<u32>(a);
  return static_cast<u64>(i64{static_cast<i32>(word)});
}

u8 byte_of(u64 value, u32 index) { return static_cast<u8>(value >> 8 * index); }

// Columns 0 and 1 after (Inv)ShiftRows: row r of column c comes from column c + r, or c - r.
u64 shift_rows(u64 low, u64 high, bool inverse) {
  u64 result = 0;
  for (u32 at = 0; at < 8; ++at) {
    const u32 row = at % 4, column = at / 4;
    const u32 from = (inverse ? column - row : column + row) % 4 * 4 + row;
    result |= u64{byte_of(from < 8 ? low : high, from % 8)} << 8 * at;
  }
  return result;
}

u64 substitute(u64 value, const std::array<u8, 256>& box) {
  u64 result = 0;
  for (u32 at = 0; at < 8; ++at) result |= u64{box[byte_of(value, at)]} << 8 * at;
  return result;
}

// Each column times a polynomial whose coefficients are `first`, starting with the one of the byte itself.
u64 mix_columns(u64 value, const std::array<u8, 4>& factors) {
  u64 result = 0;
  for (u32 at = 0; at < 8; ++at) {
    u8 sum = 0;
    for (u32 step = 0; step < 4; ++step) sum ^= multiply(byte_of(value, at / 4 * 4 + (at + step) % 4), factors[step]);
    result |= u64{sum} << 8 * at;
  }
  return result;
}
constexpr std::array<u8, 4> kMix{2, 3, 1, 1}, kUnmix{14, 11, 13, 9};

// Elements of `bits` bits of `a`, chosen by those of `b`; an index beyond the last gives 0.
u64 permute(u64 a, u64 b, u32 bits) {
  const u64 mask = (u64{1} << bits) - 1;
  u64 result = 0;
  for (u32 at = 0; at < 64; at += bits) {
    const u64 index = b >> at & mask;
    if (index < 64 / bits) result |= (a >> index * bits & mask) << at;
  }
  return result;
}

}  // namespace

u64 aes64es(VcpuFrame*, u64 a, u64 b, u64, u64) { return substitute(shift_rows(a, b, false), kBoxes.forward); }
u64 aes64esm(VcpuFrame* frame, u64 a, u64 b, u64, u64) { return mix_columns(aes64es(frame, a, b, 0, 0), kMix); }
u64 aes64ds(VcpuFrame*, u64 a, u64 b, u64, u64) { return substitute(shift_rows(a, b, true), kBoxes.inverse); }
u64 aes64dsm(VcpuFrame* frame, u64 a, u64 b, u64, u64) { return mix_columns(aes64ds(frame, a, b, 0, 0), kUnmix); }
u64 aes64im(VcpuFrame*, u64 a, u64, u64, u64) { return mix_columns(a, kUnmix); }

// The word before, rotated by a byte, substituted and xored with the round constant; in round 10 substituted only.
u64 aes64ks1i(VcpuFrame*, u64 a, u64, u64, u64 round) {
  constexpr u8 kConstants[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36, 0};
  constexpr u64 kLast = 10;
  const u32 word = std::rotr(static_cast<u32>(a >> 32), round == kLast ? 0 : 8);
  const u32 result = static_cast<u32>(substitute(word, kBoxes.forward)) ^ kConstants[round];
  return u64{result} << 32 | result;
}

u64 sm4ed(VcpuFrame*, u64 a, u64 b, u64, u64 byte) {
  return sm4_round(a, b, byte,
                   [](u32 x) { return x ^ std::rotl(x, 2) ^ std::rotl(x, 10) ^ std::rotl(x, 18) ^ std::rotl(x, 24); });
}
u64 sm4ks(VcpuFrame*, u64 a, u64 b, u64, u64 byte) {
  return sm4_round(a, b, byte, [](u32 x) { return x ^ std::rotl(x, 13) ^ std::rotl(x, 23); });
}

u64 xperm4(VcpuFrame*, u64 a, u64 b, u64, u64) { return permute(a, b, 4); }
u64 xperm8(VcpuFrame*, u64 a, u64 b, u64, u64) { return permute(a, b, 8); }

}  // namespace pagoda::riscv64::helper
