// SPDX-License-Identifier: MIT
// Division by constants as multiplication (Granlund and Montgomery, Division by Invariant Integers, 1994) and shifts.
//
// q = floor(n * m / 2^k) with m = floor(2^k / d) + 1 is too large by less than 1 / d as long as n * (m * d - 2^k) <
// 2^k.
#include <bit>

#include "tcg/ir/fold.h"
#include "tcg/opt/passes/rewrite.h"

namespace pagoda::opt::passes {
namespace {

using ir::Type;

struct Maker {
  Rewriter& r;
  Type type;
  NodeId op(Op op, NodeId a, NodeId b) { return r.make(op, type, a, b); }
  NodeId op(Op op, NodeId a, u64 b) { return r.make(op, type, a, r.constant(type, b)); }
  NodeId shifted(Op shift, NodeId a, u32 by) { return by == 0 ? a : op(shift, a, u64{by}); }
};

NodeId quotient_u32(Rewriter& r, NodeId n, u64 d) {
  Maker m{r, Type::i64};
  const NodeId wide = r.make(Op::zext, Type::i64, n);
  const NodeId q = [&] {
    for (u32 k = 32; k < 64; ++k) {
      const u64 magic = (u64{1} << k) / d + 1, error = magic * d - (u64{1} << k);
      if (magic >> 32 != 0) break;
      if (error <= u64{1} << (k - 32)) return m.op(Op::shr, m.op(Op::mul, wide, magic), u64{k});
    }
    return m.op(Op::mulh_u, wide, ~u64{0} / d + 1);
  }();
  return r.make(Op::trunc, Type::i32, q);
}

NodeId quotient_u64(Rewriter& r, NodeId n, u64 d) {
  Maker m{r, Type::i64};
  const auto fitting = [&](u64 divisor, u32 bits, u64& magic, u32& shift) {
    for (shift = 0; shift < 63; ++shift) {
      const u128 power = u128{1} << (64 + shift), found = power / divisor + 1;
      if (found >> 64 != 0) return false;
      if (found * divisor - power <= u128{1} << (64 + shift - bits)) {
        magic = static_cast<u64>(found);
        return true;
      }
    }
    return false;
  };
  u64 magic = 0;
  u32 shift = 0;
  if (fitting(d, 64, magic, shift)) return m.shifted(Op::shr, m.op(Op::mulh_u, n, magic), shift);
  // What is shifted out first makes the number shorter.
  const auto zeros = static_cast<u32>(std::countr_zero(d));
  if (zeros != 0 && fitting(d >> zeros, 64 - zeros, magic, shift)) {
    return m.shifted(Op::shr, m.op(Op::mulh_u, m.shifted(Op::shr, n, zeros), magic), shift);
  }
  // A multiplier of 65 bits: its highest bit by an addition that does not overflow.
  const auto length = static_cast<u32>(std::bit_width(d - 1));
  const u128 rest = length == 64 ? u128{u64{0} - d} : u128{(u64{1} << length) - d};
  magic = static_cast<u64>((rest << 64) / d + 1);
  const NodeId high = m.op(Op::mulh_u, n, magic);
  const NodeId half = m.shifted(Op::shr, m.op(Op::sub, n, high), 1);
  return m.shifted(Op::shr, m.op(Op::add, half, high), length - 1);
}

// By d > 0, no power of two; toward zero: one more if n is negative.
NodeId quotient_s32(Rewriter& r, NodeId n, u64 d) {
  Maker m{r, Type::i64};
  const NodeId wide = r.make(Op::sext, Type::i64, n);
  u32 k = 32;
  u64 magic = (u64{1} << k) / d + 1;
  while (magic * d - (u64{1} << k) >= u64{1} << (k - 31)) {
    ++k;
    magic = (u64{1} << k) / d + 1;
  }
  const NodeId floor = m.op(Op::sar, m.op(Op::mul, wide, magic), u64{k});
  const NodeId low = r.make(Op::trunc, Type::i32, floor);
  const NodeId sign = r.make(Op::sar, Type::i32, n, r.constant(Type::i32, 31));
  return r.make(Op::sub, Type::i32, low, sign);
}

NodeId quotient_s64(Rewriter& r, NodeId n, u64 d) {
  Maker m{r, Type::i64};
  u32 k = 64;
  u128 magic = (u128{1} << k) / d + 1;
  while (magic * d - (u128{1} << k) >= u128{1} << (k - 63)) {
    ++k;
    magic = (u128{1} << k) / d + 1;
  }
  const u64 low = static_cast<u64>(magic);
  NodeId high = m.op(Op::mulh_s, n, low);
  if ((low >> 63) != 0) high = m.op(Op::add, high, n);  // as a signed number it was 2^64 less
  return m.op(Op::sub, m.shifted(Op::sar, high, k - 64), m.op(Op::sar, n, u64{63}));
}

NodeId quotient_of_power(Rewriter& r, NodeId n, Type type, u32 shift) {
  Maker m{r, type};
  const u32 bits = ir::type_bits(type);
  // Rounds toward zero: negative numbers are raised by 2^shift - 1.
  const NodeId sign = m.op(Op::sar, n, u64{bits - 1});
  const NodeId raise = m.op(Op::shr, sign, u64{bits - shift});
  return m.op(Op::sar, m.op(Op::add, n, raise), u64{shift});
}

NodeId signed_quotient(Rewriter& r, NodeId n, Type type, u64 divisor) {
  const u32 bits = ir::type_bits(type);
  const bool negative = (divisor >> (bits - 1) & 1) != 0;
  const u64 d = (negative ? u64{0} - divisor : divisor) & ir::type_mask(type);
  NodeId q = n;
  if (d != 1) {
    q = std::has_single_bit(d) ? quotient_of_power(r, n, type, static_cast<u32>(std::countr_zero(d)))
        : type == Type::i32    ? quotient_s32(r, n, d)
                               : quotient_s64(r, n, d);
  }
  return negative ? r.make(Op::sub, type, r.constant(type, 0), q) : q;
}

NodeId divide_node(Rewriter& r, NodeId id) {
  const Op op = r.op(id);
  const bool has_sign = op == Op::div_s || op == Op::rem_s, remains = op == Op::rem_s || op == Op::rem_u;
  if (!has_sign && op != Op::div_u && op != Op::rem_u) return id;
  const Type type = r.node(id).type;
  const NodeId n = r.arg(id, 0);
  if ((type != Type::i32 && type != Type::i64) || !r.is_constant(r.arg(id, 1))) return id;
  const u64 d = r.imm(r.arg(id, 1));
  if (d <= 1) return id;  // pass fold
  Maker m{r, type};
  NodeId q = 0;
  if (has_sign) {
    q = signed_quotient(r, n, type, d);
  } else if (std::has_single_bit(d)) {
    if (remains) return m.op(Op::and_, n, d - 1);
    return m.shifted(Op::shr, n, static_cast<u32>(std::countr_zero(d)));
  } else {
    q = type == Type::i32 ? quotient_u32(r, n, d) : quotient_u64(r, n, d);
  }
  return remains ? m.op(Op::sub, n, m.op(Op::mul, q, d)) : q;
}

}  // namespace

void divide(Context& context) { Rewriter(context).run(divide_node, 1); }

}  // namespace pagoda::opt::passes
