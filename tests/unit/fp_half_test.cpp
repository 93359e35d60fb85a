// SPDX-License-Identifier: MIT
// Half precision and rounding to integral values: the claim that halves may be computed in double precision, and the
// host's ops against the integer implementation. (That one is held against MPFR in fp_mpfr_test.cpp.)
#include <gtest/gtest.h>

#include "fp_cases.h"
#include "tcg/host/fp.h"
#include "tcg/host/soft_float.h"

namespace pagoda::fp {
namespace {

using ir::Round;
using ir::Sign;

constexpr u32 kRandomCases = kQuickBuild ? 2'000'000 : 50'000;

struct Outcome {
  u64 value;
  u8 flags;
  bool operator==(const Outcome&) const = default;
};

template <class F>
Outcome on_host(Round round, F&& operation) {
  enter_guest(control_word(Round::up, 0));  // another mode than most that are told
  const u64 value = operation(round);
  return {value, flags_of(leave_guest())};
}
template <class F>
Outcome in_integers(Round round, F&& operation) {
  soft::Env env{round, 0};
  const u64 value = operation(env);
  return {value, env.flags};
}

TEST(FpHalf, WideningIsExact) {
  for (u32 bits = 0; bits < 0x10000; ++bits) {
    const u16 a = static_cast<u16>(bits);
    ASSERT_EQ(on_host(Round::mode, [&](Round) { return u64{f16_widen<u32>(a)}; }),
              in_integers(Round::nearest_even, [&](soft::Env& env) { return u64{soft::convert<u32>(a, env)}; }))
        << std::hex << bits;
    ASSERT_EQ(on_host(Round::mode, [&](Round) { return f16_widen<u64>(a); }),
              in_integers(Round::nearest_even, [&](soft::Env& env) { return soft::convert<u64>(a, env); }))
        << std::hex << bits;
    if (is_nan(a)) continue;
    for (const Round round : kRounds) {
      ASSERT_EQ(on_host(round, [&](Round r) { return u64{f16_narrow(r, f16_widen<u64>(a))}; }), (Outcome{a, 0}));
      ASSERT_EQ(on_host(round, [&](Round r) { return u64{f16_narrow(r, f16_widen<u32>(a))}; }), (Outcome{a, 0}));
    }
  }
}

u64 wide(u16 a) { return f16_widen<u64>(a); }

// Operations in double, rounded again, against the same rounded once.
template <class Twice, class Once>
void compare(const char* name, Twice&& twice, Once&& once, u16 a, u16 b, u16 c, Round round) {
  const Outcome got = on_host(round, [&](Round r) { return u64{f16_narrow(r, twice(r, wide(a), wide(b), wide(c)))}; });
  const Outcome expected = in_integers(round, [&](soft::Env& env) { return u64{once(env, a, b, c)}; });
  ASSERT_EQ(got, expected) << name << std::hex << " of " << a << ' ' << b << ' ' << c << " round "
                           << static_cast<int>(round) << " got " << got.value << '/' << int{got.flags} << " expected "
                           << expected.value << '/' << int{expected.flags};
}

void compare_all(u16 a, u16 b, u16 c, Round round) {
  compare(
      "fadd", [](Round r, u64 x, u64 y, u64) { return fadd(r, x, y); },
      [](soft::Env& env, u16 x, u16 y, u16) { return soft::add(x, y, env); }, a, b, c, round);
  compare(
      "fsub", [](Round r, u64 x, u64 y, u64) { return fsub(r, x, y); },
      [](soft::Env& env, u16 x, u16 y, u16) { return soft::sub(x, y, env); }, a, b, c, round);
  compare(
      "fmul", [](Round r, u64 x, u64 y, u64) { return fmul(r, x, y); },
      [](soft::Env& env, u16 x, u16 y, u16) { return soft::mul(x, y, env); }, a, b, c, round);
  compare(
      "fdiv", [](Round r, u64 x, u64 y, u64) { return fdiv(r, x, y); },
      [](soft::Env& env, u16 x, u16 y, u16) { return soft::div(x, y, env); }, a, b, c, round);
  compare(
      "fma", [](Round r, u64 x, u64 y, u64 z) { return fma(r, x, y, z); },
      [](soft::Env& env, u16 x, u16 y, u16 z) { return soft::fma(x, y, z, env); }, a, b, c, round);
}

// compare_all() widens NaNs that no op looks at: their flags must not count.
u16 number(u16 a) { return is_signalling(a) ? Format<u16>::kNan : a; }

TEST(FpHalf, ArithmeticInDoubleIsExact) {
  const auto specials = special_values<u16>();
  for (const u16 a : specials) {
    for (const u16 b : specials) {
      for (const Round round : kRounds) compare_all(number(a), number(b), number(static_cast<u16>(a ^ b)), round);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  Rng rng(1);
  for (u32 i = 0; i < kRandomCases; ++i) {
    const u16 a = random_operand<u16>(rng, specials, 0), b = random_operand<u16>(rng, specials, a);
    soft::Env scratch;
    const u16 near = (rng() & 1) != 0 ? soft::mul(a, b, scratch) : a;
    compare_all(number(a), number(b), number(random_operand<u16>(rng, specials, near)), kRounds[rng() % 5]);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Where 53 bits do not hold a fused sum: the product's last bit more than that below the addend's first.
TEST(FpHalf, FusedSumsThatADoubleCannotHold) {
  Rng rng(2);
  for (u32 i = 0; i < kRandomCases / 8; ++i) {
    const u64 r = rng();
    const u16 sign_a = (r & 1) != 0 ? 0x8000 : 0, sign_c = (r & 2) != 0 ? 0x8000 : 0;
    const u16 a = static_cast<u16>(sign_a | (1 + (r >> 8) % 0x7ff)), b = static_cast<u16>(1 + (r >> 24) % 0x7ff);
    const u16 c = static_cast<u16>(sign_c | ((16 + (r >> 40) % 15) << 10) | (r >> 50 & 0x3ff));
    compare_all(a, b, c, kRounds[rng() % 5]);
    // And the other way round: a large product, a tiny addend.
    const u16 large = static_cast<u16>((25 + (r >> 44) % 6) << 10 | (r >> 50 & 0x3ff));
    compare_all(static_cast<u16>(large ^ sign_c), static_cast<u16>(large ^ (r >> 30 & 0x3ff)), a, kRounds[rng() % 5]);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(FpHalf, RootsAndIntegersOfEveryHalf) {
  for (u32 bits = 0; bits < 0x10000; ++bits) {
    const u16 a = number(static_cast<u16>(bits));
    for (const Round round : kRounds) {
      compare(
          "fsqrt", [](Round r, u64 x, u64, u64) { return fsqrt(r, x); },
          [](soft::Env& env, u16 x, u16, u16) { return soft::sqrt(x, env); }, a, 0, 0, round);
      compare(
          "fround", [](Round r, u64 x, u64, u64) { return fround(r, x); },
          [](soft::Env& env, u16 x, u16, u16) { return soft::round_integral(x, false, env); }, a, 0, 0, round);
      compare(
          "froundx", [](Round r, u64 x, u64, u64) { return froundx(r, x); },
          [](soft::Env& env, u16 x, u16, u16) { return soft::round_integral(x, true, env); }, a, 0, 0, round);
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(FpHalf, IntegersThroughDouble) {
  Rng rng(3);
  for (u32 i = 0; i < kRandomCases; ++i) {
    const u64 r = rng();
    u64 value = rng() >> (r & 63);
    if ((r >> 6 & 3) == 0) value = (u64{1} << (r >> 8 & 63)) + (u64{1} << (r >> 16 & 63)) - (r >> 24 & 1);
    if ((r >> 6 & 3) == 1) value = 65504 + (r >> 32 & 63);  // around the largest half
    if ((r >> 30 & 1) != 0) value = 0 - value;
    const Sign sign = (r >> 31 & 1) != 0 ? Sign::is_signed : Sign::is_unsigned;
    const Round round = kRounds[rng() % 5];
    const Outcome got = on_host(round, [&](Round m) { return u64{f16_narrow(m, i_to_f<u64>(m, sign, value))}; });
    const Outcome expected =
        in_integers(round, [&](soft::Env& env) { return u64{soft::from_int<u16>(value, sign, env)}; });
    ASSERT_EQ(got, expected) << std::hex << value << " round " << static_cast<int>(round);
  }
}

template <class T>
class FpRound : public testing::Test {};
using Formats = testing::Types<u32, u64>;
TYPED_TEST_SUITE(FpRound, Formats);

TYPED_TEST(FpRound, ToIntegralValues) {
  using T = TypeParam;
  if (!kHostRound) GTEST_SKIP() << "the host has no SSE4.1: rounding is the integer implementation itself";
  const auto specials = special_values<T>();
  Rng rng(4);
  for (u32 i = 0; i < kRandomCases; ++i) {
    const T a = i < specials.size() * 5 ? specials[i / 5] : random_operand<T>(rng, specials, 0);
    const Round round = kRounds[i % 5];
    ASSERT_EQ(on_host(round, [&](Round r) { return u64{fround(r, a)}; }),
              in_integers(round, [&](soft::Env& env) { return u64{soft::round_integral(a, false, env)}; }))
        << std::hex << a << " round " << static_cast<int>(round);
    ASSERT_EQ(on_host(round, [&](Round r) { return u64{froundx(r, a)}; }),
              in_integers(round, [&](soft::Env& env) { return u64{soft::round_integral(a, true, env)}; }))
        << std::hex << a << " round " << static_cast<int>(round);
  }
}

}  // namespace
}  // namespace pagoda::fp
