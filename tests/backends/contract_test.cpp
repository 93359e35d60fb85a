// SPDX-License-Identifier: MIT
// The contract that every registered backend keeps (tcg/tier/backend.h): cases of IR, random blocks, batches, running
// out of room, statistics, reset. The reference is tier 0 without fusion.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include "backends/all_backends.h"
#include "differential/toy_guest.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/parser.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda {
namespace {

using tier::Backend;
using tier::Engine;
using tier::Outcome;

class BackendContract : public testing::TestWithParam<const Backend*> {
 protected:
  void SetUp() override {
    auto made = GetParam()->create(toy_setup());
    if (!made) GTEST_SKIP() << made.error().message;
    engine_ = std::move(*made);
    auto fallback = tier::fallback_backend().create(toy_setup());
    ASSERT_TRUE(fallback.has_value());
    fallback_ = std::move(*fallback);
  }

  // A unit and what the cache does with it.
  struct Made {
    Unit* unit = nullptr;
    Outcome outcome{};
    ~Made() {
      if (unit == nullptr) return;
      if (unit->host.memory != nullptr) unit->host.memory->release(unit->host.start, unit->host.data);
      interp::free_unit(unit);
    }
  };
  static void attach(Unit& unit) { unit.host.entry.store(unit.host.start, std::memory_order_relaxed); }
  void make(const ir::Block& block, Made* made) {
    tier::Job job{.block = &block};
    made->outcome = engine_->compile(0, job);
    made->unit = job.unit;
    if (made->outcome == Outcome::done) attach(*made->unit);
  }
  // Runs the block here and on the reference from several states.
  void compare(const ir::Block& from, ir::Rng& rng, const std::string& what) {
    ir::Block block = from;
    for (i64* exit : {&block.terminal.taken, &block.terminal.not_taken}) {
      if (*exit == 0) *exit = 64;  // once, not around
    }
    Made made;
    make(block, &made);
    ASSERT_NE(made.unit, nullptr);
    ASSERT_NE(made.outcome, Outcome::no_room) << what;
    made.outcome == Outcome::done ? ++compiled_ : ++refused_;
    for (u32 state = 0; state < 3; ++state) {
      start_->randomize(rng);
      reference_->copy_from(*start_);
      reference_->run(plain_, block);
      other_->copy_from(*start_);
      other_->run_on(made.outcome == Outcome::done ? *engine_ : *fallback_, *made.unit);
      const std::string difference = reference_->difference(*other_);
      ASSERT_TRUE(difference.empty()) << what << ", state " << state << ":\n"
                                      << difference << ir::print(block, toy_slots(), toy_helpers());
    }
  }
  ir::Block simple_block(u64 constant) {
    ir::Builder builder;
    ir::Block block;
    builder.start(&block, toy_slots(), false);
    builder.insn(0, 4);
    builder.put_slot(static_cast<u32>(ToySlot::b0), builder.i64(constant));
    builder.jump(4);
    return block;
  }

  std::unique_ptr<Engine> engine_, fallback_;
  interp::Lowering plain_{toy_slots(), toy_helpers(), 0};
  std::unique_ptr<Toy> start_ = std::make_unique<Toy>(), reference_ = std::make_unique<Toy>(),
                       other_ = std::make_unique<Toy>();
  u64 compiled_ = 0, refused_ = 0;
};

TEST_P(BackendContract, Row) {
  const Backend& row = *GetParam();
  EXPECT_EQ(tier::find_backend(row.name), &row);
  EXPECT_TRUE(tier::is_available(row));
  if (row.tier == 0) {
    EXPECT_EQ(row.fallback, nullptr);
    EXPECT_EQ(&row, &tier::fallback_backend());
  } else {
    ASSERT_NE(row.fallback, nullptr);
    const Backend* fallback = tier::find_backend(row.fallback);
    ASSERT_NE(fallback, nullptr);
    EXPECT_LT(fallback->tier, row.tier);
  }
}

TEST_P(BackendContract, CasesOfIr) {
  std::ifstream file(PAGODA_TEST_DIR "/backends/ir_cases.txt");
  ASSERT_TRUE(file);
  std::string line, name, text;
  std::vector<std::pair<std::string, std::string>> cases;
  const auto finish = [&] {
    if (!name.empty()) cases.push_back({name, text});
    name.clear(), text.clear();
  };
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    if (line == "---") {
      finish();
    } else if (name.empty()) {
      name = line;
    } else {
      text += line + '\n';
    }
  }
  finish();
  ASSERT_GE(cases.size(), 10u);
  ir::Rng rng(1);
  for (const auto& [what, source] : cases) {
    auto block = ir::parse(source, toy_slots(), toy_helpers());
    ASSERT_TRUE(block.has_value()) << what << ": " << block.error().message;
    ir::verify_or_die(*block, toy_slots(), toy_helpers());
    ASSERT_NO_FATAL_FAILURE(compare(*block, rng, what));
  }
  EXPECT_EQ(refused_, 0u);
}

TEST_P(BackendContract, RandomBlocks) {
  ir::RandomOptions options;
  options.guest_insns = 5;
  options.base_slot = static_cast<u32>(ToySlot::base0);
  options.base_slots = 2;
  ir::Rng rng(7);
  ir::Block block;
  for (u32 n = 0; n < 3000; ++n) {
    ir::random_block(rng, toy_slots(), toy_helpers(), options, block);
    ASSERT_NO_FATAL_FAILURE(compare(block, rng, "block " + std::to_string(n)));
  }
  EXPECT_GT(compiled_, refused_);
}

// A unit that the interpreter made is compiled further: a promotion.
// Each of them may ask to leave behind the instruction.
TEST_P(BackendContract, ManyAccessesOfOneInstruction) {
  ir::Builder builder;
  ir::Block block;
  ir::Rng rng(3);
  for (const u32 insns : {1u, 2u}) {
    builder.start(&block, toy_slots(), false);
    for (u32 insn = 0; insn < insns; ++insn) {
      builder.insn(static_cast<u16>(4 * insn), 4);
      const ir::Value base = builder.get_slot(static_cast<u32>(ToySlot::base0));
      for (u32 i = 0; i < 100; ++i) {
        builder.store(builder.add(base, builder.i64(8 * i)), builder.i64(rng()), {.size_log2 = 3});
      }
      builder.put_slot(static_cast<u32>(ToySlot::b0), builder.i64(insn));
    }
    builder.jump(4 * insns);
    for (u32 n = 0; n < 20; ++n) ASSERT_NO_FATAL_FAILURE(compare(block, rng, "block"));
  }
  EXPECT_EQ(refused_, 0u);
}

TEST_P(BackendContract, UnitsOfTheInterpreter) {
  const ir::Block block = simple_block(42);
  tier::Job first{.block = &block};
  ASSERT_EQ(fallback_->compile(0, first), Outcome::done);
  tier::Job second{.unit = first.unit};
  Made made{.unit = first.unit};
  ASSERT_EQ(engine_->compile(0, second), Outcome::done);
  ASSERT_EQ(second.unit, first.unit);
  attach(*made.unit);
  ir::Rng rng(1);
  other_->randomize(rng);
  other_->run_on(*engine_, *made.unit);
  EXPECT_EQ(other_->state().b[0], 42u);
}

TEST_P(BackendContract, BatchesAndStatistics) {
  constexpr u32 kJobs = 20;
  std::vector<ir::Block> blocks;
  for (u32 i = 0; i < kJobs; ++i) blocks.push_back(simple_block(i));
  std::vector<tier::Job> jobs(kJobs);
  for (u32 i = 0; i < kJobs; ++i) jobs[i].block = &blocks[i];
  std::vector<Outcome> outcomes(kJobs, Outcome::refused);
  EXPECT_EQ(engine_->compile_batch(0, jobs, outcomes), kJobs);
  ir::Rng rng(1);
  for (u32 i = 0; i < kJobs; ++i) {
    ASSERT_EQ(outcomes[i], Outcome::done);
    const Made made{.unit = jobs[i].unit};
    attach(*made.unit);
    other_->randomize(rng);
    other_->run_on(*engine_, *made.unit);
    EXPECT_EQ(other_->state().b[0], i);
  }
  const tier::Statistics made = engine_->statistics();
  EXPECT_EQ(made.units, kJobs);
  EXPECT_EQ(made.guest_insns, kJobs);
  EXPECT_EQ(made.no_room + made.refused, 0u);
  EXPECT_GE(made.ops, kJobs);
  EXPECT_EQ(made.host_bytes != 0, (GetParam()->features & tier::kHostCode) != 0);
  engine_->reset();
  EXPECT_EQ(engine_->statistics().units, 0u);
  Made again;
  make(blocks[3], &again);
  EXPECT_EQ(again.outcome, Outcome::done);
  EXPECT_EQ(engine_->statistics().units, 1u);
}

// Every unit until there is no room is sound, and so is what comes when there is room again.
TEST_P(BackendContract, NoRoom) {
  constexpr u32 kMost = 40'000;
  std::vector<std::unique_ptr<Made>> held;
  bool is_full = false;
  for (u32 i = 0; i < kMost && !is_full; ++i) {
    held.push_back(std::make_unique<Made>());
    make(simple_block(i), held.back().get());
    is_full = held.back()->outcome == Outcome::no_room;
  }
  EXPECT_EQ(is_full, (GetParam()->features & tier::kHostCode) != 0);
  ir::Rng rng(1);
  other_->randomize(rng);
  if (is_full) {
    // What found no room has a unit for tier 0, and nothing that would be released.
    ASSERT_NE(held.back()->unit, nullptr);
    EXPECT_EQ(held.back()->unit->host.memory, nullptr);
    other_->run_on(*fallback_, *held.back()->unit);
    EXPECT_EQ(other_->state().b[0], held.size() - 1);
    EXPECT_EQ(engine_->statistics().no_room, 1u);
    held.pop_back();
  }
  other_->run_on(*engine_, *held.front()->unit);
  EXPECT_EQ(other_->state().b[0], 0u);
  other_->run_on(*engine_, *held.back()->unit);
  EXPECT_EQ(other_->state().b[0], held.size() - 1);
  held.clear();
  Made made;
  make(simple_block(5), &made);
  EXPECT_EQ(made.outcome, Outcome::done);
}

INSTANTIATE_TEST_SUITE_P(All, BackendContract, testing::ValuesIn(all_backends()), backend_test_name);

TEST(Backends, Registry) {
  EXPECT_EQ(tier::find_backend("toaster"), nullptr);
  ASSERT_FALSE(tier::backends().empty());
  EXPECT_EQ(tier::backends().front().tier, 0u);
  setenv("PAGODA_BACKEND", "interpreter", 1);
  EXPECT_EQ(tier::backend_of_environment().value(), &tier::fallback_backend());
  setenv("PAGODA_BACKEND", "interpeter", 1);
  const auto unknown = tier::backend_of_environment();
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(
      unknown.error().message,
      "PAGODA_BACKEND: unknown backend 'interpeter'; did you mean 'interpreter'? (\"pagoda backends\" lists them)");
  unsetenv("PAGODA_BACKEND");
  EXPECT_EQ(tier::backend_of_environment().value(), nullptr);
}

TEST(Registry, HostFeaturesOfTheEnvironmentAreAMask) {
  unsetenv("PAGODA_HOST_FEATURES");
  const host::Features all = host::host_features().value();
  for (const char* level : {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    setenv("PAGODA_HOST_FEATURES", level, 1);
    const host::Features allowed = host::features_of_level(level).value();
    EXPECT_EQ(host::host_features().value(), all & allowed) << level;
  }
  EXPECT_NE(host::features_of_level("x86-64").value(), host::features_of_level("x86-64-v2").value());
  setenv("PAGODA_HOST_FEATURES", "x86-64-v22", 1);
  const auto wrong = host::host_features();
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().message,
            "PAGODA_HOST_FEATURES: unknown level 'x86-64-v22'; did you mean 'x86-64-v2'? (x86-64, x86-64-v2, x86-64-v3 "
            "and x86-64-v4 are known)");
  unsetenv("PAGODA_HOST_FEATURES");
}

}  // namespace
}  // namespace pagoda
