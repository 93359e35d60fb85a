// SPDX-License-Identifier: MIT
// The floating-point ops of tcg/ir/ops.def on raw bits, done by the host's SSE unit. Guest mode only (fp_env.h).
//
// u32 holds an f32, u64 an f64. Every NaN result is the canonical one; flags accumulate in MXCSR. The instructions are
// inline assembly because the compiler must neither fold them nor move them across a change of MXCSR.
// The forms without a rounding operand round as the vcpu's current mode says and are what Round::mode means; those with
// one take any ir::Round. SSE detects tininess after rounding, as RISC-V wants (Intel SDM volume 1, 4.9.1.5).
#pragma once

#include <bit>
#include <limits>
#include <type_traits>

#include "tcg/host/fp_format.h"
#include "tcg/host/x86_64/fp_env.h"
#include "tcg/ir/types.h"

namespace pagoda::fp {

template <class T>
using HostFloat = std::conditional_t<std::is_same_v<T, u32>, float, double>;

extern const bool kHostFma;    // the host has FMA3
extern const bool kHostRound;  // and SSE4.1

#define PAGODA_FP_BINARY(name, mnemonic)                                          \
  inline u32 name(u32 a, u32 b) {                                                 \
    auto x = std::bit_cast<float>(a);                                             \
    asm volatile(mnemonic "ss %1, %0" : "+x"(x) : "x"(std::bit_cast<float>(b)));  \
    return canonical(std::bit_cast<u32>(x));                                      \
  }                                                                               \
  inline u64 name(u64 a, u64 b) {                                                 \
    auto x = std::bit_cast<double>(a);                                            \
    asm volatile(mnemonic "sd %1, %0" : "+x"(x) : "x"(std::bit_cast<double>(b))); \
    return canonical(std::bit_cast<u64>(x));                                      \
  }
PAGODA_FP_BINARY(fadd, "add")
PAGODA_FP_BINARY(fsub, "sub")
PAGODA_FP_BINARY(fmul, "mul")
PAGODA_FP_BINARY(fdiv, "div")
#undef PAGODA_FP_BINARY

inline u32 fsqrt(u32 a) {
  float x;
  asm volatile("sqrtss %1, %0" : "=x"(x) : "x"(std::bit_cast<float>(a)));
  return canonical(std::bit_cast<u32>(x));
}
inline u64 fsqrt(u64 a) {
  double x;
  asm volatile("sqrtsd %1, %0" : "=x"(x) : "x"(std::bit_cast<double>(a)));
  return canonical(std::bit_cast<u64>(x));
}

// Out of line, by integers: without FMA3, and for NaN results, whose flags the host gets wrong (inf * 0 + quiet NaN).
template <class T>
T fma_soft(T a, T b, T c);

inline u32 fma(u32 a, u32 b, u32 c) {
  if (!kHostFma) [[unlikely]]
    return fma_soft(a, b, c);
  auto x = std::bit_cast<float>(a);
  asm volatile("vfmadd213ss %2, %1, %0" : "+x"(x) : "x"(std::bit_cast<float>(b)), "x"(std::bit_cast<float>(c)));
  const u32 r = std::bit_cast<u32>(x);
  return is_nan(r) ? fma_soft(a, b, c) : r;
}
inline u64 fma(u64 a, u64 b, u64 c) {
  if (!kHostFma) [[unlikely]]
    return fma_soft(a, b, c);
  auto x = std::bit_cast<double>(a);
  asm volatile("vfmadd213sd %2, %1, %0" : "+x"(x) : "x"(std::bit_cast<double>(b)), "x"(std::bit_cast<double>(c)));
  const u64 r = std::bit_cast<u64>(x);
  return is_nan(r) ? fma_soft(a, b, c) : r;
}

// NaN operands of fmin/fmax.
template <class T>
T min_max_nan(T a, T b);

// Sign-magnitude order is integer order once a negative number's other bits are inverted; it puts -0 below +0.
template <class T>
constexpr std::make_signed_t<T> ordered(T a) {
  using S = std::make_signed_t<T>;
  const S s = static_cast<S>(a);
  return s ^ static_cast<S>(static_cast<T>(s >> (sizeof(T) * 8 - 1)) >> 1);
}
template <class T>
inline T fmin(T a, T b) {
  if (is_nan(a) || is_nan(b)) [[unlikely]]
    return min_max_nan(a, b);
  return ordered(a) < ordered(b) ? a : b;
}
template <class T>
inline T fmax(T a, T b) {
  if (is_nan(a) || is_nan(b)) [[unlikely]]
    return min_max_nan(a, b);
  return ordered(a) < ordered(b) ? b : a;
}

// Operands of a less-than are swapped: only "above" is false for unordered ones.
#define PAGODA_FP_COMPARE(name, mnemonic)                                                                            \
  inline bool name##_eq(u32 a, u32 b) {                                                                              \
    bool z, p;                                                                                                       \
    asm volatile(mnemonic "ss %3, %2"                                                                                \
                 : "=@ccz"(z), "=@ccnp"(p)                                                                           \
                 : "x"(std::bit_cast<float>(a)), "x"(std::bit_cast<float>(b)));                                      \
    return z && p;                                                                                                   \
  }                                                                                                                  \
  inline bool name##_eq(u64 a, u64 b) {                                                                              \
    bool z, p;                                                                                                       \
    asm volatile(mnemonic "sd %3, %2"                                                                                \
                 : "=@ccz"(z), "=@ccnp"(p)                                                                           \
                 : "x"(std::bit_cast<double>(a)), "x"(std::bit_cast<double>(b)));                                    \
    return z && p;                                                                                                   \
  }                                                                                                                  \
  inline bool name##_lt(u32 a, u32 b) {                                                                              \
    bool r;                                                                                                          \
    asm volatile(mnemonic "ss %1, %2" : "=@cca"(r) : "x"(std::bit_cast<float>(a)), "x"(std::bit_cast<float>(b)));    \
    return r;                                                                                                        \
  }                                                                                                                  \
  inline bool name##_lt(u64 a, u64 b) {                                                                              \
    bool r;                                                                                                          \
    asm volatile(mnemonic "sd %1, %2" : "=@cca"(r) : "x"(std::bit_cast<double>(a)), "x"(std::bit_cast<double>(b)));  \
    return r;                                                                                                        \
  }                                                                                                                  \
  inline bool name##_le(u32 a, u32 b) {                                                                              \
    bool r;                                                                                                          \
    asm volatile(mnemonic "ss %1, %2" : "=@ccae"(r) : "x"(std::bit_cast<float>(a)), "x"(std::bit_cast<float>(b)));   \
    return r;                                                                                                        \
  }                                                                                                                  \
  inline bool name##_le(u64 a, u64 b) {                                                                              \
    bool r;                                                                                                          \
    asm volatile(mnemonic "sd %1, %2" : "=@ccae"(r) : "x"(std::bit_cast<double>(a)), "x"(std::bit_cast<double>(b))); \
    return r;                                                                                                        \
  }
PAGODA_FP_COMPARE(quiet, "ucomi")
PAGODA_FP_COMPARE(signal, "comi")
#undef PAGODA_FP_COMPARE

template <class T>
inline bool fcmp(ir::FpCompare compare, T a, T b) {
  switch (compare) {
    case ir::FpCompare::eq_quiet:
      return quiet_eq(a, b);
    case ir::FpCompare::lt_quiet:
      return quiet_lt(a, b);
    case ir::FpCompare::le_quiet:
      return quiet_le(a, b);
    case ir::FpCompare::eq_signal:
      return signal_eq(a, b);
    case ir::FpCompare::lt_signal:
      return signal_lt(a, b);
    case ir::FpCompare::le_signal:
      return signal_le(a, b);
  }
  return false;
}

// --- float to integer: results zero-extended from their width --------------------------------------------------------
// The host's own conversions; out of range they give the minimum and raise invalid alone. kTruncate: toward zero
// whatever the mode.
template <bool kTruncate, class T>
inline i64 host_to_i64(T a) {
  const auto x = std::bit_cast<HostFloat<T>>(a);
  i64 r;
  if constexpr (sizeof(T) == 4) {
    if constexpr (kTruncate)
      asm volatile("cvttss2siq %1, %0" : "=r"(r) : "x"(x));
    else
      asm volatile("cvtss2siq %1, %0" : "=r"(r) : "x"(x));
  } else {
    if constexpr (kTruncate)
      asm volatile("cvttsd2siq %1, %0" : "=r"(r) : "x"(x));
    else
      asm volatile("cvtsd2siq %1, %0" : "=r"(r) : "x"(x));
  }
  return r;
}
template <bool kTruncate, class T>
inline i32 host_to_i32(T a) {
  const auto x = std::bit_cast<HostFloat<T>>(a);
  i32 r;
  if constexpr (sizeof(T) == 4) {
    if constexpr (kTruncate)
      asm volatile("cvttss2sil %1, %0" : "=r"(r) : "x"(x));
    else
      asm volatile("cvtss2sil %1, %0" : "=r"(r) : "x"(x));
  } else {
    if constexpr (kTruncate)
      asm volatile("cvttsd2sil %1, %0" : "=r"(r) : "x"(x));
    else
      asm volatile("cvtsd2sil %1, %0" : "=r"(r) : "x"(x));
  }
  return r;
}

// Any width and value; out of line, for what the host cannot convert by itself.
template <bool kTruncate, class T>
u64 to_int_checked(T a, u32 width, ir::Sign sign);

template <bool kTruncate, class T>
inline u64 f_to_s32(T a) {
  const i32 r = host_to_i32<kTruncate>(a);
  // The minimum is either the value or the host's answer to one out of range, of which those upwards are ours.
  if (r == std::numeric_limits<i32>::min() && (!is_negative(a) || is_nan(a))) [[unlikely]]
    return 0x7fff'ffff;
  return static_cast<u32>(r);
}
template <bool kTruncate, class T>
inline u64 f_to_s64(T a) {
  const i64 r = host_to_i64<kTruncate>(a);
  if (r == std::numeric_limits<i64>::min() && (!is_negative(a) || is_nan(a))) [[unlikely]]
    return ~u64{0} >> 1;
  return static_cast<u64>(r);
}
template <bool kTruncate, class T>
inline u64 f_to_u32(T a) {
  // From +0 to the last float whose integer fits in any rounding mode.
  constexpr T last = static_cast<T>(sizeof(T) == 4 ? u64{0x4f7f'ffff} : u64{0x41ef'ffff'ffe0'0000});
  if (a <= last) [[likely]]
    return static_cast<u64>(host_to_i64<kTruncate>(a));
  return to_int_checked<kTruncate>(a, 32, ir::Sign::is_unsigned);
}
template <bool kTruncate, class T>
inline u64 f_to_u64(T a) {
  constexpr T two_to_63 = static_cast<T>(sizeof(T) == 4 ? u64{0x5f00'0000} : u64{0x43e0'0000'0000'0000});
  if (a < two_to_63) [[likely]]
    return static_cast<u64>(host_to_i64<kTruncate>(a));
  return to_int_checked<kTruncate>(a, 64, ir::Sign::is_unsigned);
}

// --- integer to float: the operand is sign- or zero-extended to 64 bits ----------------------------------------------
template <class T>
inline T s_to_f(u64 value) {
  HostFloat<T> x = 0;  // breaks the dependency on the register's old upper half
  if constexpr (sizeof(T) == 4)
    asm volatile("cvtsi2ssq %1, %0" : "+x"(x) : "r"(value));
  else
    asm volatile("cvtsi2sdq %1, %0" : "+x"(x) : "r"(value));
  return std::bit_cast<T>(x);
}
template <class T>
inline T u_to_f(u64 value) {
  if (static_cast<i64>(value) >= 0) [[likely]]
    return s_to_f<T>(value);
  // Half of it with the lost bit kept as a sticky one rounds alike; doubling is exact.
  const T half = s_to_f<T>(value >> 1 | (value & 1));
  return half + (T{1} << (Format<T>::kPrecision - 1));
}

inline u64 f32_to_f64(u32 a) {
  double x = 0;
  asm volatile("cvtss2sd %1, %0" : "+x"(x) : "x"(std::bit_cast<float>(a)));
  return canonical(std::bit_cast<u64>(x));
}
inline u32 f64_to_f32(u64 a) {
  float x = 0;
  asm volatile("cvtsd2ss %1, %0" : "+x"(x) : "x"(std::bit_cast<double>(a)));
  return canonical(std::bit_cast<u32>(x));
}

// --- to an integral value; half precision
// ------------------------------------------------------------------------------ ROUNDSS and ROUNDSD: bit 2 of the
// immediate takes the mode from MXCSR, bit 3 hides inexact.
template <bool kInexactToo, class T>
inline T host_round(T a) {
  HostFloat<T> x = 0;
  constexpr int kMode = kInexactToo ? 4 : 12;
  if constexpr (sizeof(T) == 4)
    asm volatile("roundss %2, %1, %0" : "+x"(x) : "x"(std::bit_cast<float>(a)), "i"(kMode));
  else
    asm volatile("roundsd %2, %1, %0" : "+x"(x) : "x"(std::bit_cast<double>(a)), "i"(kMode));
  return canonical(std::bit_cast<T>(x));
}

template <class T>
inline T f16_widen(u16 a) {
  if (is_signalling(a)) [[unlikely]]
    raise_flags(kInvalid);
  return from_half<T>(a);
}

// --- any rounding, as the op's aux says; out of line -----------------------------------------------------------------
// Round::mode is the plain form. T is u32 or u64.
template <class T>
T fadd(ir::Round round, T a, T b);
template <class T>
T fsub(ir::Round round, T a, T b);
template <class T>
T fmul(ir::Round round, T a, T b);
template <class T>
T fdiv(ir::Round round, T a, T b);
template <class T>
T fsqrt(ir::Round round, T a);
template <class T>
T fma(ir::Round round, T a, T b, T c);
// Integer of `width` bits (8, 16, 32, 64), zero-extended.
template <class T>
u64 f_to_i(ir::Round round, ir::Sign sign, u32 width, T a);
template <class T>
T i_to_f(ir::Round round, ir::Sign sign, u64 value);
u32 f64_to_f32(ir::Round round, u64 a);
template <class T>
T fround(ir::Round round, T a);
template <class T>
T froundx(ir::Round round, T a);
template <class T>
u16 f16_narrow(ir::Round round, T a);

}  // namespace pagoda::fp
