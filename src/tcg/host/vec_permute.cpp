// SPDX-License-Identifier: MIT
// Integer lanes: moving, packing, widening, selecting.
#include "tcg/host/vec_lanes.h"

namespace pagoda::vec {
namespace {

using Out = Vec128*;
using In = const Vec128*;

template <class From, class To>
void pack(Out d, In a, In b) {
  const auto x = load<From>(a), y = load<From>(b);
  Lanes<To> r;
  for (u32 i = 0; i < x.kCount; ++i) {
    r[i] = saturate<To>(x[i]);
    r[x.kCount + i] = saturate<To>(y[i]);
  }
  store(d, r);
}

template <class T>
void zip(Out d, In a, In b, u32 from) {
  const auto x = load<T>(a), y = load<T>(b);
  Lanes<T> r;
  constexpr u32 half = Lanes<T>::kCount / 2;
  for (u32 i = 0; i < half; ++i) {
    r[2 * i] = x[from * half + i];
    r[2 * i + 1] = y[from * half + i];
  }
  store(d, r);
}

// b where the bit of `mask` is set; lane i has bit i.
template <class T>
void blend(Out d, In a, In b, u32 mask) {
  auto r = load<T>(a);
  const auto y = load<T>(b);
  for (u32 i = 0; i < r.kCount; ++i) {
    if ((mask >> i & 1) != 0) r[i] = y[i];
  }
  store(d, r);
}

template <class T>
u32 top_bits(In a) {
  const auto x = load<T>(a);
  u32 mask = 0;
  for (u32 i = 0; i < x.kCount; ++i) mask |= static_cast<u32>(x[i] >> (sizeof(T) * 8 - 1)) << i;
  return mask;
}
template <class T>
void mask_of(Out d, In a) {
  store(d, Lanes<u64>{{top_bits<T>(a), 0}});
}

template <class T>
void insert(Out d, In a, In b, u32 lane) {
  auto r = load<T>(a);
  r[lane % r.kCount] = load<T>(b)[0];
  store(d, r);
}

template <class From, class To>
void widen(Out d, In a) {
  const auto x = load<From>(a);
  Lanes<To> r;
  for (u32 i = 0; i < r.kCount; ++i) r[i] = static_cast<To>(x[i]);
  store(d, r);
}

}  // namespace

void packs_s16(Out d, In a, In b, In, u32) { pack<i16, i8>(d, a, b); }
void packs_s32(Out d, In a, In b, In, u32) { pack<i32, i16>(d, a, b); }
void packu_s16(Out d, In a, In b, In, u32) { pack<i16, u8>(d, a, b); }
void packu_s32(Out d, In a, In b, In, u32) { pack<i32, u16>(d, a, b); }

void zip_low_8(Out d, In a, In b, In, u32) { zip<u8>(d, a, b, 0); }
void zip_low_16(Out d, In a, In b, In, u32) { zip<u16>(d, a, b, 0); }
void zip_low_32(Out d, In a, In b, In, u32) { zip<u32>(d, a, b, 0); }
void zip_low_64(Out d, In a, In b, In, u32) { zip<u64>(d, a, b, 0); }
void zip_high_8(Out d, In a, In b, In, u32) { zip<u8>(d, a, b, 1); }
void zip_high_16(Out d, In a, In b, In, u32) { zip<u16>(d, a, b, 1); }
void zip_high_32(Out d, In a, In b, In, u32) { zip<u32>(d, a, b, 1); }
void zip_high_64(Out d, In a, In b, In, u32) { zip<u64>(d, a, b, 1); }

void shl_bytes(Out d, In a, In, In, u32 imm) {
  Vec128 r{};
  if (imm < 16) std::memcpy(r.bytes + imm, a->bytes, 16 - imm);
  *d = r;
}
void shr_bytes(Out d, In a, In, In, u32 imm) {
  Vec128 r{};
  if (imm < 16) std::memcpy(r.bytes, a->bytes + imm, 16 - imm);
  *d = r;
}
void align(Out d, In a, In b, In, u32 imm) {
  u8 both[64] = {};
  std::memcpy(both, b, 16);
  std::memcpy(both + 16, a, 16);
  std::memcpy(d, both + (imm < 32 ? imm : 32), 16);
}

void table(Out d, In a, In b, In, u32) {
  const Vec128 x = *a;
  each<u8>(d, b, [&x](u8 index) { return index < 0x80 ? x.bytes[index & 15] : 0; });
}
void shuffle_32(Out d, In a, In, In, u32 imm) {
  const auto x = load<u32>(a);
  store(d, Lanes<u32>{{x[imm & 3], x[imm >> 2 & 3], x[imm >> 4 & 3], x[imm >> 6]}});
}
void shuffle_low_16(Out d, In a, In, In, u32 imm) {
  const auto x = load<u16>(a);
  auto r = x;
  for (u32 i = 0; i < 4; ++i) r[i] = x[imm >> 2 * i & 3];
  store(d, r);
}
void shuffle_high_16(Out d, In a, In, In, u32 imm) {
  const auto x = load<u16>(a);
  auto r = x;
  for (u32 i = 0; i < 4; ++i) r[4 + i] = x[4 + (imm >> 2 * i & 3)];
  store(d, r);
}
void shuffle2_32(Out d, In a, In b, In, u32 imm) {
  const auto x = load<u32>(a), y = load<u32>(b);
  store(d, Lanes<u32>{{x[imm & 3], x[imm >> 2 & 3], y[imm >> 4 & 3], y[imm >> 6]}});
}
void shuffle2_64(Out d, In a, In b, In, u32 imm) {
  const auto x = load<u64>(a), y = load<u64>(b);
  store(d, Lanes<u64>{{x[imm & 1], y[imm >> 1 & 1]}});
}

void permute_32(Out d, In a, In b, In, u32) {
  const auto x = load<u32>(a);
  each<u32>(d, b, [&x](u32 index) { return x[index & 3]; });
}
void permute_64(Out d, In a, In b, In, u32) {
  const auto x = load<u64>(a);
  each<u64>(d, b, [&x](u64 index) { return x[index >> 1 & 1]; });
}

void blend_16(Out d, In a, In b, In, u32 imm) { blend<u16>(d, a, b, imm); }
void blend_32(Out d, In a, In b, In, u32 imm) { blend<u32>(d, a, b, imm); }
void blend_64(Out d, In a, In b, In, u32 imm) { blend<u64>(d, a, b, imm); }
void blendv_8(Out d, In a, In b, In c, u32) { blend<u8>(d, a, b, top_bits<u8>(c)); }
void blendv_32(Out d, In a, In b, In c, u32) { blend<u32>(d, a, b, top_bits<u32>(c)); }
void blendv_64(Out d, In a, In b, In c, u32) { blend<u64>(d, a, b, top_bits<u64>(c)); }

void insert_8(Out d, In a, In b, In, u32 imm) { insert<u8>(d, a, b, imm); }
void insert_16(Out d, In a, In b, In, u32 imm) { insert<u16>(d, a, b, imm); }
void insert_32(Out d, In a, In b, In, u32 imm) { insert<u32>(d, a, b, imm); }
void insert_64(Out d, In a, In b, In, u32 imm) { insert<u64>(d, a, b, imm); }
void insert_float(Out d, In a, In b, In, u32 imm) {
  auto r = load<u32>(a);
  r[imm >> 4 & 3] = load<u32>(b)[imm >> 6];
  for (u32 i = 0; i < 4; ++i) {
    if ((imm >> i & 1) != 0) r[i] = 0;
  }
  store(d, r);
}

void mask_8(Out d, In a, In, In, u32) { mask_of<u8>(d, a); }
void mask_32(Out d, In a, In, In, u32) { mask_of<u32>(d, a); }
void mask_64(Out d, In a, In, In, u32) { mask_of<u64>(d, a); }

void sx_8_16(Out d, In a, In, In, u32) { widen<i8, i16>(d, a); }
void sx_8_32(Out d, In a, In, In, u32) { widen<i8, i32>(d, a); }
void sx_8_64(Out d, In a, In, In, u32) { widen<i8, i64>(d, a); }
void sx_16_32(Out d, In a, In, In, u32) { widen<i16, i32>(d, a); }
void sx_16_64(Out d, In a, In, In, u32) { widen<i16, i64>(d, a); }
void sx_32_64(Out d, In a, In, In, u32) { widen<i32, i64>(d, a); }
void zx_8_16(Out d, In a, In, In, u32) { widen<u8, u16>(d, a); }
void zx_8_32(Out d, In a, In, In, u32) { widen<u8, u32>(d, a); }
void zx_8_64(Out d, In a, In, In, u32) { widen<u8, u64>(d, a); }
void zx_16_32(Out d, In a, In, In, u32) { widen<u16, u32>(d, a); }
void zx_16_64(Out d, In a, In, In, u32) { widen<u16, u64>(d, a); }
void zx_32_64(Out d, In a, In, In, u32) { widen<u32, u64>(d, a); }

}  // namespace pagoda::vec
