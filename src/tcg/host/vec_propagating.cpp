// SPDX-License-Identifier: MIT
// The kinds of op vec_fp that propagate NaNs, lane by lane.
#include "tcg/host/propagating.h"
#include "tcg/host/vec_lanes.h"

namespace pagoda::vec {
namespace {

namespace math = fp::propagating;

template <class T, class F>
void all(Vec128* d, const Vec128* a, const Vec128* b, const Vec128* c, const F& f) {
  const Lanes<T> x = load<T>(a), y = load<T>(b), z = load<T>(c);
  Lanes<T> result;
  for (u32 i = 0; i < result.kCount; ++i) result[i] = f(x[i], y[i], z[i]);
  store(d, result);
}
template <class T, class F>
void lowest(Vec128* d, const Vec128* a, const Vec128* b, const Vec128* c, const F& f) {
  Lanes<T> result{};
  result[0] = f(load<T>(a)[0], load<T>(b)[0], load<T>(c)[0]);
  store(d, result);
}

}  // namespace

#define KIND(name, width, T, lanes, expression)                                                                        \
  void name##_##width(Vec128* d, const Vec128* a, const Vec128* b, const Vec128* c, u32) {                             \
    lanes<T>(d, a, b, c, []([[maybe_unused]] T x, [[maybe_unused]] T y, [[maybe_unused]] T z) { return expression; }); \
  }
#define KINDS(name, expression)           \
  KIND(name, ps, u32, all, expression)    \
  KIND(name, pd, u64, all, expression)    \
  KIND(name, ss, u32, lowest, expression) \
  KIND(name, sd, u64, lowest, expression)
KINDS(padd, math::add(x, y))
KINDS(psub, math::sub(x, y))
KINDS(pmul, math::mul(x, y))
KINDS(pdiv, math::div(x, y))
KINDS(psqrt, math::sqrt(x))
KINDS(pfma, math::fma(x, y, z))
KINDS(pmin, math::min(x, y))
KINDS(pmax, math::max(x, y))
KINDS(pminnm, math::number(x, y, math::min<decltype(x)>))
KINDS(pmaxnm, math::number(x, y, math::max<decltype(x)>))
#undef KINDS
#undef KIND

}  // namespace pagoda::vec
