// SPDX-License-Identifier: MIT
// What the builder folds away, and the integer meaning it folds with.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "ir/test_tables.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/fold.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda::ir {
namespace {

enum Slot : u32 { kBase, kA0, kA1, kW0, kH0, kB0 };
enum Helper : u32 { kSum, kProbe, kScramble, kEnter, kSwitchMode };

std::string text_of(const std::function<void(Builder&)>& body, bool forward_state = true) {
  Builder b;
  Block block;
  b.start(&block, kTestSlots, forward_state);
  b.insn(0, 4);
  body(b);
  if (!b.ended()) b.jump(4);
  verify_or_die(block, kTestSlots, kTestHelpers);
  const std::string text = print(block, kTestSlots, kTestHelpers);
  return text.substr(text.find('\n') + 1, text.rfind("  ") - text.find('\n') - 1);  // without marker and terminal
}

TEST(IrBuilder, forwards_state_inside_a_block) {
  EXPECT_EQ(text_of([](Builder& b) {
              const Value a = b.get_slot(kA0), c = b.get_slot(kA0);
              b.put_slot(kA1, b.add(a, c));
            }),
            "  v1 = get_slot.i64 a0\n  v2 = add.i64 v1, v1\n  put_slot.i64 a1, v2\n");
  EXPECT_EQ(text_of([](Builder& b) {
              b.put_slot(kA0, b.get_slot(kA1));
              b.insn(4, 4);
              b.put_slot(kBase, b.get_slot(kA0));
            }),
            "  v1 = get_slot.i64 a1\n  put_slot.i64 a0, v1\ninsn +4 len 4\n  put_slot.i64 base, v1\n");
  EXPECT_EQ(text_of(
                [](Builder& b) {
                  const Value a = b.get_slot(kA0), c = b.get_slot(kA0);
                  b.put_slot(kA1, b.add(a, c));
                },
                false),
            "  v1 = get_slot.i64 a0\n  v2 = get_slot.i64 a0\n  v3 = add.i64 v1, v2\n  put_slot.i64 a1, v3\n");
}

TEST(IrBuilder, helpers_that_write_state_end_forwarding) {
  const auto with = [](Helper helper) {
    return text_of([helper](Builder& b) {
      b.get_slot(kA0);
      b.call(helper, kTestHelpers.helpers[helper].effects, Type::none);
      b.put_slot(kA1, b.get_slot(kA0));
    });
  };
  EXPECT_EQ(with(kSum), "  v1 = get_slot.i64 a0\n  call sum\n  put_slot.i64 a1, v1\n");
  EXPECT_EQ(with(kScramble),
            "  v1 = get_slot.i64 a0\n  call scramble\n  v3 = get_slot.i64 a0\n  put_slot.i64 a1, v3\n");
}

TEST(IrBuilder, folds_constants_and_identities) {
  const auto one = [](const std::function<Value(Builder&, Value)>& make) {
    return text_of([&](Builder& b) {
      const Value x = b.get_slot(kA0);
      b.put_slot(kA1, make(b, x));
    });
  };
  const std::string unchanged = "  v1 = get_slot.i64 a0\n  v2 = constant.i64 0x0\n  put_slot.i64 a1, v1\n";
  EXPECT_EQ(one([](Builder& b, Value x) { return b.add(x, b.i64(0)); }), unchanged);
  EXPECT_EQ(one([](Builder& b, Value x) { return b.sub(x, b.i64(0)); }), unchanged);
  EXPECT_EQ(one([](Builder& b, Value x) { return b.or_(b.i64(0), x); }), unchanged);
  EXPECT_EQ(one([](Builder& b, Value x) { return b.shl(x, b.i64(0)); }), unchanged);
  EXPECT_EQ(one([](Builder& b, Value x) { return b.and_(x, b.i64(0)); }),
            "  v1 = get_slot.i64 a0\n  v2 = constant.i64 0x0\n  put_slot.i64 a1, v2\n");
  EXPECT_EQ(one([](Builder& b, Value x) { return b.sub(b.i64(0), x); }),
            "  v1 = get_slot.i64 a0\n  v2 = constant.i64 0x0\n  v3 = sub.i64 v2, v1\n  put_slot.i64 a1, v3\n");
  EXPECT_EQ(one([](Builder& b, Value x) {
              const Value three = b.i64(3);
              return b.select(b.constant(Type::i1, 1), x, three);
            }),
            "  v1 = get_slot.i64 a0\n  v2 = constant.i64 0x3\n  v3 = constant.i1 0x1\n  put_slot.i64 a1, v1\n");
  EXPECT_EQ(one([](Builder& b, Value) {
              const Value one_more = b.i32(1);
              return b.sext(b.add(b.i32(0x7fff'ffff), one_more), Type::i64);
            }),
            "  v1 = get_slot.i64 a0\n  v2 = constant.i32 0x1\n  v3 = constant.i32 0x7fffffff\n"
            "  v4 = constant.i32 0x80000000\n  v5 = constant.i64 0xffffffff80000000\n  put_slot.i64 a1, v5\n");
}

TEST(IrBuilder, known_branches_become_jumps) {
  for (const u64 condition : {0, 1}) {
    Builder b;
    Block block;
    b.start(&block, kTestSlots);
    b.insn(0, 4);
    b.branch(b.constant(Type::i1, condition), 8, 4);
    EXPECT_EQ(block.terminal.kind, Terminal::Kind::jump);
    EXPECT_EQ(block.terminal.taken, condition != 0 ? 8 : 4);
    EXPECT_EQ(block.guest_insns, 1u);
    EXPECT_EQ(block.guest_bytes, 4u);
  }
}

// Plain integers of unlimited width, as far as 8-bit operands go, cut to the width at the end.
int signed_of(u32 a) { return static_cast<int>(a ^ 0x80) - 0x80; }

std::optional<i64> expected(Op op, u32 a, u32 b) {
  const int sa = signed_of(a), sb = signed_of(b);
  const int ua = static_cast<int>(a), ub = static_cast<int>(b), count = ub % 8;
  const auto floor_shift = [](int value, int by) { return static_cast<int>(std::floor(value / std::pow(2.0, by))); };
  switch (op) {
    case Op::add:
      return ua + ub;
    case Op::sub:
      return ua - ub;
    case Op::mul:
      return ua * ub;
    case Op::mulh_s:
      return floor_shift(sa * sb, 8);
    case Op::mulh_u:
      return ua * ub / 256;
    case Op::mulh_su:
      return floor_shift(sa * ub, 8);
    case Op::clmul:
    case Op::clmulh: {
      u32 product = 0;
      for (u32 bit = 0; bit < 8; ++bit) product ^= (ub >> bit & 1) != 0 ? static_cast<u32>(ua) << bit : 0;
      return op == Op::clmul ? product & 255 : product >> 8;
    }
    case Op::div_s:
      return sb == 0 ? -1 : sa / sb;
    case Op::rem_s:
      return sb == 0 ? sa : sa % sb;
    case Op::div_u:
      return ub == 0 ? 255 : ua / ub;
    case Op::rem_u:
      return ub == 0 ? ua : ua % ub;
    case Op::and_:
      return ua & ub;
    case Op::or_:
      return ua | ub;
    case Op::xor_:
      return ua ^ ub;
    case Op::shl:
      return ua * (1 << count);
    case Op::shr:
      return ua / (1 << count);
    case Op::sar:
      return floor_shift(sa, count);
    case Op::rotl:
      return std::rotl(static_cast<u8>(a), count);
    case Op::rotr:
      return std::rotr(static_cast<u8>(a), count);
    case Op::min_s:
      return std::min(sa, sb);
    case Op::max_s:
      return std::max(sa, sb);
    case Op::min_u:
      return std::min(ua, ub);
    case Op::max_u:
      return std::max(ua, ub);
    case Op::eq:
      return ua == ub;
    case Op::ne:
      return ua != ub;
    case Op::lt_s:
      return sa < sb;
    case Op::le_s:
      return sa <= sb;
    case Op::lt_u:
      return ua < ub;
    case Op::le_u:
      return ua <= ub;
    default:
      return std::nullopt;
  }
}

TEST(IrFold, all_pairs_of_bytes) {
  u32 ops = 0;
  for (u32 i = 0; i < kOpCount; ++i) {
    const Op op = static_cast<Op>(i);
    const bool known = fold(op, Type::i8, 0, 0).has_value();
    ASSERT_EQ(known, expected(op, 0, 0).has_value()) << op_text(op);
    if (!known) continue;
    ++ops;
    for (u32 a = 0; a < 256; ++a) {
      for (u32 b = 0; b < 256; ++b) {
        ASSERT_EQ(*fold(op, Type::i8, a, b), static_cast<u64>(*expected(op, a, b)) & 0xff)
            << op_text(op) << ' ' << a << ' ' << b;
      }
    }
  }
  EXPECT_GE(ops, 28u);
}

TEST(IrFold, one_operand) {
  for (u32 a = 0; a < 256; ++a) {
    const auto byte = static_cast<u8>(a);
    EXPECT_EQ(*fold(Op::not_, Type::i8, a), 255 - a);
    EXPECT_EQ(*fold(Op::clz, Type::i8, a), static_cast<u64>(std::countl_zero(byte)));
    EXPECT_EQ(*fold(Op::ctz, Type::i8, a), static_cast<u64>(std::countr_zero(byte)));
    EXPECT_EQ(*fold(Op::popcnt, Type::i8, a), static_cast<u64>(std::popcount(byte)));
    EXPECT_EQ(*fold(Op::bswap, Type::i8, a), a);
  }
  EXPECT_EQ(*fold(Op::bswap, Type::i32, 0x01020304), 0x04030201u);
  EXPECT_EQ(*fold(Op::not_, Type::i1, 1), 0u);
}

TEST(IrFold, wide_operands) {
  constexpr u64 top = u64{1} << 63, ones = ~u64{0};
  EXPECT_EQ(*fold(Op::mulh_s, Type::i64, ones, ones), 0u);
  EXPECT_EQ(*fold(Op::mulh_u, Type::i64, ones, ones), ones - 1);
  EXPECT_EQ(*fold(Op::mulh_su, Type::i64, ones, ones), ones);
  EXPECT_EQ(*fold(Op::div_s, Type::i64, top, ones), top);
  EXPECT_EQ(*fold(Op::rem_s, Type::i64, top, ones), 0u);
  EXPECT_EQ(*fold(Op::sar, Type::i64, top, 127), ones);
  EXPECT_EQ(*fold(Op::div_s, Type::i32, 0x8000'0000, 0xffff'ffff), 0x8000'0000u);
}

}  // namespace
}  // namespace pagoda::ir
