// SPDX-License-Identifier: MIT
// Arithmetic that propagates NaNs and decides on underflow before rounding, on raw bits. Guest mode of the host's FP
// state.
//
// The host's unit does it, but for what it does otherwise: results that are NaNs, and the smallest normal number, which
// alone may come of a tiny result. These are done again by integers; flags only ever add up.
#pragma once

#include "tcg/host/fp.h"
#include "tcg/host/soft_float.h"

namespace pagoda::fp::propagating {

template <class T>
constexpr T least_normal() {
  return static_cast<T>(T{1} << (Format<T>::kPrecision - 1));
}
template <class T>
constexpr bool is_settled(T result) {
  return !is_nan(result) && magnitude(result) != least_normal<T>();
}

// Of the operands, of which one is a NaN: the first signalling one, made quiet, else the first.
template <class T, class... Rest>
T nan_of(T first, Rest... rest) {
  const T all[] = {first, rest...};
  for (const T a : all) {
    if (!is_signalling(a)) continue;
    raise_flags(kInvalid);
    return static_cast<T>(a | Format<T>::kQuiet);
  }
  for (const T a : all) {
    if (is_nan(a)) return a;
  }
  return first;
}

// `operation` on integers, in the host's current rounding.
template <class T, class Operation>
T soft(const Operation& operation) {
  fp::soft::Env env{.round = current_round(), .tiny_before_rounding = true};
  const T result = operation(env);
  if (env.flags != 0) raise_flags(env.flags);
  return result;
}

#define PAGODA_PROPAGATING(name, host, soft_name)                                       \
  template <class T>                                                                    \
  T name(T a, T b) {                                                                    \
    if (const T r = host(a, b); is_settled(r)) [[likely]]                               \
      return r;                                                                         \
    if (is_nan(a) || is_nan(b)) return nan_of(a, b);                                    \
    return soft<T>([&](fp::soft::Env& env) { return fp::soft::soft_name(a, b, env); }); \
  }
PAGODA_PROPAGATING(add, fp::fadd, add)
PAGODA_PROPAGATING(sub, fp::fsub, sub)
PAGODA_PROPAGATING(mul, fp::fmul, mul)
PAGODA_PROPAGATING(div, fp::fdiv, div)
#undef PAGODA_PROPAGATING

template <class T>
T sqrt(T a) {
  if (const T r = fp::fsqrt(a); is_settled(r)) [[likely]]
    return r;
  if (is_nan(a)) return nan_of(a);
  return soft<T>([&](fp::soft::Env& env) { return fp::soft::sqrt(a, env); });
}

// a * b + c, rounded once. The product of zero and infinity is invalid even with a quiet NaN as c.
template <class T>
T fma(T a, T b, T c) {
  if (const T r = fp::fma(a, b, c); is_settled(r)) [[likely]]
    return r;
  const auto is_inf = [](T x) { return magnitude(x) == Format<T>::kInf; };
  const bool invalid = (is_inf(a) && magnitude(b) == 0) || (is_inf(b) && magnitude(a) == 0);
  if (!(invalid && is_nan(c) && !is_signalling(c)) && (is_nan(a) || is_nan(b) || is_nan(c))) return nan_of(c, a, b);
  return soft<T>([&](fp::soft::Env& env) { return fp::soft::fma(a, b, c, env); });
}

template <class T>
T min(T a, T b) {
  if (is_nan(a) || is_nan(b)) return nan_of(a, b);
  return ordered(a) < ordered(b) ? a : b;  // -0 below 0
}
template <class T>
T max(T a, T b) {
  if (is_nan(a) || is_nan(b)) return nan_of(a, b);
  return ordered(a) < ordered(b) ? b : a;
}
// `choose` of two operands, but a number beside one quiet NaN.
template <class T, class Choose>
T number(T a, T b, const Choose& choose) {
  const auto is_quiet = [](T x) { return is_nan(x) && !is_signalling(x); };
  if (is_quiet(a) && !is_nan(b)) return b;
  if (is_quiet(b) && !is_nan(a)) return a;
  return choose(a, b);
}

}  // namespace pagoda::fp::propagating
