// SPDX-License-Identifier: MIT
// Exact IEEE 754 arithmetic on integers, for what a host cannot do: rounding to nearest with ties away from zero, and a
// fused multiply-add where the host has none.
//
// Results and flags as the ops of the same name: canonical NaNs, tininess after rounding, underflow only if inexact.
// Works for every rounding but Round::mode (the caller knows the mode). Touches no host FP state; any thread.
#pragma once

#include "base/types.h"
#include "tcg/host/fp_format.h"
#include "tcg/ir/types.h"

namespace pagoda::fp::soft {

// Rounding in, flags out (only ever added to).
struct Env {
  ir::Round round = ir::Round::nearest_even;
  u8 flags = 0;
  bool tiny_before_rounding = false;  // underflow is decided on the exact result
  bool flush = false;                 // a result that is tiny (before rounding) is zero, with underflow alone
};

// T is u16, u32 or u64: the bits of a half, single or double.
template <class T>
T add(T a, T b, Env& env);
template <class T>
T sub(T a, T b, Env& env);
template <class T>
T mul(T a, T b, Env& env);
template <class T>
T div(T a, T b, Env& env);
template <class T>
T sqrt(T a, Env& env);
// a * b + c, rounded once.
template <class T>
T fma(T a, T b, T c, Env& env);
// Integer of `width` bits (8..64), zero-extended, of a * 2^exponent; saturates, NaN gives the maximum.
template <class T>
u64 to_int(T a, u32 width, ir::Sign sign, Env& env, int exponent = 0);
// value * 2^exponent, rounded once; `value` is sign- or zero-extended to 64 bits as `sign` says.
template <class T>
T from_int(u64 value, ir::Sign sign, Env& env, int exponent = 0);
// The integral value, in the same format; `exact` raises inexact where it is another one.
template <class T>
T round_integral(T a, bool exact, Env& env);
// Between formats.
template <class To, class From>
To convert(From a, Env& env);
inline u32 narrow(u64 a, Env& env) { return convert<u32>(a, env); }
inline u64 widen(u32 a, Env& env) { return convert<u64>(a, env); }

}  // namespace pagoda::fp::soft
