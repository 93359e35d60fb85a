// SPDX-License-Identifier: MIT
// Vectors as arrays of lanes, for the functions of vec.h.
#pragma once

#include <cstring>
#include <limits>

#include "tcg/host/vec.h"

namespace pagoda::vec {

template <class T>
struct Lanes {
  static constexpr u32 kCount = 16 / sizeof(T);
  T v[kCount];
  T& operator[](u32 i) { return v[i]; }
  const T& operator[](u32 i) const { return v[i]; }
};

template <class T>
Lanes<T> load(const Vec128* from) {
  Lanes<T> lanes;
  std::memcpy(&lanes, from, 16);
  return lanes;
}
template <class T>
void store(Vec128* to, const Lanes<T>& lanes) {
  std::memcpy(to, &lanes, 16);
}

template <class T, class F>
void each(Vec128* d, const Vec128* a, F&& f) {
  Lanes<T> x = load<T>(a);
  for (u32 i = 0; i < x.kCount; ++i) x[i] = static_cast<T>(f(x[i]));
  store(d, x);
}
template <class T, class F>
void each(Vec128* d, const Vec128* a, const Vec128* b, F&& f) {
  Lanes<T> x = load<T>(a);
  const Lanes<T> y = load<T>(b);
  for (u32 i = 0; i < x.kCount; ++i) x[i] = static_cast<T>(f(x[i], y[i]));
  store(d, x);
}

template <class T>
constexpr T saturate(i64 value) {
  constexpr i64 low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  return static_cast<T>(value < low ? low : value > high ? high : value);
}

}  // namespace pagoda::vec
