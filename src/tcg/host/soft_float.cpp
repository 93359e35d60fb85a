// SPDX-License-Identifier: MIT
// Arithmetic on unpacked integers: every operation makes an exact significand (or one with a sticky remainder) and
// round_pack() does the rounding for all of them.
#include "tcg/host/soft_float.h"

#include <algorithm>
#include <bit>

namespace pagoda::fp::soft {
namespace {

using ir::Round;

// A finite non-zero number sig * 2^exp with bit 63 of sig set; sig is 0 for zero.
struct Number {
  bool sign;
  int exp;
  u64 sig;
};

template <class T>
bool is_inf(T a) {
  return magnitude(a) == Format<T>::kInf;
}
template <class T>
bool is_zero(T a) {
  return magnitude(a) == 0;
}
template <class T>
T with_sign(bool sign, T bits) {
  return sign ? bits | Format<T>::kSign : bits;
}

template <class T>
Number unpack(T a) {
  using F = Format<T>;
  const T m = magnitude(a);
  const int biased = static_cast<int>(m >> (F::kPrecision - 1));
  u64 sig = m & ((T{1} << (F::kPrecision - 1)) - 1);
  if (biased != 0) sig |= u64{1} << (F::kPrecision - 1);
  if (sig == 0) return {is_negative(a), 0, 0};
  const int shift = std::countl_zero(sig);
  return {is_negative(a), std::max(biased, 1) + F::kMinExponent - F::kPrecision - shift, sig << shift};
}

// NaN operands: the canonical NaN; signalling ones raise invalid.
template <class T, class... Rest>
T nan_result(Env& env, Rest... operands) {
  if ((is_signalling(operands) || ...)) env.flags |= kInvalid;
  return Format<T>::kNan;
}
template <class T>
T invalid(Env& env) {
  env.flags |= kInvalid;
  return Format<T>::kNan;
}

// Leading bit's number; sig is not 0.
int top_bit(u128 sig) {
  const u64 high = static_cast<u64>(sig >> 64);
  return high != 0 ? 127 - std::countl_zero(high) : 63 - std::countl_zero(static_cast<u64>(sig));
}

// sig / 2^shift, the integer part, and what was cut off: its first bit and whether anything follows.
struct Cut {
  u128 kept;
  bool half;
  bool rest;
};
Cut cut(u128 sig, int shift, bool sticky) {
  if (shift <= 0) return {sig << -shift, false, sticky};
  if (shift > 128) return {0, false, sig != 0 || sticky};
  const u128 below = shift == 1 ? 0 : sig & ((u128{1} << (shift - 1)) - 1);
  return {shift == 128 ? 0 : sig >> shift, (sig >> (shift - 1) & 1) != 0, below != 0 || sticky};
}

bool rounds_up(Round round, bool sign, const Cut& c) {
  switch (round) {
    case Round::nearest_even:
      return c.half && (c.rest || (c.kept & 1) != 0);
    case Round::nearest_away:
      return c.half;
    case Round::down:
      return sign && (c.half || c.rest);
    case Round::up:
      return !sign && (c.half || c.rest);
    default:
      return false;  // to_zero
  }
}

// (sig + a little, if sticky) * 2^exp in the format T. sig is not 0; a sticky one has more than precision + 1 bits.
template <class T>
T round_pack(bool sign, int exp, u128 sig, bool sticky, Env& env) {
  using F = Format<T>;
  constexpr int kLeastExp = F::kMinExponent - (F::kPrecision - 1);  // of a subnormal's last bit
  const int top = exp + top_bit(sig);
  if (env.flush && top < F::kMinExponent) {
    env.flags |= kUnderflow;
    return with_sign<T>(sign, T{0});
  }
  const int last = std::max(top - (F::kPrecision - 1), kLeastExp);
  const Cut c = cut(sig, last - exp, sticky);
  const u64 kept = static_cast<u64>(c.kept) + rounds_up(env.round, sign, c);
  if (c.half || c.rest) {
    env.flags |= kInexact;
    // Tiny after rounding: below the smallest normal even when rounded to full precision with a free exponent.
    bool tiny = top < F::kMinExponent;
    if (top == F::kMinExponent - 1 && !env.tiny_before_rounding) {
      const Cut full = cut(sig, last - 1 - exp, sticky);
      tiny = static_cast<u64>(full.kept) + rounds_up(env.round, sign, full) < u64{1} << F::kPrecision;
    }
    if (tiny) env.flags |= kUnderflow;
  }
  // The implicit bit of `kept` adds one to the exponent field, and so does a carry out of rounding.
  const u64 biased = static_cast<u64>(last - kLeastExp);
  if (biased + (kept >> (F::kPrecision - 1)) > static_cast<u64>(2 * F::kMaxExponent)) {
    env.flags |= kOverflow | kInexact;
    const bool to_max = env.round == Round::to_zero || env.round == (sign ? Round::up : Round::down);
    return with_sign<T>(sign, to_max ? F::kInf - 1 : F::kInf);
  }
  return with_sign<T>(sign, static_cast<T>((biased << (F::kPrecision - 1)) + kept));
}

struct Wide {
  bool sign;
  int exp;
  u128 sig;  // below 2^126; 0 for zero
};
Wide widen(Number a) { return {a.sign, a.exp - 62, u128{a.sig} << 62}; }

// x + y. Low bits of both are 0 as far as they could matter when the smaller one's lost bits are kept as one sticky
// bit: a loss needs a distance of more than 18 bits, after which a difference cancels one bit at most.
template <class T>
T add_wide(Wide x, Wide y, Env& env) {
  if (x.sig == 0 && y.sig == 0) {
    return with_sign<T>(x.sign == y.sign ? x.sign : env.round == Round::down, T{0});
  }
  if (x.sig == 0) return round_pack<T>(y.sign, y.exp, y.sig, false, env);
  if (y.sig == 0) return round_pack<T>(x.sign, x.exp, x.sig, false, env);
  if (x.exp < y.exp) std::swap(x, y);
  const int distance = x.exp - y.exp;
  if (distance > 127) {
    y.sig = 1;
  } else if (distance > 0) {
    const bool lost = (y.sig & ((u128{1} << distance) - 1)) != 0;
    y.sig = y.sig >> distance | lost;
  }
  if (x.sign == y.sign) return round_pack<T>(x.sign, x.exp, x.sig + y.sig, false, env);
  if (x.sig == y.sig) return with_sign<T>(env.round == Round::down, T{0});
  if (x.sig > y.sig) return round_pack<T>(x.sign, x.exp, x.sig - y.sig, false, env);
  return round_pack<T>(y.sign, x.exp, y.sig - x.sig, false, env);
}

}  // namespace

template <class T>
T add(T a, T b, Env& env) {
  if (is_nan(a) || is_nan(b)) return nan_result<T>(env, a, b);
  if (is_inf(a)) return is_inf(b) && a != b ? invalid<T>(env) : a;
  if (is_inf(b)) return b;
  return add_wide<T>(widen(unpack(a)), widen(unpack(b)), env);
}

template <class T>
T sub(T a, T b, Env& env) {
  return add<T>(a, is_nan(b) ? b : fneg(b), env);
}

template <class T>
T mul(T a, T b, Env& env) {
  if (is_nan(a) || is_nan(b)) return nan_result<T>(env, a, b);
  const bool sign = is_negative(a) != is_negative(b);
  if (is_inf(a) || is_inf(b)) return is_zero(a) || is_zero(b) ? invalid<T>(env) : with_sign<T>(sign, Format<T>::kInf);
  if (is_zero(a) || is_zero(b)) return with_sign<T>(sign, T{0});
  const Number x = unpack(a), y = unpack(b);
  return round_pack<T>(sign, x.exp + y.exp, u128{x.sig} * y.sig, false, env);
}

template <class T>
T div(T a, T b, Env& env) {
  if (is_nan(a) || is_nan(b)) return nan_result<T>(env, a, b);
  const bool sign = is_negative(a) != is_negative(b);
  if (is_inf(a)) return is_inf(b) ? invalid<T>(env) : with_sign<T>(sign, Format<T>::kInf);
  if (is_inf(b)) return with_sign<T>(sign, T{0});
  if (is_zero(b)) {
    if (is_zero(a)) return invalid<T>(env);
    env.flags |= kDivideByZero;
    return with_sign<T>(sign, Format<T>::kInf);
  }
  if (is_zero(a)) return with_sign<T>(sign, T{0});
  const Number x = unpack(a), y = unpack(b);
  const u128 dividend = u128{x.sig} << 64;
  return round_pack<T>(sign, x.exp - y.exp - 64, dividend / y.sig, dividend % y.sig != 0, env);
}

template <class T>
T sqrt(T a, Env& env) {
  if (is_nan(a)) return nan_result<T>(env, a);
  if (is_zero(a)) return a;
  if (is_negative(a)) return invalid<T>(env);
  if (is_inf(a)) return a;
  const Number x = unpack(a);
  // An even exponent, and as many bits as give a root of 64.
  const int shift = (x.exp & 1) != 0 ? 63 : 64;
  u128 rest = u128{x.sig} << shift;
  u128 root = 0;
  for (u128 bit = u128{1} << 126; bit != 0; bit >>= 2) {
    if (rest >= root + bit) {
      rest -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return round_pack<T>(false, (x.exp - shift) / 2, root, rest != 0, env);
}

template <class T>
T fma(T a, T b, T c, Env& env) {
  const bool zero_times_inf = (is_inf(a) && is_zero(b)) || (is_zero(a) && is_inf(b));
  if (zero_times_inf) return invalid<T>(env);
  if (is_nan(a) || is_nan(b) || is_nan(c)) return nan_result<T>(env, a, b, c);
  const bool sign = is_negative(a) != is_negative(b);
  if (is_inf(a) || is_inf(b)) {
    if (is_inf(c) && is_negative(c) != sign) return invalid<T>(env);
    return with_sign<T>(sign, Format<T>::kInf);
  }
  if (is_inf(c)) return c;
  const Number x = unpack(a), y = unpack(b);
  // The product of two normalised significands has at least 22 zeros at its end: two of them make room for a carry.
  const Wide product{sign, x.exp + y.exp + 2, (u128{x.sig} * y.sig) >> 2};
  return add_wide<T>(product, widen(unpack(c)), env);
}

template <class T>
u64 to_int(T a, u32 width, ir::Sign integer_sign, Env& env, int exponent) {
  const bool is_signed = integer_sign == ir::Sign::is_signed;
  const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
  const u64 maximum = is_signed ? mask >> 1 : mask;
  const bool sign = is_negative(a) && !is_nan(a);
  const u64 limit = !sign ? maximum : is_signed ? maximum + 1 : 0;  // of the magnitude
  if (is_zero(a)) return 0;
  if (magnitude(a) < Format<T>::kInf) {
    Number x = unpack(a);
    x.exp += exponent;
    if (x.exp <= 0) {
      const Cut c = cut(x.sig, -x.exp, false);
      const u128 value = c.kept + rounds_up(env.round, sign, c);
      if (value <= limit) {
        if (c.half || c.rest) env.flags |= kInexact;
        return (sign ? -static_cast<u64>(value) : static_cast<u64>(value)) & mask;
      }
    }
  }
  env.flags |= kInvalid;
  return (sign ? -limit : limit) & mask;
}

template <class T>
T from_int(u64 value, ir::Sign integer_sign, Env& env, int exponent) {
  if (value == 0) return 0;
  const bool sign = integer_sign == ir::Sign::is_signed && static_cast<i64>(value) < 0;
  return round_pack<T>(sign, exponent, sign ? -value : value, false, env);
}

template <class T>
T round_integral(T a, bool exact, Env& env) {
  if (is_nan(a)) return nan_result<T>(env, a);
  if (is_inf(a) || is_zero(a)) return a;
  const Number x = unpack(a);
  if (x.exp >= 0) return a;
  const Cut c = cut(x.sig, -x.exp, false);
  if (!c.half && !c.rest) return a;
  if (exact) env.flags |= kInexact;
  const u128 value = c.kept + rounds_up(env.round, x.sign, c);
  return value == 0 ? with_sign<T>(x.sign, T{0}) : round_pack<T>(x.sign, 0, value, false, env);
}

template <class To, class From>
To convert(From a, Env& env) {
  if (is_nan(a)) {
    if (is_signalling(a)) env.flags |= kInvalid;
    return Format<To>::kNan;
  }
  if (is_inf(a)) return with_sign<To>(is_negative(a), Format<To>::kInf);
  if (is_zero(a)) return with_sign<To>(is_negative(a), To{0});
  const Number x = unpack(a);
  return round_pack<To>(x.sign, x.exp, x.sig, false, env);
}

#define INSTANTIATE(T)                              \
  template T add(T, T, Env&);                       \
  template T sub(T, T, Env&);                       \
  template T mul(T, T, Env&);                       \
  template T div(T, T, Env&);                       \
  template T sqrt(T, Env&);                         \
  template T fma(T, T, T, Env&);                    \
  template u64 to_int(T, u32, ir::Sign, Env&, int); \
  template T from_int(u64, ir::Sign, Env&, int);    \
  template T round_integral(T, bool, Env&);
INSTANTIATE(u16)
INSTANTIATE(u32)
INSTANTIATE(u64)
#undef INSTANTIATE
template u32 convert(u64, Env&);
template u64 convert(u32, Env&);
template u16 convert(u64, Env&);
template u16 convert(u32, Env&);
template u32 convert(u16, Env&);
template u64 convert(u16, Env&);

}  // namespace pagoda::fp::soft
