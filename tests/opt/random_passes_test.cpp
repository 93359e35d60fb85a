// SPDX-License-Identifier: MIT
// Each pass, and the pipeline, on random graphs: what interpretation says before, it says afterwards.
//
// PAGODA_SEED and PAGODA_GRAPHS choose others and more of them. A failure names the seed of its graph and, found by
// optimisation fuel, the one change that made the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "opt/random_graph.h"
#include "tcg/opt/graph_text.h"
#include "tcg/opt/passes/passes.h"
#include "tcg/opt/select.h"

namespace pagoda::opt {
namespace {

u64 from_environment(const char* name, u64 otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
}
u64 graphs() { return from_environment("PAGODA_GRAPHS", 1000); }
u64 first_seed() { return from_environment("PAGODA_SEED", 1) << 32; }

using Change = void (*)(Graph& graph, u32 what, i64 fuel);

constexpr u32 kInputs = 3;

// Empty, or how the changed graph differs.
std::string compare(const Graph& before, const Graph& after, u64 seed) {
  if (const std::string wrong = verify(after); !wrong.empty()) return "not sound:\n" + wrong;
  Rng rng(seed);
  for (u32 i = 0; i < kInputs; ++i) {
    const GraphInput input = random_input(rng);
    const GraphOutcome expected = interpret(before, input), actual = interpret(after, input);
    if (expected.way == GraphOutcome::Way::endless || actual == expected) continue;
    return fmt::format("input {}: expected {}was {}", i, describe(before, expected), describe(after, actual));
  }
  return "";
}

testing::AssertionResult holds(Change change, u32 what, const RandomGraphOptions& options, u64 seed) {
  Rng rng(seed);
  const Graph graph = random_graph(rng, options);
  const auto changed = [&](i64 fuel) {
    Graph copy = graph;
    change(copy, what, fuel);
    return copy;
  };
  const Graph all = changed(-1);
  const std::string difference = compare(graph, all, seed);
  if (difference.empty()) return testing::AssertionSuccess();
  i64 good = 0, bad = 1;
  while (bad < 100'000 && compare(graph, changed(bad), seed).empty()) bad *= 2;
  good = bad / 2;
  while (good + 1 < bad) {
    const i64 middle = (good + bad) / 2;
    (compare(graph, changed(middle), seed).empty() ? good : bad) = middle;
  }
  const Graph last_good = changed(bad - 1), first_bad = changed(bad);
  return testing::AssertionFailure() << "seed " << seed << ", change " << bad << "\n"
                                     << compare(graph, first_bad, seed) << "--- without it\n"
                                     << print(last_good) << "--- with it\n"
                                     << print(first_bad);
}

void one_pass(Graph& graph, u32 what, i64 fuel) { run_pass(graph, static_cast<Pass>(what), &fuel); }
void pipeline(Graph& graph, u32 what, i64 fuel) { run_passes(graph, {.level = what, .fuel = fuel}); }

TEST(RandomGraphs, AreSound) {
  for (u64 i = 0; i < graphs(); ++i) {
    Rng rng(first_seed() + i);
    const Graph graph = random_graph(rng);
    const std::string wrong = verify(graph);
    ASSERT_TRUE(wrong.empty()) << "seed " << first_seed() + i << "\n" << wrong << print(graph);
  }
}

// Graphs that run for a while, leave in every way, and rarely forever.
TEST(RandomGraphs, LeaveInEveryWay) {
  u64 ways[7] = {}, operations = 0;
  for (u64 i = 0; i < graphs(); ++i) {
    Rng rng(first_seed() + i);
    const Graph graph = random_graph(rng);
    const GraphOutcome outcome = interpret(graph, random_input(rng));
    ++ways[static_cast<u32>(outcome.way)];
    operations += outcome.operations;
  }
  for (u32 way = 0; way < 6; ++way) EXPECT_GT(ways[way], graphs() / 200) << way;
  EXPECT_EQ(ways[6], 0u);
  EXPECT_GT(operations, graphs() * 50);
}

class RandomPass : public testing::TestWithParam<u32> {};

TEST_P(RandomPass, KeepsTheMeaning) {
  const RandomGraphOptions small{.blocks = 4, .vectors = false, .helpers = false};
  u64 changes = 0;
  for (u64 i = 0; i < graphs(); ++i) {
    const u64 seed = first_seed() + i;
    ASSERT_TRUE(holds(one_pass, GetParam(), i % 2 != 0 ? small : RandomGraphOptions{}, seed));
    Rng rng(seed);
    Graph graph = random_graph(rng);
    changes += run_pass(graph, static_cast<Pass>(GetParam()));
  }
  EXPECT_GT(changes, graphs() / 10) << "the pass has hardly anything to do in these graphs";
}

INSTANTIATE_TEST_SUITE_P(All, RandomPass, testing::Range(0u, kPasses), [](const testing::TestParamInfo<u32>& pass) {
  return std::string(pass_info(static_cast<Pass>(pass.param)).name);
});

class RandomPipeline : public testing::TestWithParam<u32> {};

TEST_P(RandomPipeline, KeepsTheMeaning) {
  for (u64 i = 0; i < graphs(); ++i) {
    const RandomGraphOptions options{.blocks = i % 3 == 0 ? 3u : 12u, .helpers = i % 2 == 0};
    ASSERT_TRUE(holds(pipeline, GetParam(), options, first_seed() + (u64{GetParam()} << 28) + i));
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, RandomPipeline, testing::Range(1u, 4u));

bool is_selectable(const Node& node) {
  if (!is_ir(node.op)) return true;
  return can_select(to_ir(node.op), node.type, {.op = to_ir(node.op), .type = node.type, .aux = node.aux});
}

// Passes make nothing that selection has no code for.
TEST(RandomPipelines, MakeWhatCanBeSelected) {
  u64 tried = 0;
  for (u64 i = 0; i < graphs(); ++i) {
    Rng rng(first_seed() + i);
    Graph graph = random_graph(rng, {.vectors = false, .allows = is_selectable});
    const size_t nodes = graph.nodes.size();
    const bool was = std::ranges::all_of(graph.nodes, is_selectable);
    tried += was ? 1 : 0;
    run_passes(graph, {});
    for (NodeId id = 1; was && id < graph.nodes.size(); ++id) {
      ASSERT_TRUE(is_selectable(graph[id])) << (id < nodes ? "changed " : "made ") << print_node(graph, id);
    }
  }
  EXPECT_GT(tried, graphs() / 2);
}

// Passes that are off do not run, and fuel is what limits changes.
TEST(RandomPipelines, FuelAndSwitches) {
  for (u64 i = 0; i < 100; ++i) {
    Rng rng(first_seed() + i);
    const Graph graph = random_graph(rng);
    PassReport report;
    Graph all = graph;
    run_passes(all, {}, &report);
    u64 changes = 0;
    for (const PassReport::Phase& phase : report.phases) changes += phase.changes;
    const i64 fuel = static_cast<i64>(rng() % (changes + 1));
    Graph some = graph;
    PassReport limited;
    run_passes(some, {.fuel = fuel, .verify = true}, &limited);
    u64 made = 0;
    for (const PassReport::Phase& phase : limited.phases) made += phase.changes;
    EXPECT_EQ(made + static_cast<u64>(limited.fuel), static_cast<u64>(fuel));
    Graph none = graph;
    run_passes(none, {.fuel = 0});
    EXPECT_EQ(print(none), print(graph));
    run_passes(none, {.level = 0});
    EXPECT_EQ(print(none), print(graph));
    PassReport off;
    run_passes(none, {.disabled = ~u64{0}}, &off);
    EXPECT_EQ(print(none), print(graph));
    EXPECT_TRUE(off.phases.empty());
  }
}

}  // namespace
}  // namespace pagoda::opt
