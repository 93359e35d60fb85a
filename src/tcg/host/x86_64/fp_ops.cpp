// SPDX-License-Identifier: MIT
// The rare parts of the floating-point ops: NaN flags, saturation, rounding other than the current mode.
#include "tcg/host/x86_64/fp_ops.h"

#include "tcg/host/soft_float.h"

namespace pagoda::fp {
namespace {

using ir::Round;
using ir::Sign;

constexpr Round kRoundOfBits[4] = {Round::nearest_even, Round::down, Round::up, Round::to_zero};

// Runs `operation` with the host rounding as told; flags stay, the mode comes back.
template <class F>
auto under(Round round, F&& operation) {
  const u32 before = mxcsr::read();
  mxcsr::write(with_round(before, round));
  const auto result = operation();
  mxcsr::write((mxcsr::read() & ~mxcsr::kRoundMask) | (before & mxcsr::kRoundMask));
  return result;
}

// Runs `operation` on the integer implementation; Round::mode is the host's current one.
template <class F>
auto in_soft(Round round, F&& operation) {
  if (round == Round::mode) {
    round = kRoundOfBits[(mxcsr::read() & mxcsr::kRoundMask) >> mxcsr::kRoundShift];
  }
  soft::Env env{round, 0};
  const auto result = operation(env);
  if (env.flags != 0) raise_flags(env.flags);
  return result;
}

template <class Host, class Soft>
auto rounded(Round round, Host&& host, Soft&& in_integers) {
  if (round == Round::mode) return host();
  if (round == Round::nearest_away) return in_soft(round, in_integers);
  return under(round, host);
}

template <bool kTruncate, class T>
u64 to_int(T a, u32 width, Sign sign) {
  if (width == 32) return sign == Sign::is_signed ? f_to_s32<kTruncate>(a) : f_to_u32<kTruncate>(a);
  if (width == 64) return sign == Sign::is_signed ? f_to_s64<kTruncate>(a) : f_to_u64<kTruncate>(a);
  return to_int_checked<kTruncate>(a, width, sign);
}

}  // namespace

const bool kHostFma = __builtin_cpu_supports("fma") != 0;
const bool kHostRound = __builtin_cpu_supports("sse4.1") != 0;

template <class T>
T fma_soft(T a, T b, T c) {
  return in_soft(Round::mode, [&](soft::Env& env) { return soft::fma(a, b, c, env); });
}

template <class T>
T min_max_nan(T a, T b) {
  if (is_signalling(a) || is_signalling(b)) raise_flags(kInvalid);
  return is_nan(a) ? canonical(b) : a;
}

template <bool kTruncate, class T>
u64 to_int_checked(T a, u32 width, Sign sign) {
  const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
  const bool is_signed = sign == Sign::is_signed;
  const u64 maximum = is_signed ? mask >> 1 : mask;
  const bool negative = is_negative(a) && !is_nan(a);
  if (!is_signed && width == 64 && !negative && !is_nan(a)) {
    // From 2^63 every float is an integer; below 2^64 it is one that fits.
    constexpr u32 kFraction = Format<T>::kPrecision - 1;
    const u32 exponent = static_cast<u32>(a >> kFraction) - Format<T>::kMaxExponent;
    if (exponent == 63) return (u64{a} << (63 - kFraction)) | u64{1} << 63;
  }
  // The host may raise inexact for a value that turns out not to fit: then its flags are taken back.
  const u32 before = mxcsr::read();
  const i64 value = host_to_i64<kTruncate>(a);
  // The host's answer to what it cannot convert is its minimum, which a narrower type refuses below.
  const bool fits = is_signed ? value == static_cast<i64>(static_cast<u64>(value) << (64 - width)) >> (64 - width)
                              : value >= 0 && (static_cast<u64>(value) & ~mask) == 0;
  if (fits && !(value == std::numeric_limits<i64>::min() && !negative)) return static_cast<u64>(value) & mask;
  mxcsr::write(before | mxcsr::flag_bits(kInvalid));
  return negative ? (is_signed ? maximum + 1 : 0) : maximum;
}

#define PAGODA_FP_ROUNDED(name, soft_name)                                                                         \
  template <class T>                                                                                               \
  T name(Round round, T a, T b) {                                                                                  \
    return rounded(round, [&] { return name(a, b); }, [&](soft::Env& env) { return soft::soft_name(a, b, env); }); \
  }
PAGODA_FP_ROUNDED(fadd, add)
PAGODA_FP_ROUNDED(fsub, sub)
PAGODA_FP_ROUNDED(fmul, mul)
PAGODA_FP_ROUNDED(fdiv, div)
#undef PAGODA_FP_ROUNDED

template <class T>
T fsqrt(Round round, T a) {
  return rounded(round, [&] { return fsqrt(a); }, [&](soft::Env& env) { return soft::sqrt(a, env); });
}

template <class T>
T fma(Round round, T a, T b, T c) {
  return rounded(round, [&] { return fma(a, b, c); }, [&](soft::Env& env) { return soft::fma(a, b, c, env); });
}

template <class T>
u64 f_to_i(Round round, Sign sign, u32 width, T a) {
  if (round == Round::to_zero) return to_int<true>(a, width, sign);  // no change of mode: it is by far the commonest
  return rounded(
      round, [&] { return to_int<false>(a, width, sign); },
      [&](soft::Env& env) { return soft::to_int(a, width, sign, env); });
}

template <class T>
T i_to_f(Round round, Sign sign, u64 value) {
  return rounded(
      round, [&] { return sign == Sign::is_signed ? s_to_f<T>(value) : u_to_f<T>(value); },
      [&](soft::Env& env) { return soft::from_int<T>(value, sign, env); });
}

u32 f64_to_f32(Round round, u64 a) {
  return rounded(round, [&] { return f64_to_f32(a); }, [&](soft::Env& env) { return soft::narrow(a, env); });
}

template <bool kInexactToo, class T>
T round_integral(Round round, T a) {
  const auto in_integers = [&](soft::Env& env) { return soft::round_integral(a, kInexactToo, env); };
  if (!kHostRound) return in_soft(round, in_integers);
  return rounded(round, [&] { return host_round<kInexactToo>(a); }, in_integers);
}
template <class T>
T fround(Round round, T a) {
  return round_integral<false>(round, a);
}
template <class T>
T froundx(Round round, T a) {
  return round_integral<true>(round, a);
}

// The host converts singles only, and a double on the way through one would be rounded twice.
template <class T>
u16 f16_narrow(Round round, T a) {
  return in_soft(round, [&](soft::Env& env) { return soft::convert<u16>(a, env); });
}

#define INSTANTIATE(T)                              \
  template T fma_soft(T, T, T);                     \
  template T min_max_nan(T, T);                     \
  template u64 to_int_checked<false>(T, u32, Sign); \
  template u64 to_int_checked<true>(T, u32, Sign);  \
  template T fadd(Round, T, T);                     \
  template T fsub(Round, T, T);                     \
  template T fmul(Round, T, T);                     \
  template T fdiv(Round, T, T);                     \
  template T fsqrt(Round, T);                       \
  template T fma(Round, T, T, T);                   \
  template u64 f_to_i(Round, Sign, u32, T);         \
  template T i_to_f(Round, Sign, u64);              \
  template T fround(Round, T);                      \
  template T froundx(Round, T);                     \
  template u16 f16_narrow(Round, T);
INSTANTIATE(u32)
INSTANTIATE(u64)
#undef INSTANTIATE

}  // namespace pagoda::fp
