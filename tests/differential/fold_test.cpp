// SPDX-License-Identifier: MIT
// Tiers 0 and 1 against ir::fold: every integer op on every width, operands in registers and as constants, results in a
// register, widened, and branched on.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "differential/toy_guest.h"
#include "tcg/ir/fold.h"
#include "tcg/ir/verifier.h"

namespace pagoda {
namespace {

using ir::Block;
using ir::Inst;
using ir::Op;
using ir::Type;
using ir::ValueId;

constexpr u64 kValues[] = {0,
                           1,
                           2,
                           3,
                           5,
                           7,
                           8,
                           15,
                           31,
                           32,
                           63,
                           0x7f,
                           0x80,
                           0xff,
                           0x1234,
                           0x7fff,
                           0x8000,
                           0xffff,
                           0x12345678,
                           0x7fffffff,
                           0x80000000,
                           0xffffffff,
                           0x100000000,
                           u64{1} << 63,
                           (u64{1} << 63) - 1,
                           ~u64{0},
                           ~u64{1},
                           0xfedcba9876543210};

// How an op's operands and result are spelled.
enum class Shape { registers, constant_second, constant_first, widened_signed, widened_unsigned, branch };
constexpr Shape kShapes[] = {Shape::registers,      Shape::constant_second,  Shape::constant_first,
                             Shape::widened_signed, Shape::widened_unsigned, Shape::branch};

u32 number(ToySlot slot) { return static_cast<u32>(slot); }
// Two registers of each width to read; results go to the second one, widened ones to b0.
u32 register_of(Type type, bool second) {
  switch (type) {
    case Type::i1:
      return number(second ? ToySlot::t1 : ToySlot::t0);
    case Type::i8:
      return number(second ? ToySlot::c1 : ToySlot::c0);
    case Type::i16:
      return number(second ? ToySlot::h1 : ToySlot::h0);
    case Type::i32:
      return number(second ? ToySlot::w1 : ToySlot::w0);
    default:
      return number(second ? ToySlot::a1 : ToySlot::a0);
  }
}

class BlockMaker {
 public:
  explicit BlockMaker(Block& block) : block_(block) {
    block_.clear();
    block_.guest_insns = 1;
    block_.guest_bytes = 4;
    Inst marker;
    marker.op = Op::insn;
    marker.aux = 4;
    block_.insts.push_back(marker);
    block_.terminal.kind = ir::Terminal::Kind::jump;
    block_.terminal.taken = 4;
  }
  ValueId add(Op op, Type type, ValueId a = 0, ValueId b = 0, u32 extra = 0, u64 imm = 0) {
    Inst inst;
    inst.op = op;
    inst.type = type;
    inst.args[0] = a;
    inst.args[1] = b;
    inst.extra = extra;
    inst.imm = imm;
    block_.insts.push_back(inst);
    return static_cast<ValueId>(block_.insts.size() - 1);
  }

 private:
  Block& block_;
};

// False where the shape does not exist for this op.
bool make(Block& block, Op op, Type type, bool two, Shape shape, u64 a, u64 b) {
  BlockMaker maker(block);
  const Type result = ir::result_type(op, type);
  if (!two && (shape == Shape::constant_second || shape == Shape::constant_first)) return false;
  if ((shape == Shape::widened_signed || shape == Shape::widened_unsigned) && result == Type::i64) return false;
  if (shape == Shape::branch && result != Type::i1) return false;
  const auto operand = [&](bool constant, bool second, u64 value) {
    if (constant) return maker.add(Op::constant, type, 0, 0, 0, value);
    return maker.add(Op::get_slot, type, 0, 0, register_of(type, second));
  };
  const ValueId first = operand(shape == Shape::constant_first, false, a);
  const ValueId second = two ? operand(shape == Shape::constant_second, true, b) : ir::kNoValue;
  ValueId value = maker.add(op, type, first, second);
  Type stored = result;
  if (shape == Shape::widened_signed || shape == Shape::widened_unsigned) {
    value = maker.add(shape == Shape::widened_signed ? Op::sext : Op::zext, Type::i64, value);
    stored = Type::i64;
  }
  if (shape == Shape::branch) {
    block.terminal.kind = ir::Terminal::Kind::branch;
    block.terminal.value = value;
    block.terminal.taken = 64;
    block.terminal.not_taken = 4;
  } else {
    maker.add(Op::put_slot, stored, value, 0, stored == result ? register_of(stored, true) : number(ToySlot::b0));
  }
  return true;
}

void put(Toy& toy, Type type, bool second, u64 value) {
  ToyState& state = toy.state();
  switch (type) {
    case Type::i1:
      state.t[second] = static_cast<u8>(value);
      break;
    case Type::i8:
      state.c[second] = static_cast<u8>(value);
      break;
    case Type::i16:
      state.h[second] = static_cast<u16>(value);
      break;
    case Type::i32:
      state.w[second] = static_cast<u32>(value);
      break;
    default:
      state.a[second] = value;
      break;
  }
}

u64 got(Toy& toy, Type result, Shape shape) {
  const ToyState& state = toy.state();
  if (shape == Shape::branch) return state.pc;
  if (shape == Shape::widened_signed || shape == Shape::widened_unsigned) return state.b[0];
  switch (result) {
    case Type::i1:
      return state.t[1];
    case Type::i8:
      return state.c[1];
    case Type::i16:
      return state.h[1];
    case Type::i32:
      return state.w[1];
    default:
      return state.a[1];
  }
}

u64 expectation(u64 folded, Type result, Shape shape) {
  if (shape == Shape::branch) return kToyPc + (folded != 0 ? 64 : 4);
  return shape == Shape::widened_signed ? ir::sign_extend(folded, ir::type_bits(result)) : folded;
}

TEST(Fold, AgreesWithTheTiers) {
  const ir::SlotTable slots = toy_slots();
  const HelperTable helpers = toy_helpers();
  interp::Lowering lowerings[] = {{slots, helpers, 0}, {slots, helpers, interp::kAllFusions}};
  const std::unique_ptr<ToyHost> host = make_toy_host();
  auto toy = std::make_unique<Toy>();
  ir::Rng rng(1);
  toy->randomize(rng);
  Block block;
  u32 ops = 0;
  for (u32 n = 0; n < ir::kOpCount; ++n) {
    const Op op = static_cast<Op>(n);
    bool is_folded = false;
    for (const Type type : {Type::i1, Type::i8, Type::i16, Type::i32, Type::i64}) {
      if (!ir::contains(ir::op_info(op).types, type)) continue;
      const bool two = ir::op_info(op).operand_count() == 2;
      const Type result = ir::result_type(op, type);
      for (const u64 wide_a : kValues) {
        for (const u64 wide_b : kValues) {
          const u64 a = wide_a & ir::type_mask(type), b = wide_b & ir::type_mask(type);
          const std::optional<u64> folded = two ? ir::fold(op, type, a, b) : ir::fold(op, type, a);
          if (!folded) continue;
          is_folded = true;
          for (const Shape shape : kShapes) {
            if (!make(block, op, type, two, shape, a, b)) continue;
            ir::verify_or_die(block, slots, helpers);
            // No fusion, all fusions, tier 1.
            for (u32 side = 0; side < (host != nullptr ? 3 : 2); ++side) {
              put(*toy, type, false, a);
              put(*toy, type, true, b);
              if (side < 2) {
                toy->run(lowerings[side], block);
              } else {
                ASSERT_TRUE(toy->run_compiled(*host, lowerings[1], block));
              }
              ASSERT_EQ(got(*toy, result, shape), expectation(*folded, result, shape))
                  << ir::op_info(op).name << " " << ir::type_name(type) << " of " << a << ", " << b << ", shape "
                  << static_cast<u32>(shape) << ", side " << side;
            }
          }
          if (!two) break;
        }
      }
    }
    ops += is_folded;
  }
  EXPECT_EQ(ops, 35u);  // a new integer op in ops.def wants a meaning in fold.cpp
}

}  // namespace
}  // namespace pagoda
