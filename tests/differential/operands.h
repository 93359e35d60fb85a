// SPDX-License-Identifier: MIT
// Operand values for the differential fuzzer, and the classes of special values that every row must have met.
#pragma once

#include <random>

#include "base/types.h"

namespace pagoda {

using Rng = std::mt19937_64;

// Classes, as bits. Floating-point ones by the width that the row reads; `unboxed`: no NaN-boxed value
// of that width in the register.
enum Special : u32 {
  kQuietNan = 1 << 0,
  kSignallingNan = 1 << 1,
  kInfinity = 1 << 2,
  kDenormal = 1 << 3,
  kZero = 1 << 4,
  kUnboxed = 1 << 5,
  kEdgeInteger = 1 << 6,
};
inline constexpr u32 kSpecialCount = 7;
inline constexpr const char* kSpecialNames[kSpecialCount] = {"quiet NaN", "signalling NaN", "infinity",    "denormal",
                                                             "zero",      "unboxed",        "edge integer"};
inline constexpr u32 kFloatClasses = kQuietNan | kSignallingNan | kInfinity | kDenormal | kZero;

// What a register holds as a float of 16, 32 or 64 bits: one bit of Special, or 0 for a normal number.
u32 float_class(u64 value, u32 width);
// kEdgeInteger if it is one of the values around which integer operations change their nature.
u32 integer_class(u64 value);

// One value: special ones as often as ordinary ones.
u64 random_integer(Rng& rng);
// A register's bits; what is narrower than 64 bits is mostly NaN-boxed.
u64 random_float(Rng& rng, u32 width);

// Several floats that go into one operation. Some sets are made to matter together: exponents close to each other (sums
// that cancel), or adding up to the ends of the range (products and quotients that underflow or overflow).
void random_floats(Rng& rng, u32 width, u64* values, u32 count);

}  // namespace pagoda
