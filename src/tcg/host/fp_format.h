// SPDX-License-Identifier: MIT
// Floating-point values as raw bits: formats, exception flags and what needs no arithmetic. Portable, no host FP.
//
// Formats are told apart by the type that holds their bits: u16, u32 and u64 for half, single and double precision.
// Nothing here touches the host's FP state.
#pragma once

#include "base/types.h"

namespace pagoda::fp {

// Sticky exception flags in the neutral order that all hosts and guests translate to (it is RISC-V's fflags).
inline constexpr u8 kInexact = 1;
inline constexpr u8 kUnderflow = 2;
inline constexpr u8 kOverflow = 4;
inline constexpr u8 kDivideByZero = 8;
inline constexpr u8 kInvalid = 16;
inline constexpr u8 kAllFlags = 31;

template <class T>
struct Format;
template <>
struct Format<u16> {
  static constexpr int kPrecision = 11;
  static constexpr int kMinExponent = -14;
  static constexpr int kMaxExponent = 15;
  static constexpr u16 kSign = 0x8000, kInf = 0x7c00, kQuiet = 0x0200, kNan = 0x7e00;
};
template <>
struct Format<u32> {
  static constexpr int kPrecision = 24;  // significant bits, the implicit one included
  static constexpr int kMinExponent = -126;
  static constexpr int kMaxExponent = 127;
  static constexpr u32 kSign = 0x8000'0000, kInf = 0x7f80'0000, kQuiet = 0x0040'0000, kNan = 0x7fc0'0000;
};
template <>
struct Format<u64> {
  static constexpr int kPrecision = 53;
  static constexpr int kMinExponent = -1022;
  static constexpr int kMaxExponent = 1023;
  static constexpr u64 kSign = u64{1} << 63, kInf = u64{0x7ff} << 52, kQuiet = u64{1} << 51, kNan = kInf | kQuiet;
};

template <class T>
constexpr T magnitude(T a) {
  return a & static_cast<T>(~Format<T>::kSign);
}
template <class T>
constexpr bool is_negative(T a) {
  return (a & Format<T>::kSign) != 0;
}
template <class T>
constexpr bool is_nan(T a) {
  return magnitude(a) > Format<T>::kInf;
}
template <class T>
constexpr bool is_signalling(T a) {
  return is_nan(a) && (a & Format<T>::kQuiet) == 0;
}
// Any NaN becomes the canonical quiet NaN.
template <class T>
constexpr T canonical(T a) {
  if (is_nan(a)) [[unlikely]]
    return Format<T>::kNan;
  return a;
}

template <class T>
constexpr T fneg(T a) {
  return a ^ Format<T>::kSign;
}

// One bit of ten, as op fclass says.
template <class T>
constexpr u64 fclass(T a) {
  using F = Format<T>;
  const T m = magnitude(a);
  if (m > F::kInf) return (a & F::kQuiet) != 0 ? 1 << 9 : 1 << 8;
  constexpr T min_normal = T{1} << (F::kPrecision - 1);
  const u32 rank = m == F::kInf ? 3 : m >= min_normal ? 2 : m != 0 ? 1 : 0;  // distance from zero
  return u64{1} << (is_negative(a) ? 3 - rank : 4 + rank);
}

// The same number in a wider format; NaNs become canonical.
template <class T>
constexpr T from_half(u16 a) {
  using F = Format<T>;
  using H = Format<u16>;
  const T sign = T{is_negative(a)} << (sizeof(T) * 8 - 1);
  const u16 m = magnitude(a);
  if (m > H::kInf) return F::kNan;
  if (m == H::kInf) return sign | F::kInf;
  if (m == 0) return sign;
  constexpr int kMore = F::kPrecision - H::kPrecision;  // fraction bits
  constexpr T least_normal = T{1} << (H::kPrecision - 1);
  // A leading bit at its place adds one to the exponent field: a normal number brings its own field along, less the
  // bias.
  T significand = m;
  int field = F::kMaxExponent - H::kMaxExponent;
  if (significand < least_normal) {
    while ((significand & least_normal) == 0) {
      significand <<= 1;
      --field;
    }
  }
  return sign | ((significand << kMore) + (static_cast<T>(field) << (F::kPrecision - 1)));
}

// A single in a 64-bit register: the upper half is all ones, else what is read is the canonical NaN.
constexpr u64 f32_box(u32 a) { return a | u64{0xffff'ffff} << 32; }
constexpr u32 f32_unbox(u64 a) { return a >> 32 == 0xffff'ffff ? static_cast<u32>(a) : Format<u32>::kNan; }

}  // namespace pagoda::fp
