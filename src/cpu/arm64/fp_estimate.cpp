// SPDX-License-Identifier: MIT
// Estimates of reciprocals and reciprocal square roots, and the steps that refine them (Arm ARM FPRecipEstimate,
// FPRSqrtEstimate, FPRecpX, FPRecipStepFused, FPRSqrtStepFused). The estimates are exact functions of eight bits.
#include "cpu/arm64/fp_estimate.h"

#include "cpu/arm64/fp_math.h"

namespace pagoda::arm64 {

// 256..511 stand for 0.5..1; the result for 1..2.
u32 reciprocal_of(u32 a) {
  const u32 middle = a * 2 + 1;
  return ((1u << 19) / middle + 1) / 2;
}

// 128..255 stand for 0.25..0.5, 256..511 for 0.5..1.
u32 reciprocal_root_of(u32 a) {
  const u32 middle = a < 256 ? a * 2 + 1 : ((a >> 1 << 1) + 1) * 2;
  u32 b = 512;
  while (u64{middle} * (b + 1) * (b + 1) < u64{1} << 28) ++b;
  return (b + 1) / 2;
}

namespace {

// Exponent field and fraction, the fraction left-aligned at 52 bits.
struct Fields {
  i64 exponent;
  u64 fraction;
};
constexpr u64 kFractionMask = (u64{1} << 52) - 1;
template <class T>
Fields fields_of(T a) {
  constexpr int kFraction = fp::Format<T>::kPrecision - 1;
  const u64 m = fp::magnitude(a);
  return {static_cast<i64>(m >> kFraction), (m << (52 - kFraction)) & kFractionMask};
}
template <class T>
T packed(bool negative, i64 exponent, u64 fraction) {
  constexpr int kFraction = fp::Format<T>::kPrecision - 1;
  const u64 m = static_cast<u64>(exponent) << kFraction | fraction >> (52 - kFraction);
  return static_cast<T>((negative ? fp::Format<T>::kSign : T{0}) | static_cast<T>(m));
}

}  // namespace

template <class T>
T FpMath::reciprocal_estimate(T a) {
  using F = fp::Format<T>;
  a = input(a);
  const bool negative = fp::is_negative(a);
  if (fp::is_nan(a)) return nan(a);
  if (is_inf(a)) return with_sign<T>(negative, 0);
  if (fp::magnitude(a) == 0) {
    fp::raise_flags(fp::kDivideByZero);
    return with_sign<T>(negative, F::kInf);
  }
  auto [exponent, fraction] = fields_of(a);
  // Below a quarter of the smallest normal number the result is beyond the range.
  if (exponent == 0 && fraction < u64{1} << 50) {
    fp::raise_flags(fp::kOverflow | fp::kInexact);
    const bool to_inf = round_ == Round::nearest_even || round_ == (negative ? Round::down : Round::up);
    return with_sign<T>(negative, static_cast<T>(to_inf ? F::kInf : F::kInf - 1));
  }
  const bool flush = (fpcr_ & (sizeof(T) == 2 ? kFpcrFlushHalf : kFpcrFlush)) != 0;
  const i64 most = 2 * F::kMaxExponent + 1;  // the field of infinity
  if (flush && exponent >= most - 2) {
    fp::raise_flags(fp::kUnderflow);
    return with_sign<T>(negative, 0);
  }
  if (exponent == 0) {
    if ((fraction >> 51 & 1) == 0) {
      exponent = -1;
      fraction = fraction << 2 & kFractionMask;
    } else {
      fraction = fraction << 1 & kFractionMask;
    }
  }
  i64 result_exponent = most - 2 - exponent;
  const u32 estimate = reciprocal_of(256 | static_cast<u32>(fraction >> 44));
  u64 result = u64{estimate & 255} << 44;
  if (result_exponent == 0) {
    result = u64{1} << 51 | result >> 1;
  } else if (result_exponent == -1) {
    result = u64{1} << 50 | result >> 2;
    result_exponent = 0;
  }
  return packed<T>(negative, result_exponent, result);
}

template <class T>
T FpMath::root_estimate(T a) {
  using F = fp::Format<T>;
  a = input(a);
  const bool negative = fp::is_negative(a);
  if (fp::is_nan(a)) return nan(a);
  if (fp::magnitude(a) == 0) {
    fp::raise_flags(fp::kDivideByZero);
    return with_sign<T>(negative, F::kInf);
  }
  if (negative) {
    fp::raise_flags(fp::kInvalid);
    return F::kNan;
  }
  if (is_inf(a)) return 0;
  auto [exponent, fraction] = fields_of(a);
  if (exponent == 0) {
    while ((fraction >> 51 & 1) == 0) {
      fraction = fraction << 1 & kFractionMask;
      --exponent;
    }
    fraction = fraction << 1 & kFractionMask;
  }
  const u32 scaled =
      (exponent & 1) == 0 ? 256 | static_cast<u32>(fraction >> 44) : 128 | static_cast<u32>(fraction >> 45);
  const i64 result_exponent = (3 * F::kMaxExponent - 1 - exponent) >> 1;
  return packed<T>(false, result_exponent, u64{reciprocal_root_of(scaled) & 255} << 44);
}

template <class T>
T FpMath::reciprocal_exponent(T a) {
  using F = fp::Format<T>;
  a = input(a);
  if (fp::is_nan(a)) return nan(a);
  constexpr int kFraction = F::kPrecision - 1;
  constexpr T kMost = static_cast<T>(F::kInf >> kFraction);
  const T exponent = static_cast<T>(fp::magnitude(a) >> kFraction);
  const T result = exponent == 0 ? static_cast<T>(kMost - 1) : static_cast<T>(~exponent & kMost);
  return with_sign<T>(fp::is_negative(a), static_cast<T>(result << kFraction));
}

// 2 - a * b
template <class T>
T FpMath::reciprocal_step(T a, T b) {
  a = fp::fneg(input(a));
  b = input(b);
  if (fp::is_nan(a) || fp::is_nan(b)) return nan(a, b);
  if (inf_by_zero(a, b)) return two_of<T>();
  return soft<T>([&](auto& env) { return fp::soft::fma(a, b, two_of<T>(), env); });
}

// (3 - a * b) / 2, by halving a factor: the sum is then rounded once. A factor that is too small to be halved leaves a
// product that only its sign matters of.
template <class T>
T FpMath::root_step(T a, T b) {
  a = fp::fneg(input(a));
  b = input(b);
  if (fp::is_nan(a) || fp::is_nan(b)) return nan(a, b);
  constexpr T half_step = least_normal<T>();
  constexpr T three_halves = static_cast<T>(one<T>() + half_step / 2);
  if (inf_by_zero(a, b)) return three_halves;
  for (T* factor : {&a, &b}) {
    if (fp::magnitude(*factor) < 2 * half_step || is_inf(*factor)) continue;
    *factor = static_cast<T>(*factor - half_step);
    break;
  }
  return soft<T>([&](auto& env) { return fp::soft::fma(a, b, three_halves, env); });
}

#define INSTANTIATE(T)                       \
  template T FpMath::reciprocal_estimate(T); \
  template T FpMath::root_estimate(T);       \
  template T FpMath::reciprocal_exponent(T); \
  template T FpMath::reciprocal_step(T, T);  \
  template T FpMath::root_step(T, T);
INSTANTIATE(u16)
INSTANTIATE(u32)
INSTANTIATE(u64)
#undef INSTANTIATE

}  // namespace pagoda::arm64
