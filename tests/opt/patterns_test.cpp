// SPDX-License-Identifier: MIT
// Every pair of integer operations with telling constants, in the shapes that rules look at, on telling operands: the
// passes that rewrite operations keep what interpretation says. Random graphs meet one pair with one constant too
// rarely.
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "opt/graph_interpreter.h"
#include "opt/graph_maker.h"
#include "tcg/ir/fold.h"
#include "tcg/opt/graph_text.h"
#include "tcg/opt/passes/passes.h"

namespace pagoda::opt {
namespace {

using ir::Type;

// x and y come in, what is computed goes out in the others.
constexpr u32 kOutputs = 120;
const ir::SlotInfo* slots() {
  static const auto table = [] {
    std::vector<ir::SlotInfo> list;
    for (u32 i = 0; i < kOutputs + 2; ++i) list.push_back({"x", Type::i64, i * 8});
    return list;
  }();
  return table.data();
}

constexpr Op kOps[] = {Op::add,   Op::sub,  Op::mul, Op::div_s, Op::div_u, Op::rem_s, Op::rem_u, Op::and_,
                       Op::or_,   Op::xor_, Op::shl, Op::shr,   Op::sar,   Op::rotl,  Op::rotr,  Op::min_s,
                       Op::max_u, Op::eq,   Op::ne,  Op::lt_s,  Op::le_s,  Op::lt_u,  Op::le_u};
constexpr u64 kOperands[] = {0,
                             1,
                             2,
                             7,
                             0x7f,
                             0x80,
                             0xff,
                             0x7fff'ffff,
                             0x8000'0000,
                             0xffff'ffff,
                             0x1'0000'0000,
                             0x7fff'ffff'ffff'ffff,
                             u64{1} << 63,
                             ~u64{0},
                             ~u64{1},
                             0xffff'ffff'8000'0000,
                             0x1234'5678'9abc'def1};

std::vector<u64> constants(Type type) {
  const u64 mask = ir::type_mask(type), bits = ir::type_bits(type);
  std::vector<u64> list;
  for (const u64 value : {u64{0},
                          u64{1},
                          u64{2},
                          u64{3},
                          u64{5},
                          u64{7},
                          u64{9},
                          u64{10},
                          bits - 1,
                          bits / 2,
                          bits - 8,
                          u64{0x7f},
                          u64{0xff},
                          u64{0xffff},
                          u64{0x7fff'ffff},
                          u64{0xffff'ffff},
                          ~u64{0},
                          ~u64{6},
                          u64{1} << (bits - 1),
                          u64{100},
                          u64{641}}) {
    if ((value & mask) == value || value > ~u64{100}) list.push_back(value & mask);
  }
  return list;
}

// The long suite, which asks for more graphs, tries everything.
u64 stride() { return std::getenv("PAGODA_GRAPHS") != nullptr ? 1 : 11; }

class Shapes {
 public:
  // `both`: the second operand matters.
  Shapes(Type type, bool both) : type_(type) {
    for (const u64 x : kOperands) {
      inputs_.push_back({x, x});
      if (!both) continue;
      for (const u64 y : {u64{0}, u64{1}, u64{33}, u64{0x8000'0000}, ~u64{0}, u64{0xfedc'ba98'7654'3210}}) {
        inputs_.push_back({x, y});
      }
    }
  }

  // Keeps a value.
  void output(NodeId id) {
    if (maker_->graph.type_of(id) != Type::i64) id = maker_->op(Op::zext, Type::i64, id);
    outputs_.push_back({static_cast<u32>(outputs_.size()) + 2, id});
  }
  // Operand 0 begins a combination: graphs that are nearly full are checked.
  NodeId operand(u32 slot) {
    if (slot == 0 && outputs_.size() + 4 > kOutputs) flush();
    if (!maker_) {
      maker_.emplace(ir::SlotTable{slots(), kOutputs + 2});
      maker_->block();
      maker_->at = 0;
      in_[0] = maker_->slot_in(0);
      in_[1] = maker_->slot_in(1);
      maker_->jump(1);
      maker_->at = 1;
    }
    return type_ == Type::i64 ? in_[slot] : maker_->op(Op::trunc, type_, in_[slot]);
  }
  NodeId constant(u64 value) { return maker_->constant(type_, value); }
  NodeId op(Op op, NodeId a, NodeId b) { return maker_->op(op, type_, a, b); }
  // As an operand of the type that is tested.
  NodeId as_operand(NodeId id) { return maker_->graph.type_of(id) == Type::i1 ? maker_->op(Op::zext, type_, id) : id; }
  GraphMaker& maker() { return *maker_; }

  void flush() {
    if (!maker_) return;
    maker_->link(0, maker_->state(0, 0, outputs_, {}));
    const Graph& before = maker_->graph;
    ASSERT_EQ(verify(before), "");
    std::vector<GraphOutcome> expected;
    for (const auto& input : inputs_) expected.push_back(run(before, input));
    for (const std::optional<Pass> pass : kRewriting) {
      Graph after = before;
      if (pass)
        run_pass(after, *pass);
      else
        run_passes(after, {});
      ASSERT_EQ(verify(after), "") << print(after);
      for (size_t i = 0; i < inputs_.size(); ++i) {
        check(before, after, i, expected[i], pass ? pass_info(*pass).name : "(all)");
        if (testing::Test::HasFatalFailure()) return;
      }
    }
    outputs_.clear();
    maker_.reset();
  }

 private:
  using Input = std::pair<u64, u64>;

  static GraphOutcome run(const Graph& graph, const Input& values) {
    GraphInput input;
    input.slots.resize(kOutputs + 2);
    input.slots[0].words[0] = values.first;
    input.slots[1].words[0] = values.second;
    return interpret(graph, input);
  }

  void check(const Graph& before, const Graph& after, size_t input, const GraphOutcome& expected, const char* pass) {
    const GraphOutcome actual = run(after, inputs_[input]);
    for (u32 i = 2; i < kOutputs + 2; ++i) {
      ASSERT_EQ(actual.slots[i].words[0], expected.slots[i].words[0])
          << fmt::format("pass {}, x = {:#x}, y = {:#x}\n", pass, inputs_[input].first, inputs_[input].second)
          << formula(before, before.slots_of(before.blocks[1].state)[i - 2].value);
    }
  }

  static std::string formula(const Graph& graph, NodeId id) {
    std::string text;
    for (const NodeId arg : graph[id].args) {
      if (arg != 0) text += formula(graph, arg);
    }
    return text + print_node(graph, id) + "\n";
  }

  static constexpr std::optional<Pass> kRewriting[] = {Pass::fold, Pass::combine, Pass::known, Pass::divide,
                                                       std::nullopt};

  Type type_;
  std::vector<Input> inputs_;
  std::optional<GraphMaker> maker_;
  NodeId in_[2] = {};
  std::vector<SlotValue> outputs_;
};

class Patterns : public testing::TestWithParam<Type> {};

TEST_P(Patterns, TwoConstants) {
  Shapes s(GetParam(), false);
  for (const Op first : kOps) {
    for (const Op second : kOps) {
      for (const u64 one : constants(GetParam())) {
        for (const u64 other : constants(GetParam())) {
          // In the quick suite each pair of constants with some of the operations.
          if ((one * 3 + other * 5 + static_cast<u32>(first) * 7 + static_cast<u32>(second) * 11) % stride() != 0)
            continue;
          NodeId x = s.operand(0);
          const NodeId inner = s.as_operand(s.op(first, x, s.constant(one)));
          s.output(s.op(second, inner, s.constant(other)));
          if ((one & 1) == 0) continue;
          x = s.operand(0);
          s.output(s.op(second, s.constant(other), s.as_operand(s.op(first, s.constant(one), x))));
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  s.flush();
}

TEST_P(Patterns, TwoOperands) {
  Shapes s(GetParam(), true);
  for (const Op first : kOps) {
    for (const Op second : kOps) {
      for (u32 shape = 0; shape < 4; ++shape) {
        const NodeId x = s.operand(0), y = s.operand(1);
        const NodeId inner = s.as_operand(s.op(first, x, y));
        const NodeId outer = shape == 0   ? s.op(second, inner, x)
                             : shape == 1 ? s.op(second, inner, y)
                             : shape == 2 ? s.op(second, x, inner)
                                          : s.op(second, inner, s.as_operand(s.op(second, y, x)));
        s.output(outer);
        if (HasFatalFailure()) return;
      }
      for (const Op join : {Op::and_, Op::or_, Op::xor_}) {
        const NodeId x = s.operand(0), y = s.operand(1);
        const NodeId a = s.op(first, x, y), b = s.op(second, x, y), c = s.op(second, y, x);
        if (s.maker().graph.type_of(a) != s.maker().graph.type_of(b)) continue;
        s.output(s.maker().op(join, s.maker().graph.type_of(a), a, b));
        s.output(s.maker().op(join, s.maker().graph.type_of(a), a, c));
        if (HasFatalFailure()) return;
      }
    }
  }
  s.flush();
}

// Widths: of operands, results and both.
TEST_P(Patterns, Conversions) {
  Shapes s(GetParam(), true);
  const Type type = GetParam();
  for (const Type narrow : {Type::i8, Type::i16, Type::i32}) {
    if (ir::type_bits(narrow) >= ir::type_bits(type)) continue;
    for (const Op extend : {Op::zext, Op::sext}) {
      for (const Op op : kOps) {
        for (const u64 constant : constants(type)) {
          const NodeId x = s.operand(0);
          GraphMaker& m = s.maker();
          const auto wide = [&](NodeId id) { return m.op(extend, type, m.op(Op::trunc, narrow, id)); };
          s.output(s.op(op, wide(x), s.constant(constant)));
          s.output(s.op(op, s.constant(constant), wide(x)));
          s.output(wide(s.as_operand(s.op(op, x, s.constant(constant)))));
          if (HasFatalFailure()) return;
        }
        const NodeId x = s.operand(0), y = s.operand(1);
        GraphMaker& m = s.maker();
        const auto wide = [&](NodeId id) { return m.op(extend, type, m.op(Op::trunc, narrow, id)); };
        s.output(s.op(op, wide(x), wide(y)));
        if (HasFatalFailure()) return;
      }
    }
  }
  s.flush();
}

// Flags of every operation, alone and in the combinations that conditions are made of.
TEST_P(Patterns, Flags) {
  Shapes s(GetParam(), true);
  constexpr ir::Flag flags[] = {ir::Flag::c, ir::Flag::v, ir::Flag::p, ir::Flag::a, ir::Flag::z, ir::Flag::n};
  for (const Op op : {Op::flags_add, Op::flags_sub, Op::flags_subc, Op::flags_logic}) {
    for (const bool carry : {false, true}) {
      for (const ir::Flag one : flags) {
        for (const ir::Flag other : flags) {
          for (const Op join : {Op::and_, Op::or_, Op::xor_}) {
            const NodeId x = s.operand(0), y = s.operand(1);
            GraphMaker& m = s.maker();
            const NodeId none = op == Op::flags_logic ? 0 : m.constant(Type::i1, carry ? 1 : 0);
            const NodeId made = m.op(op, GetParam(), x, op == Op::flags_logic ? 0 : y, none);
            const NodeId a = m.op(Op::flag, Type::flags, made, 0, 0, static_cast<u8>(one));
            NodeId b = m.op(Op::flag, Type::flags, made, 0, 0, static_cast<u8>(other));
            if (join == Op::and_) b = m.op(Op::xor_, Type::i1, b, m.constant(Type::i1, 1));
            s.output(m.op(join, Type::i1, a, b));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
  s.flush();
}

INSTANTIATE_TEST_SUITE_P(Types, Patterns, testing::Values(Type::i8, Type::i16, Type::i32, Type::i64),
                         [](const testing::TestParamInfo<Type>& type) {
                           return std::string(ir::type_name(type.param));
                         });

}  // namespace
}  // namespace pagoda::opt
