// SPDX-License-Identifier: MIT
// The graph verifier finds what is wrong: one damage at a time to a graph that is sound.
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "opt/graph_maker.h"
#include "tcg/opt/graph_text.h"

namespace pagoda::opt {
namespace {

using ir::Type;

constexpr ir::SlotInfo kSlotList[] = {{"a0", Type::i64, 0}, {"a1", Type::i64, 8}, {"w", Type::i32, 16}};
constexpr ir::SlotTable kSlots{kSlotList, std::size(kSlotList)};

// A loop with a load, and an exit.
struct Sound : GraphMaker {
  Sound() : GraphMaker(kSlots) {
    a0 = slot_in(0);
    a1 = slot_in(1);
    const BlockId loop = block(), out = block();
    at = 0;
    jump(loop);
    at = loop;
    count = phi(Type::i64);
    before = state(0, 0, {{0, count}});
    begin = begin_unit(2, true, before);
    loaded = load(Type::i64, a1, {.size_log2 = 3}, state(4, 1, {{0, count}}));
    next = op(Op::add, Type::i64, count, loaded);
    low = op(Op::trunc, Type::i32, next);
    again = op(Op::ne, Type::i64, next, a1);
    branch(again, loop, out);
    set_phi(count, {a0, next});
    at = out;
    link(0, state(8, 0, {{0, next}, {2, low}}));
  }
  NodeId a0, a1, count, begin, loaded, next, low, again;
  StateId before;
};

using Damage = void (*)(Sound&);
struct Case {
  const char* name;
  Damage damage;
  const char* complaint;
};

class Verify : public testing::TestWithParam<Case> {};

TEST(VerifyGraph, Sound) { EXPECT_EQ(verify(Sound().graph), ""); }

TEST_P(Verify, Finds) {
  Sound s;
  GetParam().damage(s);
  const std::string found = verify(s.graph);
  EXPECT_NE(found.find(GetParam().complaint), std::string::npos) << found;
}

const Case kCases[] = {
    {"UseBeforeDefinition", [](Sound& s) { std::swap(s.graph.blocks[1].nodes[2], s.graph.blocks[1].nodes[1]); },
     "not defined on every way"},
    {"UseFromABlockThatDoesNotDominate",
     [](Sound& s) { s.graph[s.a1].args[0] = 0, s.graph.blocks[0].nodes.pop_back(); }, "is nowhere"},
    {"PhiArgumentOfAnotherWay", [](Sound& s) { std::ranges::reverse(s.graph.args_of_phi(s.count)); },
     "not defined on every way"},
    {"PhiArgumentsAreTooFew", [](Sound& s) { --s.graph[s.count].extra; }, "1 arguments"},
    {"PhiOfAnotherType", [](Sound& s) { s.graph[s.count].type = Type::i32; }, "has another type"},
    {"PhiAmongNodes", [](Sound& s) { std::swap(s.graph.blocks[1].phis[0], s.graph.blocks[1].nodes[0]); },
     "a phi among nodes or a node among phis"},
    {"OperandOfAnotherType", [](Sound& s) { s.graph[s.next].args[1] = s.low; }, "not defined on every way"},
    {"OperandType", [](Sound& s) { s.graph[s.again].type = Type::i32; }, "has type i64"},
    {"OwnType", [](Sound& s) { s.graph[s.next].type = Type::f64; }, "type is not one of the op's"},
    {"TooManyOperands", [](Sound& s) { s.graph[s.low].args[1] = s.next; }, "too many operands"},
    {"NoConversion", [](Sound& s) { s.graph[s.low].op = Op::zext; }, "no conversion"},
    {"AccessDoesNotFit", [](Sound& s) { s.graph[s.loaded].extra = ir::MemOp{.size_log2 = 4}.pack(); }, "does not fit"},
    {"NodeTwice", [](Sound& s) { s.graph.blocks[2].nodes.push_back(s.low); }, "is there twice"},
    {"NodeSaysAnotherBlock", [](Sound& s) { s.graph[s.low].block = 2; }, "says that it is in block 2"},
    {"SlotInOutsideTheEntry",
     [](Sound& s) {
       s.at = 2;
       s.slot_in(2);
     },
     "not in the entry block"},
    {"SlotInOfAnotherType", [](Sound& s) { s.graph[s.a0].extra = 2; }, "not the slot's type"},
    {"GetSlot",
     [](Sound& s) {
       s.at = 2;
       s.add({.op = Op::get_slot, .type = Type::i64});
     },
     "not in graphs"},
    {"NoState", [](Sound& s) { s.graph[s.loaded].state = 0; }, "no state 0"},
    {"StateWhereNothingLeaves", [](Sound& s) { s.graph[s.next].state = s.before; }, "has a state"},
    {"SlotTwice", [](Sound& s) { s.graph.state_values[3].slot = 0; }, "twice"},
    {"StateOfAnotherType", [](Sound& s) { s.graph.state_values[3].slot = 1; }, "gets v"},
    {"NoSuchSlot", [](Sound& s) { s.graph.state_values[0].slot = 9; }, "no slot 9"},
    {"StateValueComesLater", [](Sound& s) { s.graph.state_values[1].value = s.next; }, "not defined on every way"},
    {"ReplayedComesLater",
     [](Sound& s) {
       s.graph.replayed.push_back(s.loaded);
       s.graph.states[s.graph[s.loaded].state].replayed = 1;
     },
     "replayed"},
    {"PredecessorIsMissing", [](Sound& s) { s.graph.blocks[2].before.clear(); }, "predecessors are not those"},
    {"PredecessorTooMany", [](Sound& s) { s.graph.blocks[2].before.push_back(0); }, "predecessors are not those"},
    {"EntryHasAPredecessor", [](Sound& s) { s.graph.blocks[1].next[1] = 0, s.graph.blocks[0].before = {1}; },
     "the entry has a predecessor"},
    {"LeadsNowhere", [](Sound& s) { s.graph.blocks[1].next[1] = 7; }, "leads to no block"},
    {"ConditionIsNoTruth", [](Sound& s) { s.graph.blocks[1].value = s.next; }, "the condition is no i1"},
    {"ExitWithoutState", [](Sound& s) { s.graph.blocks[2].state = 0; }, "no state 0"},
    {"ConstantDoesNotFit",
     [](Sound& s) {
       s.at = 2;
       s.add({.op = Op::constant, .type = Type::i8, .imm = 256});
     },
     "does not fit"},
};

INSTANTIATE_TEST_SUITE_P(Damage, Verify, testing::ValuesIn(kCases),
                         [](const testing::TestParamInfo<Case>& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace pagoda::opt
