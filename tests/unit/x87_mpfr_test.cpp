// SPDX-License-Identifier: MIT
// The x87 unit that guests get (tcg/host/x87.h) against MPFR: value, exactness and C1 of arithmetic at all precisions
// and roundings. What happens at the ends of the exponent's range is compared with processors elsewhere.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <cstring>
#include <random>

#include "tcg/host/x87.h"

namespace pagoda {
namespace {

constexpr u32 kCases = 20'000;
constexpr u16 kPrecisionException = 0x20, kC1 = 0x200;

struct Real {
  explicit Real(mpfr_prec_t bits) { mpfr_init2(x, bits); }
  ~Real() { mpfr_clear(x); }
  Real(const Real&) = delete;
  Real& operator=(const Real&) = delete;
  mpfr_t x;
};

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

TEST(X87, ArithmeticAgreesWithMpfr) {
  std::mt19937_64 rng(5);
  constexpr mpfr_rnd_t kRoundings[] = {MPFR_RNDN, MPFR_RNDD, MPFR_RNDU, MPFR_RNDZ};
  constexpr struct {
    u16 control;
    mpfr_prec_t bits;
  } kPrecisions[] = {{0x000, 24}, {0x200, 53}, {0x300, 64}};
  Real a(64), b(64);
  for (const Operation& operation : kOperations) {
    for (u32 rounding = 0; rounding < 4; ++rounding) {
      for (const auto& precision : kPrecisions) {
        for (u32 i = 0; i < kCases / 12; ++i) {
          const auto random = [&] {
            Extended value{rng() | u64{1} << 63, static_cast<u16>(0x3fff - 40 + rng() % 80)};
            if (rng() % 2 == 0) value.mantissa &= ~u64{0} << (rng() % 63);  // short ones: halfway cases, exact results
            if (operation.modrm != 0xfa && rng() % 2 == 0) value.sign_exponent |= 0x8000;
            return value;
          };
          const Extended x = random(), y = random();
          X87State state;
          state.control = static_cast<u16>(0x7f | rounding << 10 | precision.control);
          state.status = 6 << 11;
          state.tags = 0x0fff;
          std::memcpy(state.stack[0], &x, 10);
          std::memcpy(state.stack[1], &y, 10);
          X87Registers registers;
          x87_execute(state, registers, operation.opcode, operation.modrm);
          Extended got{};
          std::memcpy(&got, state.stack[0], 10);

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

}  // namespace
}  // namespace pagoda
