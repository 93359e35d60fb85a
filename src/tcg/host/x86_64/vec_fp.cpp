// SPDX-License-Identifier: MIT
// Floating-point lanes by the host's own instructions, in guest mode: inline assembly, because the compiler must
// neither fold them nor move them across a change of MXCSR. Where SSE4.1, FMA or F16C lack, a guest must not have them
// either.
#include <array>
#include <utility>

#include "tcg/host/vec_lanes.h"
#include "tcg/ir/types.h"

namespace pagoda::vec {
namespace {

using Out = Vec128*;
using In = const Vec128*;
using Xmm = float __attribute__((vector_size(16)));

Xmm get(In from) {
  Xmm x;
  std::memcpy(&x, from, 16);
  return x;
}
void put(Out to, Xmm x) { std::memcpy(to, &x, 16); }
void put_integer(Out to, u64 value) { store(to, Lanes<u64>{{value, 0}}); }
u64 low(In from) { return load<u64>(from)[0]; }

using Immediate = void (*)(Out, In, In);

// Carry, parity and zero as compare instructions set them, in the order of ir::Flag.
void put_flags(Out to, bool zero, bool parity, bool carry) {
  put_integer(to, u64{zero} << static_cast<u32>(ir::Flag::z) | u64{parity} << static_cast<u32>(ir::Flag::p) |
                      u64{carry} << static_cast<u32>(ir::Flag::c));
}

}  // namespace

#define FP_rr(kind, text)                                 \
  void kind(Out d, In a, In b, In, u32) {                 \
    Xmm x = get(a);                                       \
    asm volatile(text " %1, %0" : "+x"(x) : "x"(get(b))); \
    put(d, x);                                            \
  }
#define FP_ub(kind, text) FP_rr(kind, text)
#define FP_u(kind, text)                                  \
  void kind(Out d, In a, In, In, u32) {                   \
    Xmm x;                                                \
    asm volatile(text " %1, %0" : "=x"(x) : "x"(get(a))); \
    put(d, x);                                            \
  }
#define FP_f3(kind, text)                                                  \
  void kind(Out d, In a, In b, In c, u32) {                                \
    Xmm x = get(b);                                                        \
    asm volatile(text " %2, %1, %0" : "+x"(x) : "x"(get(a)), "x"(get(c))); \
    put(d, x);                                                             \
  }
#define FP_rm32(kind, text)                                                  \
  void kind(Out d, In a, In b, In, u32) {                                    \
    Xmm x = get(a);                                                          \
    asm volatile(text "l %1, %0" : "+x"(x) : "r"(static_cast<u32>(low(b)))); \
    put(d, x);                                                               \
  }
#define FP_rm64(kind, text)                                \
  void kind(Out d, In a, In b, In, u32) {                  \
    Xmm x = get(a);                                        \
    asm volatile(text "q %1, %0" : "+x"(x) : "r"(low(b))); \
    put(d, x);                                             \
  }
#define FP_g32(kind, text)                                    \
  void kind(Out d, In, In b, In, u32) {                       \
    u32 value;                                                \
    asm volatile(text " %1, %0" : "=r"(value) : "x"(get(b))); \
    put_integer(d, value);                                    \
  }
#define FP_g64(kind, text)                                    \
  void kind(Out d, In, In b, In, u32) {                       \
    u64 value;                                                \
    asm volatile(text " %1, %0" : "=r"(value) : "x"(get(b))); \
    put_integer(d, value);                                    \
  }
#define FP_cmp(kind, text)                                                                        \
  void kind(Out d, In a, In b, In, u32) {                                                         \
    bool z, p, c;                                                                                 \
    asm volatile(text " %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(get(a)), "x"(get(b))); \
    put_flags(d, z, p, c);                                                                        \
  }
// An immediate is part of the instruction: a function for each.
#define FP_IMMEDIATE(kind, count, body)                                                    \
  namespace {                                                                              \
  template <u32 kImm>                                                                      \
  void kind##_by(Out d, In a, In b) {                                                      \
    Xmm x = get(a);                                                                        \
    body;                                                                                  \
    put(d, x);                                                                             \
  }                                                                                        \
  template <u32... kImm>                                                                   \
  constexpr std::array<Immediate, count> kind##_all(std::integer_sequence<u32, kImm...>) { \
    return {kind##_by<kImm>...};                                                           \
  }                                                                                        \
  constexpr auto kind##_table = kind##_all(std::make_integer_sequence<u32, count>{});      \
  }                                                                                        \
  void kind(Out d, In a, In b, In, u32 imm) { kind##_table[imm & (count - 1)](d, a, b); }
#define FP_rri(kind, text) FP_IMMEDIATE(kind, 256, asm volatile(text " %2, %1, %0" : "+x"(x) : "x"(get(b)), "i"(kImm)))
#define FP_ubi(kind, text) FP_IMMEDIATE(kind, 16, asm volatile(text " %2, %1, %0" : "+x"(x) : "x"(get(b)), "i"(kImm)))
#define FP_hi(kind, text) \
  FP_IMMEDIATE(kind, 8, static_cast<void>(b); asm volatile(text " %1, %0, %0" : "+x"(x) : "i"(kImm)))
// Predicates above 7 need AVX.
#define FP_pred(kind, text)                                                          \
  FP_IMMEDIATE(                                                                      \
      kind, 32,                                                                      \
      if constexpr (kImm < 8) {                                                      \
        asm volatile(text " %2, %1, %0" : "+x"(x) : "x"(get(b)), "i"(kImm));         \
      } else {                                                                       \
        asm volatile("v" text " %2, %1, %0, %0" : "+x"(x) : "x"(get(b)), "i"(kImm)); \
      })

// Those that propagate NaNs: vec_propagating.cpp.
#define FP_px(kind, text)
#define FP_pu(kind, text)
#define FP_p3(kind, text)
#define FP_pm(kind, text)

#define HOST_FP(kind, mnemonic, shape, feature) FP_##shape(kind, mnemonic)
#include "tcg/host/x86_64/vec_insts.def"

}  // namespace pagoda::vec
