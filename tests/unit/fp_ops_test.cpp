// SPDX-License-Identifier: MIT
// The host's floating-point ops against the integer implementation: results and flags, every rounding, millions of
// cases. (The integer implementation is held against MPFR in fp_mpfr_test.cpp.)
#include <gtest/gtest.h>

#include <cmath>

#include "fp_cases.h"
#include "tcg/host/fp.h"
#include "tcg/host/propagating.h"
#include "tcg/host/soft_float.h"

namespace pagoda::fp {
namespace {

using ir::Round;
using ir::Sign;

constexpr u32 kRandomCases = kQuickBuild ? 1'000'000 : 50'000;

struct Outcome {
  u64 value;
  u8 flags;
  bool operator==(const Outcome&) const = default;
};

// Runs `operation(round)` in guest mode. A plain one finds its rounding in the environment and is told Round::mode; the
// other is told `round` and finds another mode, which it must leave as it was.
template <class F>
Outcome on_host(Round round, bool plain, u8 before, F&& operation) {
  const Round environment = plain ? round : round == Round::up ? Round::down : Round::up;
  enter_guest(control_word(environment, before));
  const u64 value = operation(plain ? Round::mode : round);
  const u32 control = leave_guest();
  EXPECT_EQ(control & ~mxcsr::kFlags, control_word(environment, 0));
  return {value, flags_of(control)};
}

template <class Host, class Soft>
void compare(Host&& host, Soft&& soft_op, u64 a, u64 b, u64 c, Round round, u8 before) {
  const bool plain = round != Round::nearest_away && (before & 1) == 0;
  soft::Env env{round, 0};
  const u64 value = soft_op(env);
  const Outcome expected{value, static_cast<u8>(before | env.flags)};
  const Outcome got = on_host(round, plain, before, host);
  ASSERT_EQ(got, expected) << std::hex << "operands " << a << ' ' << b << ' ' << c << " round "
                           << static_cast<int>(round) << (plain ? " plain" : " told") << " host " << got.value << '/'
                           << int{got.flags} << " expected " << expected.value << '/' << int{expected.flags};
}

// `host(Round, a, b, c)`, `soft_op(env, a, b, c)`; `specials` operands are tried in all combinations.
template <class T, class Host, class Soft>
void sweep(u32 operands, Host&& host, Soft&& soft_op) {
  const std::vector<T> all = special_values<T>();
  // Triples of all would be too many: the first ones (zeros to NaNs, both signs) and a few ordinary ones.
  std::vector<T> few;
  for (size_t i = 0; i < all.size(); ++i) {
    if (operands < 3 || i % (all.size() / 2) < 18) few.push_back(all[i]);
  }
  const std::vector<T> none = {0};
  const std::vector<T>& second = operands >= 2 ? few : none;
  const std::vector<T>& third = operands >= 3 ? few : none;
  const auto one = [&](T a, T b, T c, Round round, u8 before) {
    compare([&](Round r) { return u64{host(r, a, b, c)}; }, [&](soft::Env& env) { return u64{soft_op(env, a, b, c)}; },
            a, b, c, round, before);
  };
  Rng rng(1);
  for (const T a : few) {
    for (const T b : second) {
      for (const T c : third) {
        for (const Round round : kRounds) one(a, b, c, round, static_cast<u8>(rng() & kAllFlags & rng()));
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
  for (u32 i = 0; i < kRandomCases; ++i) {
    const T a = random_operand<T>(rng, all, 0);
    const T b = operands >= 2 ? random_operand<T>(rng, all, a) : 0;
    const T c = operands >= 3 ? random_operand<T>(rng, all, (rng() & 1) != 0 ? fmul(a, b) : a) : 0;
    const u64 r = rng();
    one(a, b, c, kRounds[r % 5], static_cast<u8>((r >> 8 & 3) == 0 ? r >> 16 & kAllFlags : r >> 16 & kInexact));
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class T>
class FpOps : public testing::Test {};
using Formats = testing::Types<u32, u64>;
TYPED_TEST_SUITE(FpOps, Formats);

#define SWEEP_BINARY(op, soft_name)                                                        \
  TYPED_TEST(FpOps, op) {                                                                  \
    using T = TypeParam;                                                                   \
    sweep<T>(                                                                              \
        2, [](Round r, T a, T b, T) { return r == Round::mode ? op(a, b) : op(r, a, b); }, \
        [](soft::Env& env, T a, T b, T) { return soft::soft_name(a, b, env); });           \
  }
SWEEP_BINARY(fadd, add)
SWEEP_BINARY(fsub, sub)
SWEEP_BINARY(fmul, mul)
SWEEP_BINARY(fdiv, div)

TYPED_TEST(FpOps, fsqrt) {
  using T = TypeParam;
  sweep<T>(
      1, [](Round r, T a, T, T) { return r == Round::mode ? fsqrt(a) : fsqrt(r, a); },
      [](soft::Env& env, T a, T, T) { return soft::sqrt(a, env); });
}
TYPED_TEST(FpOps, fma) {
  using T = TypeParam;
  if (!kHostFma) GTEST_SKIP() << "the host has no FMA3: fma is the integer implementation itself";
  sweep<T>(
      3, [](Round r, T a, T b, T c) { return r == Round::mode ? fma(a, b, c) : fma(r, a, b, c); },
      [](soft::Env& env, T a, T b, T c) { return soft::fma(a, b, c, env); });
}
TYPED_TEST(FpOps, fma_without_fma3) {
  using T = TypeParam;
  Rng rng(2);
  const auto specials = special_values<T>();
  for (u32 i = 0; i < 100'000; ++i) {
    const T a = random_operand<T>(rng, specials, 0), b = random_operand<T>(rng, specials, a);
    const T c = random_operand<T>(rng, specials, a);
    const Round round = kRounds[rng() % 4];
    enter_guest(control_word(round, 0));
    const T x = fma_soft(a, b, c);
    const u8 x_flags = flags_of(leave_guest());
    soft::Env env{round, 0};
    ASSERT_EQ(x, soft::fma(a, b, c, env));
    ASSERT_EQ(x_flags, env.flags);
  }
}

TYPED_TEST(FpOps, f_to_i) {
  using T = TypeParam;
  for (const Sign sign : {Sign::is_signed, Sign::is_unsigned}) {
    for (const u32 width : {8u, 16u, 32u, 64u}) {
      const auto plain = [&](T a) {
        if (width == 32) return sign == Sign::is_signed ? f_to_s32<false>(a) : f_to_u32<false>(a);
        if (width == 64) return sign == Sign::is_signed ? f_to_s64<false>(a) : f_to_u64<false>(a);
        return f_to_i(Round::mode, sign, width, a);
      };
      sweep<T>(
          1, [&](Round r, T a, T, T) { return r == Round::mode ? plain(a) : f_to_i(r, sign, width, a); },
          [&](soft::Env& env, T a, T, T) { return soft::to_int(a, width, sign, env); });
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(FpOps, i_to_f) {
  using T = TypeParam;
  Rng rng(3);
  for (u32 i = 0; i < 2 * kRandomCases; ++i) {
    const u64 r = rng();
    u64 value = rng();
    const u32 shift = static_cast<u32>(r & 63);
    switch (r >> 6 & 7) {
      case 0:
        value >>= shift;
        break;
      case 1:
        value = (value >> shift) << shift;
        break;
      case 2:
        value = (u64{1} << shift) + (value & 3) - 1;
        break;
      case 3:
        value = ~u64{0} >> shift;
        break;
      case 4:
        value = static_cast<u64>(static_cast<i64>(value) >> shift);
        break;
      case 5:
        value = u64{3} << shift | (u64{1} << 63 >> (r >> 10 & 63));
        break;
      default:
        break;
    }
    const Sign sign = (r >> 16 & 1) != 0 ? Sign::is_signed : Sign::is_unsigned;
    compare(
        [&](Round round) -> u64 {
          if (round != Round::mode) return i_to_f<T>(round, sign, value);
          return sign == Sign::is_signed ? s_to_f<T>(value) : u_to_f<T>(value);
        },
        [&](soft::Env& env) -> u64 { return soft::from_int<T>(value, sign, env); }, value, 0, 0, kRounds[r >> 20 & 3],
        static_cast<u8>(r >> 24 & r >> 32 & kAllFlags));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(FpConvert, f64_to_f32) {
  sweep<u64>(
      1, [](Round r, u64 a, u64, u64) { return r == Round::mode ? f64_to_f32(a) : f64_to_f32(r, a); },
      [](soft::Env& env, u64 a, u64, u64) { return soft::narrow(a, env); });
  // Around the border of f32: most doubles are far outside of it.
  Rng rng(4);
  for (u32 i = 0; i < kRandomCases; ++i) {
    const u64 r = rng();
    const int exponent = (r & 1) != 0 ? -126 - 26 + static_cast<int>(r >> 1 & 31) : 120 + static_cast<int>(r >> 1 & 15);
    u64 fraction = rng();
    if ((r >> 8 & 3) != 0) fraction = (fraction >> (r >> 16 & 63)) << (r >> 16 & 63);
    if ((r >> 8 & 3) == 2) fraction = ~fraction;
    const u64 a = pack_parts<u64>((r >> 10 & 1) != 0, exponent, fraction);
    compare([&](Round round) { return u64{round == Round::mode ? f64_to_f32(a) : f64_to_f32(round, a)}; },
            [&](soft::Env& env) { return u64{soft::narrow(a, env)}; }, a, 0, 0, kRounds[(r >> 11) % 5], 0);
    if (testing::Test::HasFatalFailure()) return;
  }
}
TEST(FpConvert, f32_to_f64) {
  sweep<u32>(
      1, [](Round, u32 a, u32, u32) { return f32_to_f64(a); },
      [](soft::Env& env, u32 a, u32, u32) { return soft::widen(a, env); });
}

// --- ops without rounding: what C++ itself says of numbers, and the rules for the rest -------------------------------
template <class T>
HostFloat<T> number(T a) {
  return std::bit_cast<HostFloat<T>>(a);
}

template <class T, class F>
void each_pair(F&& body) {
  const auto specials = special_values<T>();
  Rng rng(5);
  for (const T a : specials) {
    for (const T b : specials) body(a, b, static_cast<u8>(rng() & rng() & kAllFlags));
  }
  for (u32 i = 0; i < kRandomCases; ++i) {
    const T a = random_operand<T>(rng, specials, 0);
    body(a, random_operand<T>(rng, specials, a), static_cast<u8>(rng() & rng() & kAllFlags));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TYPED_TEST(FpOps, fmin_fmax) {
  using T = TypeParam;
  each_pair<T>([](T a, T b, u8 before) {
    T low, high;
    if (is_nan(a) || is_nan(b)) {
      low = high = !is_nan(a) ? a : !is_nan(b) ? b : Format<T>::kNan;
    } else {
      const bool b_first = number(b) < number(a) || (number(a) == number(b) && is_negative(b));
      low = b_first ? b : a;
      high = b_first ? a : b;
    }
    const u8 flags = before | (is_signalling(a) || is_signalling(b) ? kInvalid : 0);
    ASSERT_EQ(on_host(Round::up, true, before, [&](Round) { return fmin(a, b); }), (Outcome{low, flags}))
        << a << ' ' << b;
    ASSERT_EQ(on_host(Round::up, true, before, [&](Round) { return fmax(a, b); }), (Outcome{high, flags}))
        << a << ' ' << b;
  });
}

TYPED_TEST(FpOps, fcmp) {
  using T = TypeParam;
  each_pair<T>([](T a, T b, u8 before) {
    const bool results[3] = {number(a) == number(b), number(a) < number(b), number(a) <= number(b)};
    for (u32 kind = 0; kind < 6; ++kind) {
      const bool bad = kind >= 3 ? is_nan(a) || is_nan(b) : is_signalling(a) || is_signalling(b);
      const Outcome expected{results[kind % 3], static_cast<u8>(before | (bad ? kInvalid : 0))};
      ASSERT_EQ(on_host(Round::down, true, before, [&](Round) { return fcmp(static_cast<ir::FpCompare>(kind), a, b); }),
                expected)
          << std::hex << a << ' ' << b << " kind " << kind;
    }
  });
}

TYPED_TEST(FpOps, fclass) {
  using T = TypeParam;
  each_pair<T>([](T a, T, u8) {
    const bool minus = std::signbit(number(a));
    u32 bit = 0;
    switch (std::fpclassify(number(a))) {
      case FP_INFINITE:
        bit = minus ? 0 : 7;
        break;
      case FP_NORMAL:
        bit = minus ? 1 : 6;
        break;
      case FP_SUBNORMAL:
        bit = minus ? 2 : 5;
        break;
      case FP_ZERO:
        bit = minus ? 3 : 4;
        break;
      default:
        bit = is_signalling(a) ? 8 : 9;
        break;
    }
    ASSERT_EQ(fclass(a), u64{1} << bit) << std::hex << a;
  });
}

TEST(FpBox, canonical_nan_unless_boxed) {
  EXPECT_EQ(f32_box(0x3f80'0000), 0xffff'ffff'3f80'0000);
  EXPECT_EQ(f32_unbox(0xffff'ffff'3f80'0000), 0x3f80'0000u);
  EXPECT_EQ(f32_unbox(0xffff'fffe'3f80'0000), 0x7fc0'0000u);
  EXPECT_EQ(f32_unbox(0x3f80'0000), 0x7fc0'0000u);
}

// --- environment -----------------------------------------------------------------------------------------------------
TEST(FpEnv, flags_and_rounding) {
  for (u32 flags = 0; flags <= kAllFlags; ++flags) {
    for (const Round round : kRounds) {
      const u32 control = control_word(round, static_cast<u8>(flags));
      EXPECT_EQ(flags_of(control), flags);
      enter_guest(control);
      const u8 read = read_flags();
      raise_flags(kUnderflow);
      const u8 raised = read_flags();
      write_flags(kDivideByZero);
      set_round(Round::down);
      const u32 after = leave_guest();
      EXPECT_EQ(read, flags);
      EXPECT_EQ(raised, flags | kUnderflow);
      EXPECT_EQ(after, control_word(Round::down, kDivideByZero));
    }
  }
  EXPECT_EQ(mxcsr::read() & ~mxcsr::kFlags, mxcsr::kHost);
}

TEST(FpEnv, host_scope_leaves_no_trace) {
  volatile double third = 3.0;
  enter_guest(control_word(Round::up, kOverflow));
  double inside;
  {
    HostFpScope scope;
    inside = 1.0 / third;  // inexact, to nearest
    scope.guest_control() = with_flags(scope.guest_control(), kOverflow | kInvalid);
  }
  const u64 guest = fdiv(std::bit_cast<u64>(1.0), std::bit_cast<u64>(-3.0));
  const u32 control = leave_guest();
  EXPECT_EQ(inside, 1.0 / 3.0);
  EXPECT_EQ(guest, std::bit_cast<u64>(-1.0 / 3.0));  // up is toward zero here, and so is to nearest
  EXPECT_EQ(control, control_word(Round::up, kOverflow | kInvalid | kInexact));
}

// A signalling NaN comes before a quiet one, then the first before the second, and of a sum of a product the addend.
TEST(FpPropagating, NansAndTinyResults) {
  const auto run = [](auto&& operation) {
    enter_guest(control_word(Round::nearest_even, 0));
    const u64 value = operation();
    return Outcome{value, flags_of(leave_guest())};
  };
  constexpr u32 quiet = 0x7fc00001, other = 0x7fc00002, signalling = 0x7f800003, inf = 0x7f800000, one = 0x3f800000;
  EXPECT_EQ(run([] { return propagating::add<u32>(quiet, other); }), (Outcome{quiet, 0}));
  EXPECT_EQ(run([] { return propagating::add<u32>(quiet, signalling); }), (Outcome{0x7fc00003, kInvalid}));
  EXPECT_EQ(run([] { return propagating::sub<u32>(inf, inf); }), (Outcome{0x7fc00000, kInvalid}));
  EXPECT_EQ(run([] { return propagating::fma<u32>(quiet, one, other); }), (Outcome{other, 0}));
  EXPECT_EQ(run([] { return propagating::fma<u32>(one, signalling, other); }), (Outcome{0x7fc00003, kInvalid}));
  EXPECT_EQ(run([] { return propagating::fma<u32>(0, inf, other); }), (Outcome{0x7fc00000, kInvalid}));
  // (1 + 2^-13) * (1 - 2^-13) * 2^-126 is tiny, and rounds to what is not.
  EXPECT_EQ(run([] { return propagating::mul<u32>(0x3f800400, 0x007ffc00); }),
            (Outcome{0x00800000, kUnderflow | kInexact}));
  EXPECT_EQ(run([] { return propagating::min<u32>(0, 0x80000000); }), (Outcome{0x80000000, 0}));
  EXPECT_EQ(run([] { return propagating::max<u32>(0x80000000, 0); }), (Outcome{0, 0}));
  EXPECT_EQ(run([] { return propagating::max<u32>(one, quiet); }), (Outcome{quiet, 0}));
  EXPECT_EQ(run([] { return propagating::number(one, quiet, propagating::max<u32>); }), (Outcome{one, 0}));
  EXPECT_EQ(run([] { return propagating::number(signalling, quiet, propagating::min<u32>); }),
            (Outcome{0x7fc00003, kInvalid}));
  EXPECT_EQ(run([] { return propagating::mul<u32>(one, 0x00800000); }), (Outcome{0x00800000, 0}));
}

}  // namespace
}  // namespace pagoda::fp
