// SPDX-License-Identifier: MIT
// The order of blocks: what follows what by how often ways are taken.
#include <gtest/gtest.h>

#include <algorithm>

#include "opt/graph_maker.h"
#include "opt/random_graph.h"
#include "tcg/opt/layout.h"

namespace pagoda::opt {
namespace {

using ir::Type;

constexpr ir::SlotInfo kSlotList[] = {{"a0", Type::i64, 0}};

// Blocks without anything in them: what matters is where they lead.
struct Ways : GraphMaker {
  explicit Ways(u32 blocks) : GraphMaker({kSlotList, 1}) {
    for (u32 i = 1; i < blocks; ++i) block();
  }
  void jump_from(BlockId from, BlockId to, u64 count) {
    at = from;
    jump(to);
    graph.blocks[from].count = graph.blocks[from].went[0] = count;
  }
  void branch_from(BlockId from, BlockId yes, u64 often_yes, BlockId no, u64 often_no) {
    at = from;
    branch(constant(Type::i1, 1), yes, no);
    graph.blocks[from].went[0] = often_yes;
    graph.blocks[from].went[1] = often_no;
    graph.blocks[from].count = often_yes + often_no;
  }
  void leave_from(BlockId from, u64 count) {
    at = from;
    link(0, state(0, 0, {}));
    graph.blocks[from].count = count;
  }
};

using Order = std::vector<BlockId>;

// 1 is left when its condition says so, else 2 leads back: 2 comes first, and 1 leads back by its branch.
TEST(Layout, LoopsEndWithTheirBranch) {
  Ways g(4);
  g.jump_from(0, 1, 1);
  g.branch_from(1, 3, 1, 2, 90);
  g.jump_from(2, 1, 90);
  g.leave_from(3, 1);
  EXPECT_EQ(lay_out(g.graph), (Order{0, 2, 1, 3}));
}

TEST(Layout, TheWayTakenMoreOftenFallsThrough) {
  for (const bool yes : {false, true}) {
    Ways g(6);
    g.jump_from(0, 1, 10);
    g.branch_from(1, 2, yes ? 9 : 1, 3, yes ? 1 : 9);
    g.jump_from(2, 4, yes ? 9 : 1);
    g.jump_from(3, 4, yes ? 1 : 9);
    g.jump_from(4, 5, 10);
    g.leave_from(5, 10);
    EXPECT_EQ(lay_out(g.graph), yes ? (Order{0, 1, 2, 4, 3, 5}) : (Order{0, 1, 3, 4, 2, 5}));
  }
}

// What was never seen lies behind the ways out; so does what is said to be cold.
TEST(Layout, WhatSeldomRunsComesLast) {
  for (const bool counted : {false, true}) {
    Ways g(5);
    g.jump_from(0, 1, counted ? 10 : 0);
    g.branch_from(1, 2, 0, 3, counted ? 10 : 0);
    g.jump_from(2, 3, 0);
    g.jump_from(3, 4, counted ? 10 : 0);
    g.leave_from(4, counted ? 10 : 0);
    g.graph.blocks[2].is_cold = !counted;
    EXPECT_EQ(lay_out(g.graph), (Order{0, 1, 3, 4, 2})) << counted;
  }
}

TEST(Layout, EveryBlockOnce) {
  for (u64 seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const Graph graph = random_graph(rng);
    Order order = lay_out(graph), all = reverse_postorder(graph);
    ASSERT_EQ(order.at(0), 0u);
    std::ranges::sort(order);
    std::ranges::sort(all);
    ASSERT_EQ(order, all) << seed;
  }
}

}  // namespace
}  // namespace pagoda::opt
