// SPDX-License-Identifier: MIT
// The integer floating point against MPFR: exact values at high precision, rounded here by MPFR's integer rounding.
#include <gtest/gtest.h>

#include "fp_cases.h"
#include "mpfr_real.h"
#include "tcg/host/soft_float.h"

namespace pagoda::fp {
namespace {

using ir::Round;
using ir::Sign;

constexpr u32 kRandomCases = kQuickBuild ? 150'000 : 10'000;

// Enough for any product plus any double.
constexpr mpfr_prec_t kExactBits = 4400;
constexpr mpfr_prec_t kQuotientBits = 192;

template <class T>
void assign(Real& to, T a) {
  using F = Format<T>;
  const T m = magnitude(a);
  if (m == F::kInf) {
    mpfr_set_inf(to.x, 1);
  } else if (m > F::kInf) {
    mpfr_set_nan(to.x);
  } else {
    const int field = static_cast<int>(m >> (F::kPrecision - 1));
    const T fraction = m & ((T{1} << (F::kPrecision - 1)) - 1);
    const u64 sig = field == 0 ? u64{fraction} : u64{fraction} | u64{1} << (F::kPrecision - 1);
    mpfr_set_ui_2exp(to.x, sig, (field == 0 ? 1 : field) - F::kMaxExponent - F::kPrecision + 1, MPFR_RNDN);
  }
  mpfr_setsign(to.x, to.x, is_negative(a), MPFR_RNDN);
}

void to_integer(Real& to, const Real& from, Round round) {
  switch (round) {
    case Round::nearest_even:
      mpfr_roundeven(to.x, from.x);
      break;
    case Round::nearest_away:
      mpfr_round(to.x, from.x);
      break;
    case Round::down:
      mpfr_floor(to.x, from.x);
      break;
    case Round::up:
      mpfr_ceil(to.x, from.x);
      break;
    default:
      mpfr_trunc(to.x, from.x);
      break;
  }
}

// The oracle's rounding. `x` is exact, or wrong by less than could matter; scaled by powers of two only.
template <class T>
T round_real(const Real& x, Round round, u8& flags) {
  using F = Format<T>;
  const T sign = mpfr_signbit(x.x) != 0 ? F::kSign : T{0};
  if (mpfr_zero_p(x.x) != 0) return sign;
  if (mpfr_inf_p(x.x) != 0) return sign | F::kInf;
  thread_local Real scaled(kExactBits), integer(kExactBits);
  const long least = F::kMinExponent - (F::kPrecision - 1);
  const long lead = mpfr_get_exp(x.x) - 1;
  const long full = lead - (F::kPrecision - 1);
  const long last = std::max(full, least);
  mpfr_mul_2si(scaled.x, x.x, -last, MPFR_RNDN);
  to_integer(integer, scaled, round);
  const bool inexact = mpfr_equal_p(integer.x, scaled.x) == 0;
  mpfr_abs(integer.x, integer.x, MPFR_RNDN);
  u64 kept = mpfr_get_uj(integer.x, MPFR_RNDN);
  long exponent = last;
  if (kept == u64{1} << F::kPrecision) {
    kept >>= 1;
    ++exponent;
  }
  if (inexact) {
    flags |= kInexact;
    mpfr_mul_2si(scaled.x, x.x, -full, MPFR_RNDN);
    to_integer(integer, scaled, round);
    mpfr_mul_2si(integer.x, integer.x, full, MPFR_RNDN);
    mpfr_abs(integer.x, integer.x, MPFR_RNDN);
    if (mpfr_cmp_ui_2exp(integer.x, 1, F::kMinExponent) < 0) flags |= kUnderflow;
  }
  if (kept < u64{1} << (F::kPrecision - 1)) return sign | static_cast<T>(kept);  // subnormal or zero
  const long top = exponent + F::kPrecision - 1;
  if (top > F::kMaxExponent) {
    flags |= kOverflow | kInexact;
    const bool away =
        round == Round::nearest_even || round == Round::nearest_away || round == (sign != 0 ? Round::down : Round::up);
    return sign | (away ? F::kInf : F::kInf - 1);
  }
  return sign | pack_parts<T>(false, static_cast<int>(top), kept);
}

// A quotient or root cut off towards zero: a little more makes it neither exact nor a tie.
void keep_sticky(Real& x, int ternary) {
  if (ternary == 0) return;
  Real more(kQuotientBits);
  mpfr_set_ui_2exp(more.x, 1, mpfr_get_exp(x.x) - kQuotientBits - 8, MPFR_RNDN);
  mpfr_prec_round(x.x, kQuotientBits + 64, MPFR_RNDZ);
  if (mpfr_signbit(x.x) != 0)
    mpfr_sub(x.x, x.x, more.x, MPFR_RNDN);
  else
    mpfr_add(x.x, x.x, more.x, MPFR_RNDN);
}

struct Outcome {
  u64 value;
  u8 flags;
  bool operator==(const Outcome&) const = default;
};

enum class Kind { add, sub, mul, div, sqrt, fma };

template <class T>
Outcome oracle(Kind kind, Round round, T a, T b, T c) {
  thread_local Real x(kExactBits), y(kExactBits), z(kExactBits);
  Real quotient(kQuotientBits);
  const bool zero_inf = kind == Kind::fma && ((magnitude(a) == 0 && magnitude(b) == Format<T>::kInf) ||
                                              (magnitude(b) == 0 && magnitude(a) == Format<T>::kInf));
  if (is_nan(a) || is_nan(b) || is_nan(c)) {
    const bool invalid = is_signalling(a) || is_signalling(b) || is_signalling(c) || zero_inf;
    return {Format<T>::kNan, invalid ? kInvalid : u8{0}};
  }
  assign(x, a);
  assign(y, b);
  assign(z, c);
  const mpfr_rnd_t zero_sign = round == Round::down ? MPFR_RNDD : MPFR_RNDN;  // all exact but for that
  u8 flags = 0;
  const Real* result = &x;
  switch (kind) {
    case Kind::add:
      mpfr_add(x.x, x.x, y.x, zero_sign);
      break;
    case Kind::sub:
      mpfr_sub(x.x, x.x, y.x, zero_sign);
      break;
    case Kind::mul:
      mpfr_mul(x.x, x.x, y.x, MPFR_RNDN);
      break;
    case Kind::fma:
      mpfr_fma(x.x, x.x, y.x, z.x, zero_sign);
      break;
    case Kind::div:
      if (mpfr_zero_p(y.x) != 0 && mpfr_regular_p(x.x) != 0) flags |= kDivideByZero;
      keep_sticky(quotient, mpfr_div(quotient.x, x.x, y.x, MPFR_RNDZ));
      result = &quotient;
      break;
    case Kind::sqrt:
      keep_sticky(quotient, mpfr_sqrt(quotient.x, x.x, MPFR_RNDZ));
      result = &quotient;
      break;
  }
  if (mpfr_nan_p(result->x) != 0) return {Format<T>::kNan, kInvalid};
  const T value = round_real<T>(*result, round, flags);
  return {value, flags};
}

template <class T>
Outcome tested(Kind kind, Round round, T a, T b, T c) {
  soft::Env env{round, 0};
  T r = 0;
  switch (kind) {
    case Kind::add:
      r = soft::add(a, b, env);
      break;
    case Kind::sub:
      r = soft::sub(a, b, env);
      break;
    case Kind::mul:
      r = soft::mul(a, b, env);
      break;
    case Kind::div:
      r = soft::div(a, b, env);
      break;
    case Kind::sqrt:
      r = soft::sqrt(a, env);
      break;
    case Kind::fma:
      r = soft::fma(a, b, c, env);
      break;
  }
  return {r, env.flags};
}

template <class T>
void sweep(Kind kind, u32 operands) {
  const auto specials = special_values<T>();
  const auto one = [&](T a, T b, T c, Round round) {
    const Outcome expected = oracle(kind, round, a, b, c), got = tested(kind, round, a, b, c);
    ASSERT_EQ(got, expected) << std::hex << "operands " << a << ' ' << b << ' ' << c << " round "
                             << static_cast<int>(round) << " got " << got.value << '/' << int{got.flags} << " expected "
                             << expected.value << '/' << int{expected.flags};
  };
  for (const T a : specials) {
    for (const T b : specials) {
      for (const Round round : kRounds) {
        one(a, operands >= 2 ? b : 0, 0, round);
        if (testing::Test::HasFatalFailure()) return;
      }
      if (operands == 1) break;
    }
  }
  Rng rng(11);
  for (u32 i = 0; i < kRandomCases; ++i) {
    const T a = random_operand<T>(rng, specials, 0);
    const T b = operands >= 2 ? random_operand<T>(rng, specials, a) : 0;
    soft::Env scratch;
    const T c = operands >= 3 ? random_operand<T>(rng, specials, (rng() & 1) != 0 ? soft::mul(a, b, scratch) : a) : 0;
    one(a, b, c, kRounds[rng() % 5]);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class T>
class FpMpfr : public testing::Test {};
using Formats = testing::Types<u16, u32, u64>;
TYPED_TEST_SUITE(FpMpfr, Formats);

TYPED_TEST(FpMpfr, add) { sweep<TypeParam>(Kind::add, 2); }
TYPED_TEST(FpMpfr, sub) { sweep<TypeParam>(Kind::sub, 2); }
TYPED_TEST(FpMpfr, mul) { sweep<TypeParam>(Kind::mul, 2); }
TYPED_TEST(FpMpfr, div) { sweep<TypeParam>(Kind::div, 2); }
TYPED_TEST(FpMpfr, sqrt) { sweep<TypeParam>(Kind::sqrt, 1); }
TYPED_TEST(FpMpfr, fma) { sweep<TypeParam>(Kind::fma, 3); }

TYPED_TEST(FpMpfr, to_int) {
  using T = TypeParam;
  const auto specials = special_values<T>();
  Rng rng(12);
  Real x(kExactBits), integer(kExactBits), limit(128);
  for (u32 i = 0; i < 4 * kRandomCases; ++i) {
    const T a = i < specials.size() * 40 ? specials[i / 40] : random_operand<T>(rng, specials, 0);
    const u64 r = i < specials.size() * 40 ? i : rng() >> 8;
    const Round round = kRounds[r % 5];
    const u32 width = 8u << (r / 5 & 3);
    const Sign sign = (r / 20 & 1) != 0 ? Sign::is_unsigned : Sign::is_signed;
    const u64 mask = width == 64 ? ~u64{0} : (u64{1} << width) - 1;
    const u64 most = sign == Sign::is_signed ? mask >> 1 : mask;
    Outcome expected{most, kInvalid};
    if (!is_nan(a)) {
      assign(x, a);
      to_integer(integer, x, round);
      if (mpfr_cmp_d(integer.x, 0) < 0) {
        mpfr_set_ui_2exp(limit.x, sign == Sign::is_signed ? 1 : 0, width - 1, MPFR_RNDN);
        mpfr_neg(limit.x, limit.x, MPFR_RNDN);
        if (mpfr_cmp(integer.x, limit.x) >= 0) {
          expected = {static_cast<u64>(mpfr_get_sj(integer.x, MPFR_RNDN)) & mask, 0};
        } else {
          expected = {sign == Sign::is_signed ? most + 1 : 0, kInvalid};
        }
      } else {
        mpfr_set_uj(limit.x, most, MPFR_RNDN);
        if (mpfr_cmp(integer.x, limit.x) <= 0) expected = {mpfr_get_uj(integer.x, MPFR_RNDN), 0};
      }
      if (expected.flags == 0 && mpfr_equal_p(integer.x, x.x) == 0) expected.flags = kInexact;
    }
    soft::Env env{round, 0};
    const u64 value = soft::to_int(a, width, sign, env);
    ASSERT_EQ((Outcome{value, env.flags}), expected)
        << std::hex << a << " round " << static_cast<int>(round) << " width " << width << " got " << value << '/'
        << int{env.flags} << " expected " << expected.value << '/' << int{expected.flags};
  }
}

TYPED_TEST(FpMpfr, from_int) {
  using T = TypeParam;
  Rng rng(13);
  Real x(128);
  for (u32 i = 0; i < 2 * kRandomCases; ++i) {
    const u64 r = rng();
    u64 value = (r & 3) == 0 ? rng() : (r & 3) == 1 ? rng() >> (r >> 8 & 63) : rng() << (r >> 8 & 63);
    if ((r & 3) == 3) value = (u64{1} << (r >> 8 & 63)) + (u64{1} << (r >> 16 & 63)) - (r >> 24 & 1);
    const bool is_signed = (r >> 30 & 1) != 0;
    if (is_signed)
      mpfr_set_sj(x.x, static_cast<i64>(value), MPFR_RNDN);
    else
      mpfr_set_uj(x.x, value, MPFR_RNDN);
    const Round round = kRounds[(r >> 32) % 5];
    u8 flags = 0;
    const T expected = round_real<T>(x, round, flags);
    soft::Env env{round, 0};
    const T got = soft::from_int<T>(value, is_signed ? Sign::is_signed : Sign::is_unsigned, env);
    ASSERT_EQ((Outcome{got, env.flags}), (Outcome{expected, flags})) << std::hex << value << ' ' << is_signed;
  }
}

TYPED_TEST(FpMpfr, round_integral) {
  using T = TypeParam;
  const auto specials = special_values<T>();
  Rng rng(15);
  Real x(kExactBits), integer(kExactBits);
  for (u32 i = 0; i < 2 * kRandomCases; ++i) {
    const T a = i < specials.size() * 5 ? specials[i / 5] : random_operand<T>(rng, specials, 0);
    const Round round = kRounds[i % 5];
    Outcome expected{Format<T>::kNan, is_signalling(a) ? kInvalid : u8{0}};
    if (!is_nan(a)) {
      assign(x, a);
      to_integer(integer, x, round);
      u8 none = 0;
      // The sign of a zero is that of the operand.
      expected.value = mpfr_zero_p(integer.x) != 0 ? a & Format<T>::kSign : round_real<T>(integer, round, none);
      expected.flags = mpfr_equal_p(integer.x, x.x) == 0 ? kInexact : u8{0};
    }
    for (const bool exact : {true, false}) {
      soft::Env env{round, 0};
      const u64 value = soft::round_integral(a, exact, env);
      const u8 flags = exact || is_nan(a) ? expected.flags : u8{0};
      ASSERT_EQ((Outcome{value, env.flags}), (Outcome{expected.value, flags}))
          << std::hex << a << " round " << static_cast<int>(round);
    }
  }
}

TEST(FpMpfrConvert, narrow_to_half) {
  const auto specials = special_values<u64>();
  const auto single_specials = special_values<u32>();
  Rng rng(16);
  Real x(128);
  for (u32 i = 0; i < 4 * kRandomCases; ++i) {
    u64 a = i < specials.size() * 5 ? specials[i / 5] : random_operand<u64>(rng, specials, 0);
    u32 b = i < single_specials.size() * 5 ? single_specials[i / 5] : random_operand<u32>(rng, single_specials, 0);
    const u64 r = rng();
    if ((r & 3) != 0) {  // around the borders of halves
      const int exponent = (r & 4) != 0 ? -28 + static_cast<int>(r >> 8 & 15) : 11 + static_cast<int>(r >> 8 & 7);
      a = pack_parts<u64>((r & 8) != 0, exponent, a);
      b = pack_parts<u32>((r & 8) != 0, exponent, b);
    }
    const Round round = kRounds[i % 5];
    const auto expectation = [&](auto bits) {
      Outcome expected{Format<u16>::kNan, is_signalling(bits) ? kInvalid : u8{0}};
      if (is_nan(bits)) return expected;
      assign(x, bits);
      expected.flags = 0;
      expected.value = round_real<u16>(x, round, expected.flags);
      return expected;
    };
    soft::Env env{round, 0}, single_env{round, 0};
    const u16 from_double = soft::convert<u16>(a, env), from_single = soft::convert<u16>(b, single_env);
    ASSERT_EQ((Outcome{from_double, env.flags}), expectation(a))
        << std::hex << a << " round " << static_cast<int>(round);
    ASSERT_EQ((Outcome{from_single, single_env.flags}), expectation(b)) << std::hex << b;
  }
}

TEST(FpMpfrConvert, narrow_and_widen) {
  const auto specials = special_values<u64>();
  Rng rng(14);
  Real x(128);
  for (u32 i = 0; i < 4 * kRandomCases; ++i) {
    u64 a = i < specials.size() * 5 ? specials[i / 5] : random_operand<u64>(rng, specials, 0);
    const u64 r = rng();
    if ((r & 3) != 0) {  // around the borders of f32
      const int exponent = (r & 4) != 0 ? -152 + static_cast<int>(r >> 8 & 31) : 120 + static_cast<int>(r >> 8 & 15);
      a = pack_parts<u64>((r & 8) != 0, exponent, a);
    }
    const Round round = kRounds[i % 5];
    Outcome expected{Format<u32>::kNan, is_signalling(a) ? kInvalid : u8{0}};
    if (!is_nan(a)) {
      assign(x, a);
      expected.flags = 0;
      expected.value = round_real<u32>(x, round, expected.flags);
    }
    soft::Env env{round, 0};
    const u32 narrowed = soft::narrow(a, env);
    ASSERT_EQ((Outcome{narrowed, env.flags}), expected) << std::hex << a << " round " << static_cast<int>(round);
    // Back is exact.
    soft::Env wide_env{round, 0};
    const u64 widened = soft::widen(narrowed, wide_env);
    if (!is_nan(narrowed)) {
      assign(x, narrowed);
      u8 none = 0;
      ASSERT_EQ(widened, round_real<u64>(x, round, none));
    }
    ASSERT_EQ(wide_env.flags, 0);
  }
}

}  // namespace
}  // namespace pagoda::fp
