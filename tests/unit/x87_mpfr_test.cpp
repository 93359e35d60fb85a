// SPDX-License-Identifier: MIT
// The x87 unit that guests get (tcg/host/x87.h) against MPFR: value, exactness and C1 of arithmetic, with registers and
// with memory, at all precisions and roundings; remainders, rounding to integers and stores in all formats, which are
// exact by the manual. Transcendental functions are approximations and are left out: f2xm1, fyl2x, fyl2xp1, fsin, fcos,
// fsincos, fptan, fpatan. What happens at the ends of the exponent's range is compared with processors elsewhere.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "mpfr_real.h"
#include "tcg/host/x87.h"

namespace pagoda {
namespace {

constexpr u32 kCases = 20'000;
constexpr u16 kPrecisionException = 0x20, kC1 = 0x200;

struct Extended {
  u64 mantissa;
  u16 sign_exponent;
  bool operator==(const Extended&) const = default;
};

void assign(Real& to, Extended from) {
  mpfr_set_prec(to.x, 64);
  mpfr_set_uj(to.x, from.mantissa, MPFR_RNDN);
  mpfr_mul_2si(to.x, to.x, (from.sign_exponent & 0x7fff) - 0x3fff - 63, MPFR_RNDN);
  if ((from.sign_exponent & 0x8000) != 0) mpfr_neg(to.x, to.x, MPFR_RNDN);
}

Extended extended_of(const Real& from) {
  Extended to{0, static_cast<u16>(mpfr_signbit(from.x) != 0 ? 0x8000 : 0)};
  if (mpfr_zero_p(from.x)) return to;
  Real magnitude(64);
  mpfr_abs(magnitude.x, from.x, MPFR_RNDN);
  const mpfr_exp_t exponent = mpfr_get_exp(magnitude.x);  // 0.5 <= significand < 1
  mpfr_mul_2si(magnitude.x, magnitude.x, 64 - exponent, MPFR_RNDN);
  to.mantissa = mpfr_get_uj(magnitude.x, MPFR_RNDN);
  to.sign_exponent = static_cast<u16>(to.sign_exponent | (exponent - 1 + 0x3fff));
  return to;
}

struct Operation {
  const char* name;
  u8 opcode, modrm;  // st(0) := st(0) op st(1)
  int (*exact)(mpfr_t, const mpfr_t, const mpfr_t, mpfr_rnd_t);
};
constexpr Operation kOperations[] = {
    {"fadd", 0xd8, 0xc1, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_add(r, a, b, m); }},
    {"fmul", 0xd8, 0xc9, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_mul(r, a, b, m); }},
    {"fsub", 0xd8, 0xe1, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_sub(r, a, b, m); }},
    {"fsubr", 0xd8, 0xe9, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_sub(r, b, a, m); }},
    {"fdiv", 0xd8, 0xf1, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_div(r, a, b, m); }},
    {"fdivr", 0xd8, 0xf9, [](mpfr_t r, const mpfr_t a, const mpfr_t b, mpfr_rnd_t m) { return mpfr_div(r, b, a, m); }},
    {"fsqrt", 0xd9, 0xfa, [](mpfr_t r, const mpfr_t a, const mpfr_t, mpfr_rnd_t m) { return mpfr_sqrt(r, a, m); }},
};

constexpr mpfr_rnd_t kRoundings[] = {MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ};
constexpr struct {
  u16 control;
  mpfr_prec_t bits;
} kPrecisions[] = {{0x000, 24}, {0x200, 53}, {0x300, 64}};

// Exponents up to `range` around that of 1.
Extended random_number(std::mt19937_64& rng, u32 range) {
  Extended value{rng() | u64{1} << 63, static_cast<u16>(0x3fff - range + rng() % (2 * range))};
  if (rng() % 2 == 0) value.mantissa &= ~u64{0} << (rng() % 63);  // short ones: halfway cases, exact results
  if (rng() % 2 == 0) value.sign_exponent |= 0x8000;
  return value;
}

// st(0) and st(1), the others empty; all exceptions masked.
X87State state_of(Extended x, Extended y, u16 modes) {
  X87State state;
  state.control = static_cast<u16>(0x7f | modes);
  state.status = 6 << 11;
  state.tags = 0x0fff;
  std::memcpy(state.stack[0], &x, 10);
  std::memcpy(state.stack[1], &y, 10);
  return state;
}
Extended top_of(const X87State& state) {
  Extended value{};
  std::memcpy(&value, state.stack[0], 10);
  return value;
}
std::string text_of(Extended value) { return fmt::format("{:04x}_{:016x}", value.sign_exponent, value.mantissa); }

TEST(X87, ArithmeticAgreesWithMpfr) {
  std::mt19937_64 rng(5);
  Real a(64), b(64);
  for (const Operation& operation : kOperations) {
    for (u32 rounding = 0; rounding < 4; ++rounding) {
      for (const auto& precision : kPrecisions) {
        for (u32 i = 0; i < kCases / 12; ++i) {
          Extended x = random_number(rng, 40);
          const Extended y = random_number(rng, 40);
          if (operation.modrm == 0xfa) x.sign_exponent &= 0x7fff;
          X87State state = state_of(x, y, static_cast<u16>(rounding << 10 | precision.control));
          X87Registers registers;
          x87_execute(state, registers, operation.opcode, operation.modrm);
          const Extended got = top_of(state);

          assign(a, x);
          assign(b, y);
          Real wanted(precision.bits);
          const int inexact = operation.exact(wanted.x, a.x, b.x, kRoundings[rounding]);
          const bool away = inexact != 0 && (inexact > 0) != (mpfr_signbit(wanted.x) != 0);
          const bool is_same = got == extended_of(wanted) &&
                               (inexact != 0) == ((state.status & kPrecisionException) != 0) &&
                               away == ((state.status & kC1) != 0);
          ASSERT_TRUE(is_same) << operation.name << " rounding " << rounding << " precision " << precision.bits
                               << std::hex << ": " << x.sign_exponent << " " << x.mantissa << ", " << y.sign_exponent
                               << " " << y.mantissa << " gives " << got.sign_exponent << " " << got.mantissa
                               << " status " << state.status;
        }
      }
    }
  }
}

// Of st(0) and a memory operand: D8 float, DC double, DA 32-bit and DE 16-bit integer, by ModRM's digit.
TEST(X87, ArithmeticWithMemoryAgreesWithMpfr) {
  std::mt19937_64 rng(6);
  constexpr u8 kDigits[] = {0, 1, 4, 5, 6, 7};  // in the order of kOperations
  Real a(64), b(64);
  for (const u8 opcode : {0xd8, 0xdc, 0xda, 0xde}) {
    for (u32 kind = 0; kind < 6; ++kind) {
      for (u32 i = 0; i < kCases / 8; ++i) {
        const u32 rounding = rng() % 4;
        const auto& precision = kPrecisions[rng() % 3];
        const Extended x = random_number(rng, 30);
        u8 bytes[8] = {};
        if (opcode == 0xd8) {
          const float value = static_cast<float>(static_cast<i32>(rng() >> 32)) / static_cast<float>(1u << rng() % 32);
          std::memcpy(bytes, &value, 4);
          mpfr_set_flt(b.x, value, MPFR_RNDN);
        } else if (opcode == 0xdc) {
          const double value = static_cast<double>(static_cast<i64>(rng())) / static_cast<double>(u64{1} << rng() % 63);
          std::memcpy(bytes, &value, 8);
          mpfr_set_d(b.x, value, MPFR_RNDN);
        } else {
          const i64 shifted = static_cast<i32>(rng()) >> (rng() % 31);
          const i64 value = opcode == 0xda ? shifted : static_cast<i16>(shifted);
          std::memcpy(bytes, &value, opcode == 0xda ? 4 : 2);
          mpfr_set_si(b.x, value, MPFR_RNDN);
        }
        if (kind >= 4 && mpfr_zero_p(b.x)) continue;
        X87State state = state_of(x, x, static_cast<u16>(rounding << 10 | precision.control));
        x87_execute_memory(state, opcode, kDigits[kind], bytes);
        assign(a, x);
        Real wanted(precision.bits);
        const int inexact = kOperations[kind].exact(wanted.x, a.x, b.x, kRoundings[rounding]);
        Extended expected = extended_of(wanted);
        const Extended got = top_of(state);
        // An exact zero's sign is a matter of the rounding; mpfr has the same rule.
        ASSERT_EQ(text_of(got), text_of(expected)) << kOperations[kind].name << " " << u32{opcode} << " " << text_of(x);
        ASSERT_EQ(inexact != 0, (state.status & kPrecisionException) != 0);
      }
    }
  }
}

TEST(X87, RemaindersAndRoundingAgreeWithMpfr) {
  std::mt19937_64 rng(7);
  struct {
    const char* name;
    u8 modrm;  // behind D9
    u32 range;
  } constexpr kKinds[] = {{"fprem", 0xf8, 30}, {"fprem1", 0xf5, 30}, {"frndint", 0xfc, 70}, {"fscale", 0xfd, 10}};
  Real a(64), b(64);
  for (u32 kind = 0; kind < std::size(kKinds); ++kind) {
    for (u32 i = 0; i < kCases; ++i) {
      const u32 rounding = rng() % 4;
      const Extended x = random_number(rng, kKinds[kind].range), y = random_number(rng, kKinds[kind].range);
      X87State state = state_of(x, y, static_cast<u16>(rounding << 10 | 0x300));
      X87Registers registers;
      x87_execute(state, registers, 0xd9, kKinds[kind].modrm);
      assign(a, x);
      assign(b, y);
      Real wanted(64);
      int inexact = 0;
      if (kind == 0) {
        mpfr_fmod(wanted.x, a.x, b.x, MPFR_RNDN);
      } else if (kind == 1) {
        mpfr_remainder(wanted.x, a.x, b.x, MPFR_RNDN);
      } else if (kind == 2) {
        mpfr_rint(wanted.x, a.x, kRoundings[rounding]);
        inexact = mpfr_equal_p(wanted.x, a.x) == 0;
      } else {
        mpfr_mul_2si(wanted.x, a.x, mpfr_get_si(b.x, MPFR_RNDZ), MPFR_RNDN);
      }
      if (mpfr_zero_p(wanted.x)) mpfr_setsign(wanted.x, wanted.x, (x.sign_exponent & 0x8000) != 0, MPFR_RNDN);
      // Exponents differ by less than 64: remainders are complete at once (C2 is 0).
      constexpr u16 kC2 = 0x400;
      ASSERT_EQ(text_of(top_of(state)), text_of(extended_of(wanted)))
          << kKinds[kind].name << " " << text_of(x) << " " << text_of(y);
      ASSERT_EQ(inexact != 0, (state.status & kPrecisionException) != 0) << kKinds[kind].name << " " << text_of(x);
      if (kind < 2) {
        ASSERT_EQ(state.status & kC2, 0);
      }
    }
  }
}

// Stores round to the format's bits whatever the precision control says; integers by the rounding control or, fisttp,
// towards zero.
TEST(X87, StoresAgreeWithMpfr) {
  std::mt19937_64 rng(8);
  struct {
    const char* name;
    u8 opcode, digit;
    u32 bytes;
    bool integer, truncates;
  } constexpr kStores[] = {{"fst m32", 0xd9, 2, 4, false, false},  {"fst m64", 0xdd, 2, 8, false, false},
                           {"fist m32", 0xdb, 2, 4, true, false},  {"fist m16", 0xdf, 2, 2, true, false},
                           {"fistp m64", 0xdf, 7, 8, true, false}, {"fisttp m32", 0xdb, 1, 4, true, true},
                           {"fisttp m16", 0xdf, 1, 2, true, true}, {"fisttp m64", 0xdd, 1, 8, true, true}};
  Real a(64);
  for (const auto& store : kStores) {
    const u32 range = store.integer ? store.bytes * 8 : 100;
    for (u32 i = 0; i < kCases; ++i) {
      const u32 rounding = rng() % 4;
      const Extended x = random_number(rng, range);
      X87State state = state_of(x, x, static_cast<u16>(rounding << 10 | kPrecisions[rng() % 3].control));
      u8 bytes[8] = {};
      x87_execute_memory(state, store.opcode, store.digit, bytes);
      u64 got = 0, expected = 0;
      std::memcpy(&got, bytes, store.bytes);
      assign(a, x);
      if (store.integer) {
        Real whole(128);
        mpfr_rint(whole.x, a.x, store.truncates ? MPFR_RNDZ : kRoundings[rounding]);
        const i64 least = static_cast<i64>(~u64{0} << (8 * store.bytes - 1));
        const bool fits = mpfr_cmp_si(whole.x, least) >= 0 && mpfr_cmp_si(whole.x, -(least + 1)) <= 0;
        const i64 value = fits ? mpfr_get_si(whole.x, MPFR_RNDN) : least;  // the integer indefinite
        std::memcpy(&expected, &value, store.bytes);
        const bool inexact = fits && mpfr_equal_p(whole.x, a.x) == 0;
        ASSERT_EQ(inexact, (state.status & kPrecisionException) != 0) << store.name << " " << text_of(x);
        ASSERT_EQ(!fits, (state.status & 1) != 0) << store.name << " " << text_of(x);
      } else if (store.bytes == 4) {
        const float value = mpfr_get_flt(a.x, kRoundings[rounding]);
        std::memcpy(&expected, &value, 4);
      } else {
        const double value = mpfr_get_d(a.x, kRoundings[rounding]);
        std::memcpy(&expected, &value, 8);
      }
      ASSERT_EQ(got, expected) << store.name << " " << text_of(x) << " rounding " << rounding;
    }
  }
}

}  // namespace
}  // namespace pagoda
