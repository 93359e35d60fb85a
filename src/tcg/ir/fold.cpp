// SPDX-License-Identifier: MIT
// Integer meaning, written for clarity: 64-bit arithmetic on extended operands, masked to the width at the end.
#include "tcg/ir/fold.h"

#include <bit>

namespace pagoda::ir {
namespace {

u64 divide_signed(i64 a, i64 b, u32 bits, bool remainder) {
  const i64 minimum = static_cast<i64>(sign_extend(u64{1} << (bits - 1), bits));
  if (b == 0) return remainder ? static_cast<u64>(a) : ~u64{0};
  if (a == minimum && b == -1) return remainder ? 0 : static_cast<u64>(a);
  return static_cast<u64>(remainder ? a % b : a / b);
}

u128 carryless_product(u64 a, u64 b) {
  u128 product = 0;
  for (u32 bit = 0; bit < 64; ++bit) {
    if ((b >> bit & 1) != 0) product ^= u128{a} << bit;
  }
  return product;
}

}  // namespace

std::optional<u64> fold(Op op, Type type, u64 a, u64 b) {
  const u32 bits = type_bits(type);
  if (!is_integer(type) || bits > 64) return std::nullopt;
  const u64 mask = type_mask(type);
  a &= mask;
  b &= mask;
  const auto sa = static_cast<i64>(sign_extend(a, bits));
  const auto sb = static_cast<i64>(sign_extend(b, bits));
  const u32 count = bits == 1 ? 0 : static_cast<u32>(b & (bits - 1));
  u64 r = 0;
  switch (op) {
    case Op::add:
      r = a + b;
      break;
    case Op::sub:
      r = a - b;
      break;
    case Op::mul:
      r = a * b;
      break;
    case Op::mulh_s:
      r = static_cast<u64>((static_cast<i128>(sa) * sb) >> bits);
      break;
    case Op::mulh_u:
      r = static_cast<u64>((static_cast<u128>(a) * b) >> bits);
      break;
    case Op::mulh_su:
      r = static_cast<u64>((static_cast<i128>(sa) * static_cast<i128>(b)) >> bits);
      break;
    case Op::clmul:
      r = static_cast<u64>(carryless_product(a, b));
      break;
    case Op::clmulh:
      r = static_cast<u64>(carryless_product(a, b) >> bits);
      break;
    case Op::div_s:
      r = divide_signed(sa, sb, bits, false);
      break;
    case Op::rem_s:
      r = divide_signed(sa, sb, bits, true);
      break;
    case Op::div_u:
      r = b == 0 ? mask : a / b;
      break;
    case Op::rem_u:
      r = b == 0 ? a : a % b;
      break;
    case Op::and_:
      r = a & b;
      break;
    case Op::or_:
      r = a | b;
      break;
    case Op::xor_:
      r = a ^ b;
      break;
    case Op::shl:
      r = a << count;
      break;
    case Op::shr:
      r = a >> count;
      break;
    case Op::sar:
      r = static_cast<u64>(sa >> count);
      break;
    case Op::rotl:
      r = count == 0 ? a : a << count | a >> (bits - count);
      break;
    case Op::rotr:
      r = count == 0 ? a : a >> count | a << (bits - count);
      break;
    case Op::min_s:
      r = sa < sb ? a : b;
      break;
    case Op::max_s:
      r = sa < sb ? b : a;
      break;
    case Op::min_u:
      r = a < b ? a : b;
      break;
    case Op::max_u:
      r = a < b ? b : a;
      break;
    case Op::eq:
      return a == b;
    case Op::ne:
      return a != b;
    case Op::lt_s:
      return sa < sb;
    case Op::le_s:
      return sa <= sb;
    case Op::lt_u:
      return a < b;
    case Op::le_u:
      return a <= b;
    default:
      return std::nullopt;
  }
  return r & mask;
}

std::optional<u64> fold(Op op, Type type, u64 a) {
  const u32 bits = type_bits(type);
  if (!is_integer(type) || bits > 64) return std::nullopt;
  const u64 mask = type_mask(type);
  a &= mask;
  switch (op) {
    case Op::not_:
      return ~a & mask;
    case Op::clz:
      return static_cast<u64>(std::countl_zero(a)) - (64 - bits);
    case Op::ctz:
      return a == 0 ? bits : static_cast<u64>(std::countr_zero(a));
    case Op::popcnt:
      return static_cast<u64>(std::popcount(a));
    case Op::bswap:
      return __builtin_bswap64(a) >> (64 - bits);
    default:
      return std::nullopt;
  }
}

}  // namespace pagoda::ir
