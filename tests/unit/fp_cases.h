// SPDX-License-Identifier: MIT
// Operands for floating-point tests: special values, and random ones that like to meet ties, borders and cancellation.
#pragma once

#include <bit>
#include <random>
#include <vector>

#include "tcg/host/fp_format.h"
#include "tcg/ir/types.h"

namespace pagoda::fp {

// Unoptimised builds and sanitizers run fewer random cases: they look for what is wrong in the code, not in the
// arithmetic.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
inline constexpr bool kQuickBuild = true;
#else
inline constexpr bool kQuickBuild = false;
#endif

using Rng = std::mt19937_64;
inline constexpr ir::Round kRounds[5] = {ir::Round::nearest_even, ir::Round::to_zero, ir::Round::down, ir::Round::up,
                                         ir::Round::nearest_away};

template <class T>
T pack_parts(bool sign, int exponent, u64 fraction) {  // exponent of the leading bit; fraction without it
  using F = Format<T>;
  const T field = static_cast<T>(exponent + F::kMaxExponent) << (F::kPrecision - 1);
  return (sign ? F::kSign : T{0}) | field | (static_cast<T>(fraction) & ((T{1} << (F::kPrecision - 1)) - 1));
}

template <class T>
std::vector<T> special_values() {
  using F = Format<T>;
  constexpr T one_ulp = 1, min_normal = T{1} << (F::kPrecision - 1);
  std::vector<T> values = {
      0,           one_ulp,     2,       3,       min_normal - 1, min_normal,  min_normal + 1,
      F::kInf - 1, F::kInf - 2, F::kInf, F::kNan, F::kNan | 1,    F::kInf | 1, F::kInf | (F::kQuiet >> 1)};
  for (const int e : {-2,
                      -1,
                      0,
                      1,
                      2,
                      7,
                      8,
                      15,
                      16,
                      23,
                      24,
                      30,
                      31,
                      32,
                      52,
                      53,
                      62,
                      63,
                      64,
                      F::kMaxExponent / 2,
                      F::kMinExponent / 2,
                      F::kMaxExponent - 1,
                      F::kMinExponent + 1,
                      F::kMinExponent + F::kPrecision}) {
    values.push_back(pack_parts<T>(false, e, 0));
    values.push_back(pack_parts<T>(false, e, 1));
    values.push_back(pack_parts<T>(false, e, ~u64{0}));
    values.push_back(pack_parts<T>(false, e, u64{1} << (F::kPrecision - 2)));
  }
  const size_t n = values.size();
  for (size_t i = 0; i < n; ++i) values.push_back(values[i] | F::kSign);
  return values;
}

// One operand. `near` is an earlier operand whose exponent is often stayed close to.
template <class T>
T random_operand(Rng& rng, const std::vector<T>& specials, T near) {
  using F = Format<T>;
  const u64 r = rng();
  const u64 bits = rng();
  const bool sign = (r >> 8 & 1) != 0;
  // Fractions with few ones at either end make ties and exact results.
  u64 fraction = bits;
  const u32 keep = static_cast<u32>(r >> 16 & 63);
  switch (r >> 9 & 7) {
    case 0:
      fraction = (bits >> keep) << keep;
      break;
    case 1:
      fraction = bits & ((u64{1} << keep) - 1);
      break;
    case 2:
      fraction = ~(bits & bits >> 1 & ((u64{1} << keep) - 1));
      break;
    case 3:
      fraction = u64{1} << keep;
      break;
    default:
      break;
  }
  switch (r & 15) {
    case 0:
      return specials[bits % specials.size()];
    case 1:
      return static_cast<T>(bits);
    case 2:
      return (sign ? F::kSign : T{0}) | (static_cast<T>(fraction) & ((T{1} << (F::kPrecision - 1)) - 1));  // subnormal
    case 3:
      return pack_parts<T>(sign, static_cast<int>(r >> 32 & 63) - 1, fraction);  // integers, halves
    case 4:
      return pack_parts<T>(sign, F::kMinExponent + static_cast<int>((r >> 32) % (2 * F::kPrecision)), fraction);
    case 5:
      return pack_parts<T>(sign, F::kMaxExponent - static_cast<int>((r >> 32) % 4), fraction);
    case 6:
    case 7:
    case 8:
    case 9: {
      const int e = static_cast<int>(magnitude(near) >> (F::kPrecision - 1)) - F::kMaxExponent +
                    static_cast<int>((r >> 32) % (2 * F::kPrecision + 5)) - F::kPrecision;
      return pack_parts<T>(sign, std::min(std::max(e, F::kMinExponent), F::kMaxExponent), fraction);
    }
    case 10:
      return near ^ (static_cast<T>(bits) & 7) ^ (sign ? F::kSign : T{0});
    default: {
      const u64 span = static_cast<u64>(F::kMaxExponent - F::kMinExponent + 1);
      return pack_parts<T>(sign, F::kMinExponent + static_cast<int>((r >> 32) % span), fraction);
    }
  }
}

}  // namespace pagoda::fp
