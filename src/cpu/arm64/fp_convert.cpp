// SPDX-License-Identifier: MIT
// Conversions between floating-point formats (Arm ARM FPConvert). Half precision never flushes here (FZ16 counts for
// arithmetic alone), and with FPCR.AHP it has no infinities and NaNs but another power of two.
#include "cpu/arm64/fp_math.h"

namespace pagoda::arm64 {
namespace {

// The payload's top bits stay the top ones.
template <class To, class From>
To convert_nan(From a) {
  using F = fp::Format<From>;
  using G = fp::Format<To>;
  const From fraction = a & static_cast<From>((From{1} << (F::kPrecision - 1)) - 1);
  To payload;
  if constexpr (sizeof(To) > sizeof(From)) {
    payload = static_cast<To>(static_cast<To>(fraction) << (G::kPrecision - F::kPrecision));
  } else {
    payload = static_cast<To>(fraction >> (F::kPrecision - G::kPrecision));
  }
  return static_cast<To>((fp::is_negative(a) ? G::kSign : To{0}) | G::kInf | G::kQuiet | payload);
}

// 2^16 up to just below 2^17 are what the alternative format has beyond: one step of the exponent above the IEEE one's.
template <class From>
u16 to_alternative_half(From a, fp::soft::Env& env) {
  using F = fp::Format<From>;
  using H = fp::Format<u16>;
  const u16 sign = fp::is_negative(a) ? H::kSign : u16{0};
  const auto overflowed = [&] {
    env.flags = fp::kInvalid;
    return static_cast<u16>(sign | 0x7fff);
  };
  if (fp::magnitude(a) == F::kInf) return overflowed();
  constexpr From step = From{1} << (F::kPrecision - 1);
  const From large = static_cast<From>(From{static_cast<From>(F::kMaxExponent + 15)} * step);  // 2^15
  if (fp::magnitude(a) < large) return fp::soft::convert<u16>(a, env);
  const u16 half = fp::soft::convert<u16>(static_cast<From>(a - step), env);
  return (env.flags & fp::kOverflow) != 0 ? overflowed() : static_cast<u16>(half + 0x0400);
}

template <class To>
To from_alternative_half(u16 a) {
  constexpr u16 top = fp::Format<u16>::kInf;
  if (fp::magnitude(a) < top) return fp::from_half<To>(a);
  return static_cast<To>(fp::from_half<To>(static_cast<u16>(a - 0x0400)) + (To{1} << (fp::Format<To>::kPrecision - 1)));
}

}  // namespace

template <class To, class From>
To FpMath::convert(From a) {
  const bool alternative = (fpcr_ & kFpcrAltHalf) != 0;
  if constexpr (sizeof(From) == 2) {
    if (alternative) return from_alternative_half<To>(a);
  } else {
    a = input(a);
  }
  if (fp::is_nan(a)) {
    if constexpr (sizeof(To) == 2) {
      if (alternative) {
        fp::raise_flags(fp::kInvalid);
        return fp::is_negative(a) ? fp::Format<u16>::kSign : u16{0};
      }
    }
    if (fp::is_signalling(a)) fp::raise_flags(fp::kInvalid);
    return (fpcr_ & kFpcrDefaultNan) != 0 ? fp::Format<To>::kNan : convert_nan<To>(a);
  }
  fp::soft::Env env{.round = round_, .tiny_before_rounding = true, .flush = sizeof(To) != 2 && flushes()};
  To result;
  if constexpr (sizeof(To) == 2) {
    result = alternative ? to_alternative_half(a, env) : fp::soft::convert<To>(a, env);
  } else {
    result = fp::soft::convert<To>(a, env);
  }
  if (env.flags != 0) fp::raise_flags(env.flags);
  return result;
}
template u16 FpMath::convert(u32);
template u16 FpMath::convert(u64);
template u32 FpMath::convert(u16);
template u32 FpMath::convert(u64);
template u64 FpMath::convert(u16);
template u64 FpMath::convert(u32);

// To odd: what is cut off shows in the last bit.
u32 FpMath::narrow_to_odd(u64 a) {
  a = input(a);
  if (fp::is_nan(a)) return convert<u32>(a);
  fp::soft::Env env{.round = Round::to_zero, .tiny_before_rounding = true, .flush = flushes()};
  const u32 result = fp::soft::convert<u32>(a, env);
  if (env.flags != 0) fp::raise_flags(env.flags);
  return result | ((env.flags & fp::kInexact) != 0);
}

}  // namespace pagoda::arm64
