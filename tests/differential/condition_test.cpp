// SPDX-License-Identifier: MIT
// Conditions over flags: the comparison that ir::condition_value finds, against the flags themselves.
#include "tcg/ir/condition.h"

#include <gtest/gtest.h>

#include <memory>

#include "differential/toy_guest.h"
#include "tcg/ir/printer.h"

namespace pagoda {
namespace {

using ir::Builder;
using ir::Condition;
using ir::Type;
using ir::Value;

constexpr Condition kConditions[] = {Condition::z,       Condition::c,          Condition::n,
                                     Condition::v,       Condition::c_or_z,     Condition::c_and_not_z,
                                     Condition::n_xor_v, Condition::less_equal, Condition::p};
constexpr u32 kKinds = 7;

// Flags of each kind of origin. `carry` is a truth value that is not known.
Value make_flags(Builder& b, u32 kind, Value x, Value y, Value carry) {
  const Value none = b.constant(Type::i1, 0);
  switch (kind) {
    case 0:
      return b.flags_sub(x, y, none);
    case 1:
      return b.flags_subc(x, y, none);
    case 2:
      return b.flags_add(x, y, none);
    case 3:
      return b.flags_logic(x);
    case 4:
      return b.flags_bits(b.constant(Type::i8, 0x2a));
    case 5:
      return b.select(carry, b.flags_subc(x, y, none), b.flags_bits(b.constant(Type::i8, 0x13)));
    default:
      return b.flags_subc(x, y, carry);
  }
}

// The truth by the flags alone.
u64 expected(u8 flags, Condition condition) {
  const auto is = [&](ir::Flag flag) { return (flags >> static_cast<u32>(flag) & 1) != 0; };
  const bool n = is(ir::Flag::n), z = is(ir::Flag::z), c = is(ir::Flag::c), v = is(ir::Flag::v);
  switch (condition) {
    case Condition::z:
      return z;
    case Condition::c:
      return c;
    case Condition::n:
      return n;
    case Condition::v:
      return v;
    case Condition::c_or_z:
      return c || z;
    case Condition::c_and_not_z:
      return c && !z;
    case Condition::n_xor_v:
      return n != v;
    case Condition::less_equal:
      return z || n != v;
    case Condition::p:
      return is(ir::Flag::p);
  }
  return 0;
}

TEST(Conditions, AgreeWithTheFlags) {
  ir::Rng rng(1);
  auto toy = std::make_unique<Toy>();
  interp::Lowering lowering(toy_slots(), toy_helpers(), interp::kAllFusions);
  const auto slot = [](ToySlot which) { return static_cast<u32>(which); };
  u64 met[2] = {};
  for (const Type type : {Type::i8, Type::i16, Type::i32, Type::i64}) {
    for (u32 kind = 0; kind < kKinds; ++kind) {
      for (const Condition condition : kConditions) {
        for (const bool invert : {false, true}) {
          Builder b;
          ir::Block block;
          b.start(&block, toy_slots());
          b.insn(0, 4);
          const Value x = b.trunc(b.get_slot(slot(ToySlot::a0)), type);
          const Value y = b.trunc(b.get_slot(slot(ToySlot::a1)), type);
          const Value flags = make_flags(b, kind, x, y, b.get_slot(slot(ToySlot::t0)));
          b.put_slot(slot(ToySlot::cc), flags);
          const Value truth = ir::condition_value(b, b.get_slot(slot(ToySlot::cc)), condition, invert);
          b.put_slot(slot(ToySlot::b0), b.zext(truth, Type::i64));
          b.jump(4);
          for (u32 n = 0; n < 12; ++n) {
            toy->randomize(rng);
            ToyState& state = toy->state();
            if (n % 3 == 0) state.a[1] = state.a[0];
            if (n % 4 == 0) state.a[0] = u64{1} << rng() % 64;
            toy->run(lowering, block);
            const u64 want = expected(state.cc, condition) != u64{invert};
            ++met[want];
            ASSERT_EQ(state.b[0], want) << ir::print(block, toy_slots(), toy_helpers());
          }
        }
      }
    }
  }
  EXPECT_GT(met[0], 1000u);
  EXPECT_GT(met[1], 1000u);
}

}  // namespace
}  // namespace pagoda
