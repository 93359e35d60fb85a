// SPDX-License-Identifier: MIT
// What each pass makes of a small graph that was written for it.
#include <gtest/gtest.h>

#include <array>
#include <iterator>

#include "opt/graph_maker.h"
#include "tcg/opt/graph_text.h"
#include "tcg/opt/passes/passes.h"

namespace pagoda::opt {
namespace {

using ir::Type;

constexpr ir::SlotInfo kSlotList[] = {
    {"a0", Type::i64, 0}, {"a1", Type::i64, 8}, {"f0", Type::i64, 16}, {"f1", Type::i64, 24}, {"cc", Type::flags, 32}};
constexpr ir::SlotTable kSlots{kSlotList, std::size(kSlotList)};
constexpr u32 kA0 = 0, kA1 = 1, kF0 = 2;
constexpr ir::MemOp kDouble{.size_log2 = 3}, kWordSigned{.size_log2 = 2, .sign = true};

// The entry with all slots, and block 1, where writing goes on.
struct Straight : GraphMaker {
  Straight() : GraphMaker(kSlots) {
    for (u32 i = 0; i < kSlots.count; ++i) in[i] = slot_in(i);
    block();
    at = 0;
    jump(1);
    at = 1;
  }
  NodeId imm(u64 value) { return constant(Type::i64, value); }
  // Leaves with a0 = value.
  void leave(NodeId value) { link(0, state(0, 0, {{kA0, value}})); }
  NodeId in[5];
};

// Block 1 is a loop's only block; block 2 leaves.
struct Loop : Straight {
  void begin(std::initializer_list<u32> slots) {
    for (const u32 slot : slots) phis.push_back(phi(kSlotList[slot].type));
    slots_of_phis = slots;
    begin_unit(4, true, here(0));
  }
  StateId here(i64 pc) {
    std::vector<SlotValue> values;
    for (size_t i = 0; i < phis.size(); ++i) values.push_back({slots_of_phis[i], phis[i]});
    return state(pc, 4, values, {});
  }
  void end(NodeId condition, std::initializer_list<NodeId> next) {
    const BlockId out = block();
    at = 1;
    branch(condition, 1, out);
    const std::vector<NodeId> values(next);
    std::vector<SlotValue> left;
    for (size_t i = 0; i < phis.size(); ++i) {
      set_phi(phis[i], {in[slots_of_phis[i]], values[i]});
      left.push_back({slots_of_phis[i], values[i]});
    }
    at = out;
    link(1, state(16, 0, left, {}));
  }
  std::vector<NodeId> phis;
  std::vector<u32> slots_of_phis;
};

// Without the entry, whose nodes are always the same.
std::string text_after(Graph& graph, std::initializer_list<Pass> list) {
  EXPECT_EQ(verify(graph), "");
  for (const Pass pass : list) run_pass(graph, pass);
  EXPECT_EQ(verify(graph), "");
  const std::string text = print(graph);
  return text.substr(text.find("block 1:"));
}

TEST(Passes, NamesAreFound) {
  for (u32 i = 0; i < kPasses; ++i) {
    const Pass pass = static_cast<Pass>(i);
    EXPECT_EQ(find_pass(pass_info(pass).name), pass);
    EXPECT_LE(pass_info(pass).level, 3u);
  }
  EXPECT_FALSE(find_pass("nothing"));
}

TEST(Passes, DeadTakesCyclesOfPhisAndKeepsEffects) {
  Loop g;
  g.begin({kA0});
  const NodeId unused = g.phi(Type::i64);
  const NodeId next = g.op(Op::add, Type::i64, unused, g.imm(1));
  g.set_phi(unused, {g.in[kA1], next});
  g.load(Type::i64, g.phis[0], kDouble, g.here(4));
  const NodeId f = g.op(Op::bitcast, Type::f64, g.phis[0]);
  g.op(Op::fadd, Type::f64, f, f);
  const NodeId counted = g.op(Op::add, Type::i64, g.phis[0], g.imm(~u64{0}));
  g.end(g.op(Op::ne, Type::i64, counted, g.imm(0)), {counted});
  EXPECT_EQ(text_after(g.graph, {Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v15
  begin_unit 4 poll {+0 budget 4; a0=v6}
  v11 = load.i64 v6 [size=8] {+4 budget 4; a0=v6}
  v12 = bitcast.f64 v6
  v13 = fadd.f64 v12, v12 [mode]
  v14 = constant.i64 0xffffffffffffffff
  v15 = add.i64 v6, v14
  v16 = constant.i64 0x0
  v17 = ne.i64 v15, v16
  branch v17, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v15}
)");
}

TEST(Passes, FoldConstantsAndPhisOfOneValue) {
  Loop g;
  g.begin({kA0, kA1});
  const NodeId seven = g.op(Op::mul, Type::i64, g.imm(3), g.imm(5));
  const NodeId sum = g.op(Op::add, Type::i64, g.phis[0], g.op(Op::sub, Type::i64, seven, g.imm(7)));
  g.end(g.op(Op::ne, Type::i64, sum, g.op(Op::and_, Type::i64, g.phis[1], g.imm(~u64{0}))), {sum, g.phis[1]});
  EXPECT_EQ(text_after(g.graph, {Pass::fold, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v14
  begin_unit 4 poll {+0 budget 4; a0=v6, a1=v2}
  v19 = constant.i64 0x8
  v14 = add.i64 v6, v19
  v17 = ne.i64 v14, v2
  branch v17, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v14, a1=v2}
)");
}

TEST(Passes, BranchesOnConstantsGo) {
  Straight g;
  const BlockId yes = g.block(), no = g.block(), join = g.block();
  g.at = 1;
  g.branch(g.constant(Type::i1, 0), yes, no);
  g.at = yes;
  g.jump(join);
  g.at = no;
  const NodeId kept = g.op(Op::add, Type::i64, g.in[kA0], g.in[kA1]);
  g.jump(join);
  g.at = join;
  const NodeId value = g.phi(Type::i64);
  g.set_phi(value, {g.in[kA0], kept});
  g.leave(value);
  EXPECT_EQ(text_after(g.graph, {Pass::branches, Pass::dead}), R"(block 1: before 0
  v7 = add.i64 v1, v2
  link side 0 {+0 budget 0; a0=v7}
)");
}

TEST(Passes, CombineZeroExtensionOfAnIndex) {
  Straight g;
  // slli a0, a0, 32; srli a0, a0, 29; add a0, a0, a1; ld a0, 8(a0)
  const NodeId left = g.op(Op::shl, Type::i64, g.in[kA0], g.imm(32));
  const NodeId scaled = g.op(Op::shr, Type::i64, left, g.imm(29));
  const NodeId address = g.op(Op::add, Type::i64, g.op(Op::add, Type::i64, scaled, g.in[kA1]), g.imm(0));
  const NodeId more = g.op(Op::add, Type::i64, g.op(Op::add, Type::i64, address, g.imm(24)), g.imm(u64{0} - 16));
  g.leave(g.load(Type::i64, more, kDouble, g.state(0, 1, {})));
  EXPECT_EQ(text_after(g.graph, {Pass::fold, Pass::combine, Pass::dead}), R"(block 1: before 0
  v18 = trunc.i32 v1
  v19 = zext.i64 v18
  v20 = constant.i64 0x3
  v9 = shl.i64 v19, v20
  v11 = add.i64 v9, v2
  v21 = constant.i64 0x8
  v16 = add.i64 v11, v21
  v17 = load.i64 v16 [size=8] {+0 budget 1}
  link side 0 {+0 budget 0; a0=v17}
)");
}

TEST(Passes, CombineRotation) {
  Straight g;
  // slliw t, a0, 7; srliw a0, a0, 25; or a0, a0, t
  const NodeId low = g.op(Op::trunc, Type::i32, g.in[kA0]);
  const NodeId left = g.op(Op::sext, Type::i64, g.op(Op::shl, Type::i32, low, g.constant(Type::i32, 7)));
  const NodeId right = g.op(Op::sext, Type::i64, g.op(Op::shr, Type::i32, low, g.constant(Type::i32, 25)));
  g.leave(g.op(Op::or_, Type::i64, right, left));
  EXPECT_EQ(text_after(g.graph, {Pass::combine, Pass::dead}), R"(block 1: before 0
  v6 = trunc.i32 v1
  v7 = constant.i32 0x7
  v14 = rotl.i32 v6, v7
  v13 = sext.i64 v14
  link side 0 {+0 budget 0; a0=v13}
)");
}

TEST(Passes, CombineFlagsOfASubtraction) {
  Straight g;
  const NodeId flags = g.op(Op::flags_sub, Type::i64, g.in[kA0], g.in[kA1], g.constant(Type::i1, 0));
  const auto flag = [&](ir::Flag which) { return g.op(Op::flag, Type::flags, flags, 0, 0, static_cast<u8>(which)); };
  const NodeId less = g.op(Op::xor_, Type::i1, flag(ir::Flag::n), flag(ir::Flag::v));
  g.leave(g.op(Op::zext, Type::i64, g.op(Op::or_, Type::i1, less, flag(ir::Flag::z))));
  EXPECT_EQ(text_after(g.graph, {Pass::combine, Pass::dead}), R"(block 1: before 0
  v12 = le_s.i64 v1, v2
  v13 = zext.i64 v12
  link side 0 {+0 budget 0; a0=v13}
)");
}

// fld f1, 0(a0); fadd.d f0, f0, f1; addi a0, a0, 8; bnez a0
TEST(Passes, PhiTypesOfADoubleThatIsSummedUp) {
  Loop g;
  g.begin({kA0, kF0});
  const NodeId loaded = g.load(Type::i64, g.phis[0], kDouble, g.here(0));
  const NodeId a = g.op(Op::bitcast, Type::f64, g.phis[1]), b = g.op(Op::bitcast, Type::f64, loaded);
  const NodeId sum = g.op(Op::bitcast, Type::i64, g.op(Op::fadd, Type::f64, a, b));
  const NodeId next = g.op(Op::add, Type::i64, g.phis[0], g.imm(8));
  g.end(g.op(Op::ne, Type::i64, next, g.imm(0)), {next, sum});
  EXPECT_EQ(text_after(g.graph, {Pass::phi_types, Pass::combine, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v15
  v18 = phi.f64 v19, v12
  v20 = bitcast.i64 v18
  begin_unit 4 poll {+0 budget 4; a0=v6, f0=v20}
  v9 = load.f64 v6 [size=8] {+0 budget 4; a0=v6, f0=v20}
  v12 = fadd.f64 v18, v9 [mode]
  v13 = bitcast.i64 v12
  v14 = constant.i64 0x8
  v15 = add.i64 v6, v14
  v16 = constant.i64 0x0
  v17 = ne.i64 v15, v16
  branch v17, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v15, f0=v13}
)");
}

// The same with singles: what f0 held before the loop need not be boxed.
TEST(Passes, PhiTypesOfASingleThatIsSummedUp) {
  Loop g;
  g.begin({kA0, kF0});
  const NodeId loaded = g.load(Type::f32, g.phis[0], ir::MemOp{.size_log2 = 2}, g.here(0));
  const NodeId sum = g.op(Op::fadd, Type::f32, g.op(Op::f32_unbox, Type::f32, g.phis[1]), loaded);
  const NodeId next = g.op(Op::add, Type::i64, g.phis[0], g.imm(4));
  g.end(g.op(Op::ne, Type::i64, next, g.imm(0)), {next, g.op(Op::f32_box, Type::i64, sum)});
  EXPECT_EQ(text_after(g.graph, {Pass::phi_types, Pass::combine, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v13
  v17 = phi.f32 v18, v11
  v19 = phi.f64 v20, v21
  v22 = bitcast.i64 v19
  begin_unit 4 poll {+0 budget 4; a0=v6, f0=v22}
  v9 = load.f32 v6 [size=4] {+0 budget 4; a0=v6, f0=v22}
  v11 = fadd.f32 v17, v9 [mode]
  v12 = constant.i64 0x4
  v13 = add.i64 v6, v12
  v14 = f32_box.i64 v11
  v21 = bitcast.f64 v14
  v15 = constant.i64 0x0
  v16 = ne.i64 v13, v15
  branch v16, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v13, f0=v14}
)");
}

// lw a1, 0(a0); addw a1, ...: the sum goes round without being extended, and is extended for states.
TEST(Passes, PhiTypesOfAWordThatIsSummedUp) {
  Loop g;
  g.begin({kA0, kA1});
  const NodeId loaded = g.load(Type::i64, g.phis[0], kWordSigned, g.here(0));
  const NodeId sum =
      g.op(Op::add, Type::i32, g.op(Op::trunc, Type::i32, g.phis[1]), g.op(Op::trunc, Type::i32, loaded));
  const NodeId next = g.op(Op::add, Type::i64, g.phis[0], g.imm(4));
  g.end(g.op(Op::ne, Type::i64, next, g.imm(0)), {next, g.op(Op::sext, Type::i64, sum)});
  EXPECT_EQ(text_after(g.graph, {Pass::phi_types, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v14
  v7 = phi.i64 v2, v15
  v18 = phi.i32 v19, v12
  begin_unit 4 poll {+0 budget 4; a0=v6, a1=v7}
  v9 = load.i64 v6 [size=4,sign] {+0 budget 4; a0=v6, a1=v7}
  v10 = trunc.i32 v9
  v12 = add.i32 v18, v10
  v13 = constant.i64 0x4
  v14 = add.i64 v6, v13
  v15 = sext.i64 v12
  v16 = constant.i64 0x0
  v17 = ne.i64 v14, v16
  branch v17, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v14, a1=v15}
)");
}

// A return to where the call came from is no question.
TEST(Passes, PlacesOfTheCodeAreCompared) {
  Straight g;
  const NodeId back = g.add({.op = Op::pc, .type = Type::i64, .imm = 0x124});
  const NodeId target = g.op(Op::and_, Type::i64, back, g.imm(~u64{1}));
  const NodeId expected = g.add({.op = Op::pc, .type = Type::i64, .imm = 0x124});
  const BlockId yes = g.block(), no = g.block();
  g.at = 1;
  g.branch(g.op(Op::eq, Type::i64, target, expected), yes, no);
  g.at = yes;
  g.leave(g.in[kA1]);
  g.at = no;
  g.indirect(target, g.state(0, 0, {}));
  EXPECT_EQ(text_after(g.graph, {Pass::known, Pass::combine, Pass::branches, Pass::dead}), R"(block 1: before 0
  link side 0 {+0 budget 0; a0=v2}
)");
}

// What a call may have looked at in between is computed again; a condition that was decided is a constant.
TEST(Passes, ValueNumbering) {
  Straight g;
  const NodeId x = g.op(Op::bitcast, Type::f64, g.in[kF0]);
  g.op(Op::fadd, Type::f64, x, x);
  g.add({.op = Op::call, .type = Type::i64, .extra = 1});
  const NodeId second = g.op(Op::fadd, Type::f64, x, x);
  const NodeId third = g.op(Op::fadd, Type::f64, x, x);
  const NodeId sum = g.op(Op::fmul, Type::f64, second, third);
  const BlockId yes = g.block(), no = g.block();
  g.at = 1;
  g.branch(g.op(Op::lt_u, Type::i64, g.in[kA0], g.in[kA1]), yes, no);
  g.at = yes;
  const NodeId again = g.op(Op::le_u, Type::i64, g.in[kA1], g.in[kA0]);
  g.leave(g.op(Op::select, Type::i64, again, g.in[kA1], g.op(Op::bitcast, Type::i64, sum)));
  g.at = no;
  g.leave(g.in[kA1]);
  EXPECT_EQ(text_after(g.graph, {Pass::gvn, Pass::fold, Pass::dead}), R"(block 1: before 0
  v6 = bitcast.f64 v3
  v7 = fadd.f64 v6, v6 [mode]
  v8 = call.i64 helper1
  v9 = fadd.f64 v6, v6 [mode]
  v11 = fmul.f64 v9, v9 [mode]
  v12 = lt_u.i64 v1, v2
  branch v12, 2, 3
block 3: before 1
  link side 0 {+0 budget 0; a0=v2}
block 2: before 1
  v14 = bitcast.i64 v11
  link side 0 {+0 budget 0; a0=v14}
)");
}

// addiw a0, a0, 1; lw a1, 0(a1); sext.w; and what was extended before is not extended again.
TEST(Passes, KnownBitsOfACounterOf32Bits) {
  Loop g;
  g.begin({kA0, kA1});
  const NodeId loaded = g.load(Type::i64, g.imm(0x100), kWordSigned, g.here(0));
  const NodeId low = g.op(Op::sext, Type::i64, g.op(Op::trunc, Type::i32, g.phis[1]));
  const NodeId count = g.op(Op::add, Type::i32, g.op(Op::trunc, Type::i32, loaded), g.constant(Type::i32, 1));
  const NodeId next = g.op(Op::sext, Type::i64, count);
  const NodeId masked = g.op(Op::and_, Type::i64, g.op(Op::shr, Type::i64, low, g.imm(60)), g.imm(0xf));
  g.end(g.op(Op::lt_u, Type::i64, masked, g.imm(16)), {masked, next});
  // The counter comes in as anything.
  EXPECT_EQ(text_after(g.graph, {Pass::known, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v19
  v7 = phi.i64 v2, v16
  begin_unit 4 poll {+0 budget 4; a0=v6, a1=v7}
  v9 = constant.i64 0x100
  v10 = load.i64 v9 [size=4,sign] {+0 budget 4; a0=v6, a1=v7}
  v11 = trunc.i32 v7
  v12 = sext.i64 v11
  v13 = constant.i32 0x1
  v14 = trunc.i32 v10
  v15 = add.i32 v14, v13
  v16 = sext.i64 v15
  v18 = constant.i64 0x3c
  v19 = shr.i64 v12, v18
  v23 = constant.i1 0x1
  branch v23, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v19, a1=v16}
)");
}

TEST(Passes, DivisionByTen) {
  Straight g;
  g.leave(g.op(Op::rem_u, Type::i64, g.in[kA0], g.imm(10)));
  EXPECT_EQ(text_after(g.graph, {Pass::divide}), R"(block 1: before 0
  v6 = constant.i64 0xa
  v8 = constant.i64 0xcccccccccccccccd
  v9 = mulh_u.i64 v1, v8
  v10 = constant.i64 0x3
  v11 = shr.i64 v9, v10
  v12 = constant.i64 0xa
  v13 = mul.i64 v11, v12
  v14 = sub.i64 v1, v13
  link side 0 {+0 budget 0; a0=v14}
)");
}

TEST(Passes, WhatALoopLeavesAloneGoesBeforeIt) {
  Loop g;
  g.begin({kA0});
  const NodeId factor = g.op(Op::f32_unbox, Type::f32, g.in[kF0]);
  const NodeId base = g.op(Op::mul, Type::i64, g.in[kA1], g.imm(24));
  const NodeId index = g.op(Op::shl, Type::i64, g.phis[0], g.imm(2));
  g.store(g.op(Op::add, Type::i64, base, index), g.op(Op::fmul, Type::f32, factor, factor), ir::MemOp{.size_log2 = 2},
          g.here(0));
  const NodeId next = g.op(Op::add, Type::i64, g.phis[0], g.imm(1));
  g.end(g.op(Op::lt_u, Type::i64, next, g.in[kA1]), {next});
  EXPECT_EQ(text_after(g.graph, {Pass::licm}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v17
  begin_unit 4 poll {+0 budget 4; a0=v6}
  v11 = constant.i64 0x2
  v12 = shl.i64 v6, v11
  v13 = fmul.f32 v8, v8 [mode]
  v14 = add.i64 v10, v12
  store.f32 v14, v13 [size=4] {+0 budget 4; a0=v6}
  v16 = constant.i64 0x1
  v17 = add.i64 v6, v16
  v18 = lt_u.i64 v17, v2
  branch v18, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v17}
)");
}

// A loop that is entered by a branch gets a block before it.
TEST(Passes, ABlockBeforeALoopThatHasNone) {
  Straight g;
  const BlockId loop = g.block(), out = g.block();
  g.at = 1;
  g.branch(g.op(Op::ne, Type::i64, g.in[kA0], g.in[kA1]), loop, out);
  g.at = loop;
  const NodeId count = g.phi(Type::i64);
  g.begin_unit(2, true, g.state(4, 0, {{kA0, count}}));
  const NodeId next = g.op(Op::sub, Type::i64, count, g.op(Op::mul, Type::i64, g.in[kA1], g.in[kA1]));
  g.branch(g.op(Op::ne, Type::i64, next, g.imm(0)), loop, out);
  g.set_phi(count, {g.in[kA0], next});
  g.at = out;
  const NodeId left = g.phi(Type::i64);
  g.set_phi(left, {g.in[kA0], next});
  g.leave(left);
  EXPECT_EQ(text_after(g.graph, {Pass::licm}), R"(block 1: before 0
  v6 = ne.i64 v1, v2
  branch v6, 4, 3
block 4: before 1
  v9 = mul.i64 v2, v2
  jump 2
block 2: before 4, 2
  v7 = phi.i64 v1, v10
  begin_unit 2 poll {+4 budget 0; a0=v7}
  v10 = sub.i64 v7, v9
  v11 = constant.i64 0x0
  v12 = ne.i64 v10, v11
  branch v12, 2, 3
block 3: before 1, 2
  v13 = phi.i64 v1, v10
  link side 0 {+0 budget 0; a0=v13}
)");
}

// Block 1 is the loop that is left seldom; block 2 is behind it and leads back to it, too.
struct Nest : Straight {
  Nest(u64 inner, u64 outer) {
    const BlockId behind = block(), out = block();
    at = 1;
    const NodeId x = phi(Type::i64), y = phi(Type::i64), z = phi(Type::i64);
    const NodeId next = op(Op::add, Type::i64, x, imm(1));
    begin_unit(2, true, state(0, 2, {{kA0, x}, {kA1, y}}));
    branch(op(Op::lt_u, Type::i64, next, y), 1, behind);
    at = behind;
    const NodeId more = op(Op::add, Type::i64, y, imm(8));
    branch(op(Op::lt_u, Type::i64, more, z), 1, out);
    at = out;
    link(0, state(4, 0, {{kA0, next}, {kA1, more}}));
    set_phi(x, {in[kA0], next, next});
    set_phi(y, {in[kA1], y, more});
    set_phi(z, {in[kF0], z, z});
    graph.blocks[0].went[0] = 1;
    graph.blocks[1].count = inner + outer;
    graph.blocks[1].went[0] = inner;
    graph.blocks[1].went[1] = outer;
    graph.blocks[behind].count = graph.blocks[behind].went[0] = outer;
  }
};

TEST(Passes, NestsOfLoopsThatBeginInOnePlace) {
  Nest g(90, 10);
  EXPECT_EQ(run_pass(g.graph, Pass::nests), 1u);
  EXPECT_EQ(verify(g.graph), "");
  const std::string text = print(g.graph);
  EXPECT_EQ(text.substr(text.find("block 4:")), R"(block 4: before 0, 2, count 11
  v16 = phi.i64 v1, v10
  v17 = phi.i64 v2, v14
  v18 = phi.i64 v3, v8
  jump 1
block 1: before 4, 1, count 100
  v6 = phi.i64 v16, v10
  v7 = phi.i64 v17, v7
  v8 = phi.i64 v18, v8
  v9 = constant.i64 0x1
  v10 = add.i64 v6, v9
  begin_unit 2 poll {+0 budget 2; a0=v6, a1=v7}
  v12 = lt_u.i64 v10, v7
  branch v12, 1, 2
block 2: before 1, count 10
  v13 = constant.i64 0x8
  v14 = add.i64 v7, v13
  v15 = lt_u.i64 v14, v8
  branch v15, 4, 3
block 3: before 2
  link side 0 {+4 budget 0; a0=v10, a1=v14}
)");
  find_loops(g.graph);
  EXPECT_EQ(g.graph.blocks[1].depth, 2u);
  EXPECT_EQ(g.graph.blocks[2].depth, 1u);
  EXPECT_EQ(g.graph.blocks[1].loop, 1u);
  EXPECT_EQ(g.graph.blocks[2].loop, 4u);
}

// Two ways round that are taken about as often are one loop; of what nothing is known, what leads to itself is
// inside.
TEST(Passes, NestsByHowOftenWaysAreTaken) {
  for (const auto& [inner, outer, changes] :
       {std::array<u64, 3>{20, 10, 0}, {31, 10, 1}, {10, 20, 0}, {10, 40, 1}, {0, 0, 1}}) {
    Nest g(inner, outer);
    EXPECT_EQ(run_pass(g.graph, Pass::nests), changes) << inner << " " << outer;
    EXPECT_EQ(verify(g.graph), "");
    EXPECT_EQ(run_pass(g.graph, Pass::nests), 0u);
  }
}

// Both sides of a branch lead back: that of the side taken seldom is the outer loop's.
TEST(Passes, NestsOfTwoWaysFromOneBlock) {
  for (const bool first : {false, true}) {
    Straight g;
    g.at = 1;
    const NodeId x = g.phi(Type::i64);
    g.begin_unit(2, true, g.state(0, 2, {{kA0, x}}));
    const NodeId one = g.op(Op::add, Type::i64, x, g.imm(1)), two = g.op(Op::add, Type::i64, x, g.imm(2));
    g.branch(g.op(Op::lt_u, Type::i64, x, g.in[kA1]), 1, 1);
    g.set_phi(x, {g.in[kA0], one, two});
    g.graph.blocks[1].went[first ? 0 : 1] = 50;
    g.graph.blocks[1].went[first ? 1 : 0] = 5;
    EXPECT_EQ(run_pass(g.graph, Pass::nests), 1u);
    EXPECT_EQ(verify(g.graph), "");
    EXPECT_EQ(g.graph.blocks[1].next[first ? 0 : 1], 1u);
    EXPECT_EQ(g.graph.blocks[1].next[first ? 1 : 0], 2u);
    const NodeId outer = g.graph.blocks[2].phis.at(0);
    EXPECT_EQ(g.graph.args_of_phi(outer)[1], first ? two : one);
    EXPECT_EQ(g.graph.args_of_phi(x)[1], first ? one : two);
    EXPECT_EQ(g.graph.blocks[2].count, 5u);
  }
}

// Phis that come round the loop as equal values are equal.
TEST(Passes, ValueNumberingOfPhis) {
  Loop g;
  g.begin({kA0, kA1});
  const NodeId x = g.phi(Type::i64), y = g.phi(Type::i64);
  const NodeId step = g.imm(8);
  const NodeId one = g.op(Op::add, Type::i64, g.phis[0], step), other = g.op(Op::add, Type::i64, g.phis[0], step);
  g.set_phi(x, {g.in[kF0], one});
  g.set_phi(y, {g.in[kF0], other});
  g.end(g.op(Op::ne, Type::i64, g.op(Op::add, Type::i64, one, x), g.phis[1]), {x, y});
  EXPECT_EQ(text_after(g.graph, {Pass::gvn, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v9
  v7 = phi.i64 v2, v9
  v9 = phi.i64 v3, v12
  begin_unit 4 poll {+0 budget 4; a0=v6, a1=v7}
  v11 = constant.i64 0x8
  v12 = add.i64 v6, v11
  v14 = add.i64 v12, v9
  v15 = ne.i64 v14, v7
  branch v15, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v9, a1=v9}
)");
}

// Registers that a function keeps on the stack, and one load in between from elsewhere.
TEST(Passes, ARunOfAccessesLooksForItsPageOnce) {
  Straight g;
  g.graph.blocks[1].count = 9;
  g.begin_unit(5, true, g.state(0, 0, {}));
  NodeId last = 0;
  for (u32 i = 0; i < 3; ++i) {
    const NodeId address = g.op(Op::add, Type::i64, g.in[kA0], g.imm(u64{8} * i + 16));
    g.store(address, g.in[kA1], kDouble, g.state(4 * i, 4 - static_cast<i32>(i), {}));
  }
  const NodeId elsewhere = g.load(Type::i64, g.in[kA1], kDouble, g.state(12, 2, {}));
  last =
      g.load(Type::i64, g.op(Op::add, Type::i64, g.in[kA0], g.imm(4)), kWordSigned, g.state(16, 1, {{kA1, elsewhere}}));
  g.leave(g.op(Op::add, Type::i64, last, elsewhere));
  EXPECT_EQ(run_pass(g.graph, Pass::runs), 1u);
  EXPECT_EQ(verify(g.graph), "");
  EXPECT_EQ(print(g.graph), R"(block 0:
  v1 = slot_in.i64 a0
  v2 = slot_in.i64 a1
  v3 = slot_in.i64 f0
  v4 = slot_in.i64 f1
  v5 = slot_in.flags cc
  jump 1
block 1: before 0, count 9
  begin_unit 5 poll {+0 budget 0}
  v7 = constant.i64 0x10
  v8 = add.i64 v1, v7
  v10 = constant.i64 0x18
  v11 = add.i64 v1, v10
  v13 = constant.i64 0x20
  v14 = add.i64 v1, v13
  v17 = constant.i64 0x4
  v18 = add.i64 v1, v17
  v21 = find_page.i64 v1 [+4 to +39, by 1, for writing]
  v22 = constant.i64 0x0
  v23 = ne.i64 v21, v22
  branch v23, 2, 3
block 3: before 1, cold
  store.i64 v8, v2 [size=8] {+0 budget 4}
  store.i64 v11, v2 [size=8] {+4 budget 3}
  store.i64 v14, v2 [size=8] {+8 budget 2}
  v27 = load.i64 v2 [size=8] {+12 budget 2}
  v28 = load.i64 v18 [size=4,sign] {+16 budget 1; a1=v27}
  jump 4
block 2: before 1, count 9
  store_at.i64 v8, v2, v21 [size=8]
  store_at.i64 v11, v2, v21 [size=8]
  store_at.i64 v14, v2, v21 [size=8]
  v16 = load.i64 v2 [size=8] {+12 budget 2}
  v19 = load_at.i64 v18, v21 [size=4,sign]
  jump 4
block 4: before 2, 3, count 9
  v29 = phi.i64 v19, v28
  v30 = phi.i64 v16, v27
  v20 = add.i64 v29, v30
  link side 0 {+0 budget 0; a0=v20}
)");
}

// lw t, 0(a0); addi a0, a0, 4; sw t, -4(a0) after combine
TEST(Passes, PointersAfterTheyWereCountedUp) {
  Loop g;
  g.begin({kA0});
  const NodeId loaded = g.load(Type::i64, g.phis[0], kWordSigned, g.here(0));
  const NodeId next = g.op(Op::add, Type::i64, g.phis[0], g.imm(4));
  const StateId state = g.state(8, 2, {{kA0, next}});
  g.store(g.phis[0], loaded, ir::MemOp{.size_log2 = 2}, state);
  g.store(g.op(Op::add, Type::i64, g.phis[0], g.imm(4)), loaded, ir::MemOp{.size_log2 = 2}, state);
  g.store(next, loaded, ir::MemOp{.size_log2 = 2}, state);
  g.store(g.op(Op::add, Type::i64, g.phis[0], g.imm(u64{1} << 40)), loaded, ir::MemOp{.size_log2 = 2}, state);
  g.end(g.op(Op::ne, Type::i64, next, g.in[kA1]), {next});
  EXPECT_EQ(text_after(g.graph, {Pass::pointers, Pass::dead}), R"(block 1: before 0, 1
  v6 = phi.i64 v1, v10
  begin_unit 4 poll {+0 budget 4; a0=v6}
  v8 = load.i64 v6 [size=4,sign] {+0 budget 4; a0=v6}
  v9 = constant.i64 0x4
  v10 = add.i64 v6, v9
  v20 = constant.i64 0xfffffffffffffffc
  v21 = add.i64 v10, v20
  store.i64 v21, v8 [size=4] {+8 budget 2; a0=v10}
  store.i64 v10, v8 [size=4] {+8 budget 2; a0=v10}
  store.i64 v10, v8 [size=4] {+8 budget 2; a0=v10}
  v16 = constant.i64 0x10000000000
  v17 = add.i64 v6, v16
  store.i64 v17, v8 [size=4] {+8 budget 2; a0=v10}
  v19 = ne.i64 v10, v2
  branch v19, 1, 2
block 2: before 1
  link side 1 {+16 budget 0; a0=v10}
)");
}

// A word that goes round, and that comes in as one: states extend it.
TEST(Passes, PhiTypesOfAWordThatComesInExtended) {
  Straight g;
  const BlockId loop = g.block(), out = g.block();
  g.at = 1;
  const NodeId first = g.op(Op::sext, Type::i64, g.op(Op::trunc, Type::i32, g.in[kA0]));
  g.jump(loop);
  g.at = loop;
  const NodeId sum = g.phi(Type::i64);
  g.begin_unit(2, true, g.state(0, 2, {{kA0, sum}}));
  const NodeId more = g.op(Op::add, Type::i32, g.op(Op::trunc, Type::i32, sum), g.constant(Type::i32, 3));
  const NodeId next = g.op(Op::sext, Type::i64, more);
  g.branch(g.op(Op::ne, Type::i32, more, g.constant(Type::i32, 0)), loop, out);
  g.at = out;
  g.link(0, g.state(8, 0, {{kA0, next}}));
  g.set_phi(sum, {first, next});
  EXPECT_EQ(text_after(g.graph, {Pass::phi_types, Pass::dead}), R"(block 1: before 0
  v6 = trunc.i32 v1
  jump 2
block 2: before 1, 2
  v16 = phi.i32 v6, v12
  v17 = sext.i64 v16
  begin_unit 2 poll {+0 budget 2; a0=v17}
  v10 = constant.i32 0x3
  v12 = add.i32 v16, v10
  v13 = sext.i64 v12
  v14 = constant.i32 0x0
  v15 = ne.i32 v12, v14
  branch v15, 2, 3
block 3: before 2
  link side 0 {+8 budget 0; a0=v13}
)");
}

}  // namespace
}  // namespace pagoda::opt
