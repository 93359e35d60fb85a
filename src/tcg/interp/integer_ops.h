// SPDX-License-Identifier: MIT
// Integer ops on host types, as the handlers compute them. Tests hold them against ir::fold.
#pragma once

#include <bit>
#include <limits>
#include <type_traits>

#include "base/types.h"
#include "tcg/ir/types.h"

namespace pagoda::interp {

template <class T>
using Signed = std::make_signed_t<T>;
template <class T>
inline constexpr u32 kBits = sizeof(T) * 8;
// Arithmetic type that never promotes to signed int.
template <class T>
using Wide = std::conditional_t<(sizeof(T) < 4), u32, T>;
template <class T>
using Double = std::conditional_t<sizeof(T) == 8, u128, u64>;
template <class T>
using SignedDouble = std::conditional_t<sizeof(T) == 8, i128, i64>;

template <class T>
T op_add(T a, T b) {
  return static_cast<T>(Wide<T>{a} + Wide<T>{b});
}
template <class T>
T op_sub(T a, T b) {
  return static_cast<T>(Wide<T>{a} - Wide<T>{b});
}
template <class T>
T op_mul(T a, T b) {
  return static_cast<T>(Wide<T>{a} * Wide<T>{b});
}
template <class T>
T op_mulh_s(T a, T b) {
  return static_cast<T>((SignedDouble<T>{static_cast<Signed<T>>(a)} * SignedDouble<T>{static_cast<Signed<T>>(b)}) >>
                        kBits<T>);
}
template <class T>
T op_mulh_u(T a, T b) {
  return static_cast<T>((Double<T>{a} * Double<T>{b}) >> kBits<T>);
}
template <class T>
T op_mulh_su(T a, T b) {
  return static_cast<T>((SignedDouble<T>{static_cast<Signed<T>>(a)} * static_cast<SignedDouble<T>>(b)) >> kBits<T>);
}
// Without branches, so that the time it takes tells nothing of the operands.
template <class T>
Double<T> carryless(T a, T b) {
  Double<T> product = 0;
  for (u32 bit = 0; bit < kBits<T>; ++bit) product ^= (Double<T>{a} << bit) & (Double<T>{0} - (b >> bit & 1u));
  return product;
}
template <class T>
T op_clmul(T a, T b) {
  return static_cast<T>(carryless(a, b));
}
template <class T>
T op_clmulh(T a, T b) {
  return static_cast<T>(carryless(a, b) >> kBits<T>);
}
template <class T>
bool overflows(T a, T b) {
  return static_cast<Signed<T>>(a) == std::numeric_limits<Signed<T>>::min() && static_cast<Signed<T>>(b) == -1;
}
template <class T>
T op_div_s(T a, T b) {
  if (b == 0) return static_cast<T>(~T{0});
  if (overflows(a, b)) return a;
  return static_cast<T>(static_cast<Signed<T>>(a) / static_cast<Signed<T>>(b));
}
template <class T>
T op_rem_s(T a, T b) {
  if (b == 0) return a;
  if (overflows(a, b)) return 0;
  return static_cast<T>(static_cast<Signed<T>>(a) % static_cast<Signed<T>>(b));
}
template <class T>
T op_div_u(T a, T b) {
  return b == 0 ? static_cast<T>(~T{0}) : static_cast<T>(a / b);
}
template <class T>
T op_rem_u(T a, T b) {
  return b == 0 ? a : static_cast<T>(a % b);
}
template <class T>
T op_and_(T a, T b) {
  return static_cast<T>(a & b);
}
template <class T>
T op_or_(T a, T b) {
  return static_cast<T>(a | b);
}
template <class T>
T op_xor_(T a, T b) {
  return static_cast<T>(a ^ b);
}
template <class T>
T op_shl(T a, T b) {
  return static_cast<T>(Wide<T>{a} << (b & (kBits<T> - 1)));
}
template <class T>
T op_shr(T a, T b) {
  return static_cast<T>(a >> (b & (kBits<T> - 1)));
}
template <class T>
T op_sar(T a, T b) {
  return static_cast<T>(static_cast<Signed<T>>(a) >> (b & (kBits<T> - 1)));
}
template <class T>
T op_rotl(T a, T b) {
  return std::rotl(a, static_cast<int>(b & (kBits<T> - 1)));
}
template <class T>
T op_rotr(T a, T b) {
  return std::rotr(a, static_cast<int>(b & (kBits<T> - 1)));
}
template <class T>
bool op_eq(T a, T b) {
  return a == b;
}
template <class T>
bool op_ne(T a, T b) {
  return a != b;
}
template <class T>
bool op_lt_s(T a, T b) {
  return static_cast<Signed<T>>(a) < static_cast<Signed<T>>(b);
}
template <class T>
bool op_le_s(T a, T b) {
  return static_cast<Signed<T>>(a) <= static_cast<Signed<T>>(b);
}
template <class T>
bool op_lt_u(T a, T b) {
  return a < b;
}
template <class T>
bool op_le_u(T a, T b) {
  return a <= b;
}
template <class T>
T op_min_s(T a, T b) {
  return op_lt_s(a, b) ? a : b;
}
template <class T>
T op_max_s(T a, T b) {
  return op_lt_s(a, b) ? b : a;
}
template <class T>
T op_min_u(T a, T b) {
  return a < b ? a : b;
}
template <class T>
T op_max_u(T a, T b) {
  return a < b ? b : a;
}
template <class T>
T op_not_(T a) {
  return static_cast<T>(~a);
}
template <class T>
T op_clz(T a) {
  return static_cast<T>(std::countl_zero(a));
}
template <class T>
T op_ctz(T a) {
  return static_cast<T>(std::countr_zero(a));
}
template <class T>
T op_popcnt(T a) {
  return static_cast<T>(std::popcount(a));
}
template <class T>
T op_bswap(T a) {
  return static_cast<T>(__builtin_bswap64(a) >> (64 - kBits<T>));
}

// Condition flags, bit numbers as ir::Flag.
constexpr u32 as_flag(bool value, ir::Flag flag) { return u32{value} << static_cast<u32>(flag); }
template <class T>
u8 flags_of_result(T r) {
  using enum ir::Flag;
  return static_cast<u8>(as_flag((r >> (kBits<T> - 1) & 1) != 0, n) | as_flag(r == 0, z) |
                         as_flag((std::popcount(static_cast<u8>(r)) & 1) == 0, p));
}
template <class T>
u8 op_flags_logic(T a) {
  return flags_of_result(a);
}
template <class T>
u8 op_flags_add(T a, T b, bool carry) {
  const T r = static_cast<T>(Wide<T>{a} + Wide<T>{b} + carry);
  const bool c = carry ? r <= a : r < a;
  const bool v = (static_cast<T>((a ^ r) & (b ^ r)) >> (kBits<T> - 1) & 1) != 0;
  const u32 half = static_cast<u32>(a ^ b ^ r) & ir::kFlagsA;
  return static_cast<u8>(flags_of_result(r) | as_flag(c, ir::Flag::c) | as_flag(v, ir::Flag::v) | half);
}
template <class T>
u8 op_flags_sub(T a, T b, bool borrow) {
  const T r = static_cast<T>(Wide<T>{a} - Wide<T>{b} - borrow);
  const bool c = borrow ? a <= b : a < b;
  const bool v = (static_cast<T>((a ^ b) & (a ^ r)) >> (kBits<T> - 1) & 1) != 0;
  const u32 half = static_cast<u32>(a ^ b ^ r) & ir::kFlagsA;
  return static_cast<u8>(flags_of_result(r) | as_flag(c, ir::Flag::c) | as_flag(v, ir::Flag::v) | half);
}
template <class T>
u8 op_flags_subc(T a, T b, bool borrow) {
  return static_cast<u8>(op_flags_sub(a, b, borrow) ^ ir::kFlagsC);
}

constexpr u8 with_carry_of(u8 flags, u8 carry) {
  return static_cast<u8>((flags & ~ir::kFlagsC) | (carry & ir::kFlagsC));
}

}  // namespace pagoda::interp
