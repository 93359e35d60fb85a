// SPDX-License-Identifier: MIT
// Integer lanes: arithmetic, comparison, shifts.
#include "tcg/host/vec_lanes.h"

namespace pagoda {

const VecFunction kVecFunctions[ir::kVecOps] = {
#define VEC(name, meaning) vec::name,
#define VEC_FP(name, meaning) vec::name,
#include "tcg/ir/vec.def"
};

namespace vec {
namespace {

using Out = Vec128*;
using In = const Vec128*;

// Shift counts: all 64 bits count.
u64 count_of(In b) { return load<u64>(b)[0]; }
template <class T>
void shift_left(Out d, In a, u64 count) {
  each<T>(d, a, [count](T x) { return count < sizeof(T) * 8 ? x << count : T{0}; });
}
template <class T>
void shift_right(Out d, In a, u64 count) {
  each<T>(d, a, [count](T x) { return count < sizeof(T) * 8 ? x >> count : T{0}; });
}
template <class T>
void shift_sign(Out d, In a, u64 count) {
  const u64 bits = sizeof(T) * 8 - 1;
  each<T>(d, a, [=](T x) { return x >> (count < bits ? count : bits); });
}

}  // namespace

#define BINARY(name, T, expression)                        \
  void name(Out d, In a, In b, In, u32) {                  \
    each<T>(d, a, b, [](T x, T y) { return expression; }); \
  }
#define UNARY(name, T, expression)                 \
  void name(Out d, In a, In, In, u32) {            \
    each<T>(d, a, [](T x) { return expression; }); \
  }
// clang-format off
BINARY(add_8, u8, x + y) BINARY(add_16, u16, x + y) BINARY(add_32, u32, x + y) BINARY(add_64, u64, x + y)
BINARY(sub_8, u8, x - y) BINARY(sub_16, u16, x - y) BINARY(sub_32, u32, x - y) BINARY(sub_64, u64, x - y)
BINARY(adds_s8, i8, saturate<i8>(x + y)) BINARY(adds_s16, i16, saturate<i16>(x + y))
BINARY(adds_u8, u8, saturate<u8>(x + y)) BINARY(adds_u16, u16, saturate<u16>(x + y))
BINARY(subs_s8, i8, saturate<i8>(x - y)) BINARY(subs_s16, i16, saturate<i16>(x - y))
BINARY(subs_u8, u8, saturate<u8>(x - y)) BINARY(subs_u16, u16, saturate<u16>(x - y))
BINARY(mul_16, u16, u32{x} * y) BINARY(mul_32, u32, x * y)
BINARY(mulh_s16, i16, (i32{x} * y) >> 16) BINARY(mulh_u16, u16, (u32{x} * y) >> 16)
BINARY(mulr_s16, i16, (i32{x} * y + 0x4000) >> 15)
BINARY(mulw_u32, u64, (x & 0xffffffff) * (y & 0xffffffff))
BINARY(mulw_s32, i64, i64{static_cast<i32>(x)} * static_cast<i32>(y))
BINARY(avg_u8, u8, (x + y + 1) >> 1) BINARY(avg_u16, u16, (x + y + 1) >> 1)
BINARY(min_s8, i8, x < y ? x : y) BINARY(min_s16, i16, x < y ? x : y) BINARY(min_s32, i32, x < y ? x : y)
BINARY(min_u8, u8, x < y ? x : y) BINARY(min_u16, u16, x < y ? x : y) BINARY(min_u32, u32, x < y ? x : y)
BINARY(max_s8, i8, x > y ? x : y) BINARY(max_s16, i16, x > y ? x : y) BINARY(max_s32, i32, x > y ? x : y)
BINARY(max_u8, u8, x > y ? x : y) BINARY(max_u16, u16, x > y ? x : y) BINARY(max_u32, u32, x > y ? x : y)
BINARY(eq_8, u8, x == y ? 0xff : 0) BINARY(eq_16, u16, x == y ? 0xffff : 0)
BINARY(eq_32, u32, x == y ? ~u32{0} : 0) BINARY(eq_64, u64, x == y ? ~u64{0} : 0)
BINARY(gt_s8, i8, x > y ? -1 : 0) BINARY(gt_s16, i16, x > y ? -1 : 0)
BINARY(gt_s32, i32, x > y ? -1 : 0) BINARY(gt_s64, i64, x > y ? -1 : 0)
UNARY(abs_8, u8, x < 0x80 ? x : 0 - x) UNARY(abs_16, u16, x < 0x8000 ? x : 0 - x)
UNARY(abs_32, u32, x < 0x80000000 ? x : 0 - x)
BINARY(sign_8, u8, y == 0 ? 0 : y < 0x80 ? x : 0 - x) BINARY(sign_16, u16, y == 0 ? 0 : y < 0x8000 ? x : 0 - x)
BINARY(sign_32, u32, y == 0 ? 0 : y < 0x80000000 ? x : 0 - x)
BINARY(shlv_32, u32, y < 32 ? x << y : 0) BINARY(shlv_64, u64, y < 64 ? x << y : 0)
BINARY(shrv_32, u32, y < 32 ? x >> y : 0) BINARY(shrv_64, u64, y < 64 ? x >> y : 0)
BINARY(sarv_32, i32, x >> (static_cast<u32>(y) < 31 ? y : 31))
// clang-format on
#undef BINARY
#undef UNARY

#define SHIFT(name, function, T) \
  void name(Out d, In a, In b, In, u32) { function<T>(d, a, count_of(b)); }
#define SHIFT_BY(name, function, T) \
  void name(Out d, In a, In, In, u32 imm) { function<T>(d, a, imm); }
                                                    SHIFT(shl_16, shift_left, u16) SHIFT(shl_32, shift_left, u32)
                                                        SHIFT(shl_64, shift_left, u64) SHIFT(shr_16, shift_right, u16)
                                                            SHIFT(shr_32, shift_right,
                                                                  u32) SHIFT(shr_64, shift_right,
                                                                             u64) SHIFT(sar_16, shift_sign, i16)
                                                                SHIFT(sar_32, shift_sign,
                                                                      i32) SHIFT_BY(shli_16, shift_left, u16)
                                                                    SHIFT_BY(shli_32, shift_left,
                                                                             u32) SHIFT_BY(shli_64, shift_left, u64)
                                                                        SHIFT_BY(shri_16, shift_right, u16)
                                                                            SHIFT_BY(shri_32, shift_right, u32)
                                                                                SHIFT_BY(shri_64, shift_right,
                                                                                         u64) SHIFT_BY(sari_16,
                                                                                                       shift_sign, i16)
                                                                                    SHIFT_BY(sari_32, shift_sign, i32)
#undef SHIFT
#undef SHIFT_BY

                                                                                        void madd_s16(Out d, In a, In b,
                                                                                                      In, u32) {
  const auto x = load<i16>(a), y = load<i16>(b);
  Lanes<u32> r;
  for (u32 i = 0; i < 4; ++i) {  // two times 2^30 wraps
    r[i] = static_cast<u32>(x[2 * i] * y[2 * i]) + static_cast<u32>(x[2 * i + 1] * y[2 * i + 1]);
  }
  store(d, r);
}
void madd_us8(Out d, In a, In b, In, u32) {
  const auto x = load<u8>(a);
  const auto y = load<i8>(b);
  Lanes<i16> r;
  for (u32 i = 0; i < 8; ++i) r[i] = saturate<i16>(x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1]);
  store(d, r);
}
void sad_u8(Out d, In a, In b, In, u32) {
  const auto x = load<u8>(a), y = load<u8>(b);
  Lanes<u64> r{};
  for (u32 i = 0; i < 16; ++i) r[i / 8] += x[i] > y[i] ? x[i] - y[i] : y[i] - x[i];
  store(d, r);
}
void multi_sad(Out d, In a, In b, In, u32 imm) {
  const auto x = load<u8>(a), y = load<u8>(b);
  const u32 left = (imm & 4), right = (imm & 3) * 4;
  Lanes<u16> r{};
  for (u32 i = 0; i < 8; ++i) {
    for (u32 k = 0; k < 4; ++k) {
      const i32 difference = x[left + i + k] - y[right + k];
      r[i] = static_cast<u16>(r[i] + (difference < 0 ? -difference : difference));
    }
  }
  store(d, r);
}
void min_position_u16(Out d, In a, In, In, u32) {
  const auto x = load<u16>(a);
  Lanes<u16> r{};
  for (u32 i = 1; i < 8; ++i) {
    if (x[i] < x[r[1]]) r[1] = static_cast<u16>(i);
  }
  r[0] = x[r[1]];
  store(d, r);
}

namespace {

template <class T, class F>
void neighbours(Out d, In a, In b, F&& f) {
  const auto x = load<T>(a), y = load<T>(b);
  Lanes<T> r;
  constexpr u32 half = Lanes<T>::kCount / 2;
  for (u32 i = 0; i < half; ++i) {
    r[i] = static_cast<T>(f(x[2 * i], x[2 * i + 1]));
    r[half + i] = static_cast<T>(f(y[2 * i], y[2 * i + 1]));
  }
  store(d, r);
}

}  // namespace

#define NEIGHBOURS(name, T, expression)                          \
  void name(Out d, In a, In b, In, u32) {                        \
    neighbours<T>(d, a, b, [](T x, T y) { return expression; }); \
  }
NEIGHBOURS(hadd_16, u16, x + y)
NEIGHBOURS(hadd_32, u32, x + y)
NEIGHBOURS(hadds_s16, i16, saturate<i16>(x + y))
NEIGHBOURS(hsub_16, u16, x - y)
NEIGHBOURS(hsub_32, u32, x - y)
NEIGHBOURS(hsubs_s16, i16, saturate<i16>(x - y))
#undef NEIGHBOURS

}  // namespace vec
}  // namespace pagoda
