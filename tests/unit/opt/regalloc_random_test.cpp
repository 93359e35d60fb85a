// SPDX-License-Identifier: MIT
// Random programs through the register allocator: the checker has nothing to say, and an interpreter sees no
// difference; what an interpreter sees of a broken allocation, the checker sees too.
#include <gtest/gtest.h>

#include "unit/opt/lir_program.h"

namespace pagoda::opt::test {
namespace {

constexpr u32 kSteps = 600;

u64 first_seed() {
  const char* text = std::getenv("PAGODA_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 1;
}

bool same_traces(const LirCode& before, const LirCode& after, u64 seed) {
  for (u64 way = 0; way < 4; ++way) {
    if (run_values(before, seed + way, kSteps) != run_places(after, seed + way, kSteps)) return false;
  }
  return true;
}

struct Mode {
  const char* name;
  u32 gprs, xmms;
  bool spill_everything, shuffle;
  u32 blocks, insns;
};
constexpr Mode kModes[] = {
    {"plain", 13, 16, false, false, 12, 14},          {"pressure", 9, 8, false, false, 12, 20},
    {"shuffled", 13, 16, false, true, 12, 14},        {"shuffled_pressure", 9, 8, false, true, 12, 20},
    {"spill_everything", 13, 16, true, false, 8, 10}, {"many_blocks", 10, 10, false, false, 60, 6},
    {"one_block", 9, 8, false, false, 1, 80},
};

class RegallocRandom : public testing::TestWithParam<Mode> {};

Registers registers_for(const Mode& mode, u64 seed) {
  Registers registers = registers_of(mode.gprs, mode.xmms);
  registers.spill_everything = mode.spill_everything;
  if (mode.shuffle) registers.shuffle_seed = static_cast<u32>(seed) + 1;
  return registers;
}

RandomLir options_for(const Mode& mode, u64 seed) {
  RandomLir options;
  options.blocks = mode.blocks;
  options.insns = mode.insns;
  options.gprs = mode.gprs;
  options.xmms = mode.xmms;
  options.back = 2 + static_cast<u32>(seed % 4);
  return options;
}

TEST_P(RegallocRandom, IsRight) {
  const Mode& mode = GetParam();
  for (u64 seed = first_seed(); seed < first_seed() + 500; ++seed) {
    Rng rng(seed);
    const LirCode before = random_lir(rng, options_for(mode, seed));
    const Registers registers = registers_for(mode, seed);
    LirCode code = before;
    ASSERT_TRUE(allocate_registers(code, registers)) << "seed " << seed << '\n' << print(before);
    ASSERT_EQ(check_allocation(code, registers), "") << "seed " << seed << '\n' << print(code);
    ASSERT_TRUE(same_traces(before, code, seed)) << "seed " << seed << '\n' << print(code);
  }
}

TEST(RegallocGuest, IsRight) {
  u64 to_homes = 0;
  for (u64 seed = first_seed(); seed < first_seed() + 200; ++seed) {
    Rng rng(seed);
    GuestLir options;
    options.guest_regs = 12 + static_cast<u32>(seed % 20);
    options.blocks = 5 + static_cast<u32>(seed % 40);
    const LirCode before = guest_lir(rng, options);
    Registers registers = registers_of();
    if (seed % 4 == 1) registers.shuffle_seed = static_cast<u32>(seed);
    registers.spill_everything = seed % 8 == 2;
    LirCode code = before;
    ASSERT_TRUE(allocate_registers(code, registers)) << "seed " << seed << '\n' << print(before);
    ASSERT_EQ(check_allocation(code, registers), "") << "seed " << seed << '\n' << print(code);
    ASSERT_TRUE(same_traces(before, code, seed)) << "seed " << seed << '\n' << print(code);
    for (const Move& move : code.moves) to_homes += move.to.kind == Place::spill && move.to.spill_index > code.spills;
  }
  EXPECT_GT(to_homes, 1000u) << "places of guest registers are hardly used";
}

INSTANTIATE_TEST_SUITE_P(Modes, RegallocRandom, testing::ValuesIn(kModes),
                         [](const auto& test) { return std::string(test.param.name); });

// One place or move of a right allocation becomes another. False: there was nothing to change.
bool mutate(LirCode& code, Rng& rng, const Registers& registers) {
  const auto other_reg = [&](RegClass of, u8 not_this) {
    for (;;) {
      const u8 r = static_cast<u8>(rng() % 16);
      if (r != not_this && (registers.allocatable[static_cast<u32>(of)] >> r & 1) != 0) return r;
    }
  };
  const auto change_place = [&](RegClass of, Place& place) {
    if (place.kind == Place::none) return false;
    if (place.kind == Place::reg) {
      place.reg_number = other_reg(of, place.reg_number);
    } else {
      if (code.spills < 2) return false;
      place.spill_index = static_cast<u16>(place.spill_index % code.spills + 1);
    }
    return true;
  };
  switch (rng() % 6) {
    case 0:
      if (code.moves.empty()) return false;
      code.moves.erase(code.moves.begin() + static_cast<std::ptrdiff_t>(rng() % code.moves.size()));
      return true;
    case 1: {
      if (code.moves.empty()) return false;
      Move& move = code.moves[rng() % code.moves.size()];
      return change_place(move.of, move.to);
    }
    case 2: {
      if (code.moves.empty()) return false;
      Move& move = code.moves[rng() % code.moves.size()];
      return !move.is_imm && change_place(move.of, move.from);
    }
    case 3: {
      const size_t o = rng() % code.places.size();
      const Operand& operand = code.operands[o];
      return operand.fixed == kAnyReg && change_place(code.vregs[operand.reg].of, code.places[o]);
    }
    case 4: {
      if (code.sites.size() < 2) return false;
      Site& site = code.sites[1 + rng() % (code.sites.size() - 1)];
      if (site.slots.empty()) return false;
      Recipe& recipe = site.slots[rng() % site.slots.size()].recipe;
      return recipe.form == Recipe::value && change_place(recipe.of, recipe.place);
    }
    default: {
      if (code.moves.size() < 2) return false;
      const size_t i = rng() % (code.moves.size() - 1);
      if (code.moves[i].at != code.moves[i + 1].at) return false;
      std::swap(code.moves[i], code.moves[i + 1]);
      return true;
    }
  }
}

TEST(RegallocChecker, SeesWhatIsBroken) {
  u32 mutants = 0, wrong = 0, missed = 0;
  for (u64 seed = first_seed(); seed < first_seed() + 300; ++seed) {
    const Mode& mode = kModes[seed % std::size(kModes)];
    Rng rng(seed);
    const LirCode before = random_lir(rng, options_for(mode, seed));
    const Registers registers = registers_for(mode, seed);
    LirCode right = before;
    ASSERT_TRUE(allocate_registers(right, registers));
    for (u32 n = 0; n < 10; ++n) {
      LirCode code = right;
      if (!mutate(code, rng, registers)) continue;
      ++mutants;
      const bool differs = !same_traces(before, code, seed);
      const bool complains = !check_allocation(code, registers).empty();
      wrong += differs ? 1 : 0;
      missed += differs && !complains ? 1 : 0;
      EXPECT_FALSE(differs && !complains) << "seed " << seed << " mutant " << n;
    }
  }
  EXPECT_EQ(missed, 0u);
  EXPECT_GT(mutants, 1000u);
  EXPECT_GT(wrong, mutants / 4);
  RecordProperty("mutants", static_cast<int>(mutants));
  RecordProperty("wrong", static_cast<int>(wrong));
}

}  // namespace
}  // namespace pagoda::opt::test
