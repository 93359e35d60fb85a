// SPDX-License-Identifier: MIT
// Floating-point arithmetic as ARM64 defines it (Arm ARM, shared pseudocode "FP*"), on raw bits.
//
// u16, u32 and u64 hold a half, single and double. Results, NaNs and sticky flags are the architecture's in every mode
// of FPCR: NaN operands are propagated, tininess is detected before rounding, denormals are flushed on request. What
// the host's unit does the same way it does; NaNs, results at the smallest normal number, half precision and flushing
// go to integers. Works in guest mode of the host's FP state (tcg/host/x86_64/fp_env.h), whose rounding mode is FPCR's;
// on the vcpu's thread only.
#pragma once

#include <optional>

#include "cpu/arm64/cpu.h"
#include "tcg/host/fp.h"
#include "tcg/host/soft_float.h"

namespace pagoda::arm64 {

using ir::Round;

// FPCR and FPSR (Arm ARM C5.2).
inline constexpr u32 kFpcrAltHalf = 1u << 26, kFpcrDefaultNan = 1u << 25, kFpcrFlush = 1u << 24,
                     kFpcrFlushHalf = 1u << 19;
inline constexpr u32 kFpcrWritable = kFpcrAltHalf | kFpcrDefaultNan | kFpcrFlush | 3u << 22 | kFpcrFlushHalf;
inline constexpr u32 kFpsrQ = 1u << 27, kFpsrInputDenormal = 1u << 7;
// What Cpu::fpsr holds: these and the flags of AArch32 comparisons, which are nothing but bits here.
inline constexpr u32 kFpsrHeld = 0xf000'0000 | kFpsrQ | kFpsrInputDenormal;

// FPSR without the five flags that the host's unit has.
inline u32 held_fpsr(const Cpu& cpu) {
  return cpu.fpsr | ((cpu.saturated.half[0] | cpu.saturated.half[1]) != 0 ? kFpsrQ : 0);
}

// VcpuFrame::mode for it.
constexpr u32 fpcr_mode(u32 fpcr) { return (fpcr & (kFpcrFlush | kFpcrDefaultNan)) != 0 ? kModeSlowFp : 0; }
constexpr Round fpcr_round(u32 fpcr) {
  constexpr Round rounds[] = {Round::nearest_even, Round::up, Round::down, Round::to_zero};
  return rounds[fpcr >> 22 & 3];
}
// IOC DZC OFC UFC IXC, bits 0 to 4, are the neutral order upside down.
constexpr u32 fpsr_bits(u8 flags) {
  u32 bits = 0;
  for (u32 i = 0; i < 5; ++i) bits |= (flags >> i & 1u) << (4 - i);
  return bits;
}
constexpr u8 flags_of_fpsr(u32 fpsr) { return static_cast<u8>(fpsr_bits(static_cast<u8>(fpsr & 31))); }

class FpMath {
 public:
  explicit FpMath(Cpu& cpu) : cpu_(cpu), fpcr_(cpu.fpcr), round_(fpcr_round(cpu.fpcr)) {}

  Round round() const { return round_; }
  bool flushes() const { return (fpcr_ & kFpcrFlush) != 0; }

  template <class T>
  T add(T a, T b) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fadd(a, b); is_settled(r)) return r;
      }
    }
    return two<T>(a, b, [](T x, T y, auto& env) { return fp::soft::add(x, y, env); });
  }
  template <class T>
  T sub(T a, T b) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fsub(a, b); is_settled(r)) return r;
      }
    }
    return two<T>(a, b, [](T x, T y, auto& env) { return fp::soft::sub(x, y, env); });
  }
  template <class T>
  T mul(T a, T b) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fmul(a, b); is_settled(r)) return r;
      }
    }
    return two<T>(a, b, [](T x, T y, auto& env) { return fp::soft::mul(x, y, env); });
  }
  template <class T>
  T div(T a, T b) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fdiv(a, b); is_settled(r)) return r;
      }
    }
    return two<T>(a, b, [](T x, T y, auto& env) { return fp::soft::div(x, y, env); });
  }
  template <class T>
  T sqrt(T a) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fsqrt(a); is_settled(r)) return r;
      }
    }
    a = input(a);
    if (fp::is_nan(a)) return nan(a);
    return soft<T>([&](auto& env) { return fp::soft::sqrt(a, env); });
  }
  // addend + a * b, rounded once. NaNs: the addend's comes first.
  template <class T>
  T fma(T addend, T a, T b) {
    if (host<T>()) {
      if constexpr (sizeof(T) > 2) {
        if (const T r = fp::fma(a, b, addend); is_settled(r)) return r;
      }
    }
    addend = input(addend);
    a = input(a);
    b = input(b);
    const bool is_inf_by_zero = inf_by_zero(a, b);
    if (is_inf_by_zero && fp::is_nan(addend) && !fp::is_signalling(addend)) {
      fp::raise_flags(fp::kInvalid);
      return fp::Format<T>::kNan;
    }
    if (fp::is_nan(addend) || fp::is_nan(a) || fp::is_nan(b)) return nan(addend, a, b);
    return soft<T>([&](auto& env) { return fp::soft::fma(a, b, addend, env); });
  }
  // FMULX: infinity times zero is two.
  template <class T>
  T mulx(T a, T b) {
    const T x = input(a), y = input(b);
    if (inf_by_zero(x, y)) return with_sign<T>(fp::is_negative(x) != fp::is_negative(y), two_of<T>());
    return mul(a, b);
  }

  enum class Pick { min, max };
  template <class T>
  T pick(Pick which, T a, T b) {
    a = input(a);
    b = input(b);
    if (fp::is_nan(a) || fp::is_nan(b)) return nan(a, b);
    const bool less = fp::ordered(a) < fp::ordered(b);  // -0 below +0
    return less == (which == Pick::min) ? a : b;
  }
  // A number beats a quiet NaN.
  template <class T>
  T pick_number(Pick which, T a, T b) {
    const bool quiet_a = is_quiet(a), quiet_b = is_quiet(b);
    if (quiet_a && !quiet_b && !fp::is_nan(b)) return input_as_result(b);
    if (quiet_b && !quiet_a && !fp::is_nan(a)) return input_as_result(a);
    return pick(which, a, b);
  }

  enum class Order { less, equal, greater, unordered };
  // `signals`: quiet NaNs raise invalid too.
  template <class T>
  Order compare(T a, T b, bool signals) {
    a = input(a);
    b = input(b);
    if (fp::is_nan(a) || fp::is_nan(b)) {
      if (signals || fp::is_signalling(a) || fp::is_signalling(b)) fp::raise_flags(fp::kInvalid);
      return Order::unordered;
    }
    if (((a | b) & static_cast<T>(~fp::Format<T>::kSign)) == 0) return Order::equal;
    const auto x = fp::ordered(a), y = fp::ordered(b);
    return x == y ? Order::equal : x < y ? Order::less : Order::greater;
  }

  template <class T>
  T round_integral(T a, Round round, bool exact) {
    a = input(a);
    if (fp::is_nan(a)) return nan(a);
    return soft<T>([&](auto& env) { return fp::soft::round_integral(a, exact, env); }, round);
  }
  // a * 2^fraction_bits as an integer of `width` bits; NaN gives 0.
  template <class T>
  u64 to_fixed(T a, u32 width, ir::Sign sign, Round round, u32 fraction_bits = 0) {
    a = input(a);
    if (fp::is_nan(a)) {
      fp::raise_flags(fp::kInvalid);
      return 0;
    }
    if constexpr (sizeof(T) > 2) {
      if (fraction_bits == 0 && round == Round::to_zero && width >= 32) return fp::f_to_i(round, sign, width, a);
    }
    fp::soft::Env env{round};
    const u64 result = fp::soft::to_int(a, width, sign, env, static_cast<int>(fraction_bits));
    if (env.flags != 0) fp::raise_flags(env.flags);
    return result;
  }
  // value / 2^fraction_bits.
  template <class T>
  T from_fixed(u64 value, ir::Sign sign, u32 fraction_bits = 0) {
    if constexpr (sizeof(T) > 2) {
      if (fraction_bits == 0) return sign == ir::Sign::is_signed ? fp::s_to_f<T>(value) : fp::u_to_f<T>(value);
    }
    return soft<T>(
        [&](auto& env) { return fp::soft::from_int<T>(value, sign, env, -static_cast<int>(fraction_bits)); });
  }

  // Conversions between formats: fp_convert.cpp.
  template <class To, class From>
  To convert(From a);
  u32 narrow_to_odd(u64 a);  // FCVTXN
  // Estimates and steps towards reciprocals: fp_estimate.cpp.
  template <class T>
  T reciprocal_estimate(T a);
  template <class T>
  T root_estimate(T a);
  template <class T>
  T reciprocal_exponent(T a);
  template <class T>
  T reciprocal_step(T a, T b);
  template <class T>
  T root_step(T a, T b);

 private:
  template <class T>
  static constexpr T least_normal() {
    return static_cast<T>(T{1} << (fp::Format<T>::kPrecision - 1));
  }
  template <class T>
  static constexpr T one() {
    return static_cast<T>(static_cast<T>(fp::Format<T>::kMaxExponent) << (fp::Format<T>::kPrecision - 1));
  }
  template <class T>
  static constexpr T two_of() {
    return static_cast<T>(one<T>() + least_normal<T>());
  }
  template <class T>
  static constexpr T with_sign(bool negative, T bits) {
    return negative ? static_cast<T>(bits | fp::Format<T>::kSign) : bits;
  }
  template <class T>
  static bool is_quiet(T a) {
    return fp::is_nan(a) && !fp::is_signalling(a);
  }
  template <class T>
  static bool is_inf(T a) {
    return fp::magnitude(a) == fp::Format<T>::kInf;
  }
  template <class T>
  static bool inf_by_zero(T a, T b) {
    return (is_inf(a) && fp::magnitude(b) == 0) || (is_inf(b) && fp::magnitude(a) == 0);
  }
  // Whether the host's arithmetic may be tried.
  template <class T>
  bool host() const {
    return sizeof(T) > 2 && (fpcr_ & kFpcrFlush) == 0;
  }
  // The host decides on tininess after rounding: only the smallest normal number can come of a tiny result.
  template <class T>
  static bool is_settled(T r) {
    return !fp::is_nan(r) && fp::magnitude(r) != least_normal<T>();
  }
  template <class T>
  T input(T a) {
    if (fp::magnitude(a) >= least_normal<T>() || fp::magnitude(a) == 0) return a;
    if ((fpcr_ & (sizeof(T) == 2 ? kFpcrFlushHalf : kFpcrFlush)) == 0) return a;
    if (sizeof(T) != 2) cpu_.fpsr |= kFpsrInputDenormal;
    return a & fp::Format<T>::kSign;
  }
  template <class T>
  T input_as_result(T a) {
    return input(a);
  }
  template <class T>
  T one_nan(T a) {
    return (fpcr_ & kFpcrDefaultNan) != 0 ? fp::Format<T>::kNan : static_cast<T>(a | fp::Format<T>::kQuiet);
  }
  // FPProcessNaNs: the first signalling one, else the first.
  template <class T, class... Rest>
  T nan(T first, Rest... rest) {
    const T all[] = {first, rest...};
    for (const T a : all) {
      if (!fp::is_signalling(a)) continue;
      fp::raise_flags(fp::kInvalid);
      return one_nan(a);
    }
    for (const T a : all) {
      if (fp::is_nan(a)) return one_nan(a);
    }
    return first;
  }
  template <class T, class Operation>
  T soft(const Operation& operation, std::optional<Round> round = {}) {
    const bool flush = (fpcr_ & (sizeof(T) == 2 ? kFpcrFlushHalf : kFpcrFlush)) != 0;
    fp::soft::Env env{.round = round.value_or(round_), .tiny_before_rounding = true, .flush = flush};
    const T result = operation(env);
    if (env.flags != 0) fp::raise_flags(env.flags);
    return result;
  }
  template <class T, class Operation>
  T two(T a, T b, const Operation& operation) {
    a = input(a);
    b = input(b);
    if (fp::is_nan(a) || fp::is_nan(b)) return nan(a, b);
    return soft<T>([&](auto& env) { return operation(a, b, env); });
  }

  Cpu& cpu_;
  u32 fpcr_;
  Round round_;
};

}  // namespace pagoda::arm64
