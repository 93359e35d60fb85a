// SPDX-License-Identifier: MIT
// Tier 0 against itself: random blocks with all fusions, each alone, all but one, against none, from random state.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "differential/toy_guest.h"
#include "tcg/ir/printer.h"
#include "tcg/ir/verifier.h"

namespace pagoda {
namespace {

constexpr u32 kStates = 3;  // per block

struct Variant {
  std::string name;
  u32 fusions;
};

std::vector<Variant> variants() {
  std::vector<Variant> result{{"all fusions", interp::kAllFusions}};
  for (u32 i = 0; i < interp::kFusionCount; ++i) {
    const std::string name = interp::fusion_name(static_cast<interp::Fusion>(i));
    result.push_back({"only " + name, 1u << i});
    result.push_back({"all but " + name, interp::kAllFusions & ~(1u << i)});
  }
  return result;
}

// Runs blocks of these options; gives up at the first difference, naming the block.
void compare_variants(u64 seed, u32 blocks, const ir::RandomOptions& options) {
  ir::Rng rng(seed);
  const ir::SlotTable slots = toy_slots();
  const HelperTable helpers = toy_helpers();
  interp::Lowering plain(slots, helpers, 0);
  const std::vector<Variant> list = variants();
  std::vector<std::unique_ptr<interp::Lowering>> lowerings;
  for (const Variant& variant : list) lowerings.push_back(std::make_unique<interp::Lowering>(slots, helpers, variant.fusions));
  auto start = std::make_unique<Toy>(), reference = std::make_unique<Toy>(), other = std::make_unique<Toy>();
  ir::Block block;
  for (u32 n = 0; n < blocks; ++n) {
    ir::random_block(rng, slots, helpers, options, block);
    ir::verify_or_die(block, slots, helpers);
    for (u32 k = 0; k < kStates; ++k) {
      start->randomize(rng);
      reference->copy_from(*start);
      reference->run(plain, block);
      for (u32 i = 0; i < list.size(); ++i) {
        other->copy_from(*start);
        other->run(*lowerings[i], block);
        const std::string difference = reference->difference(*other);
        if (difference.empty()) continue;
        Unit* unit = lowerings[i]->lower(block);
        ADD_FAILURE() << "seed " << seed << " block " << n << ", without fusion against " << list[i].name << ":\n"
                      << difference << ir::print(block, slots, helpers) << interp::print_code(*unit, slots);
        interp::free_unit(unit);
        return;
      }
    }
  }
  // Each fusion was really at work.
  for (u32 i = 0; i < interp::kFusionCount; ++i) {
    const auto fusion = static_cast<interp::Fusion>(i);
    EXPECT_GT(lowerings[0]->fusion_count(fusion), 0u) << interp::fusion_name(fusion);
    EXPECT_EQ(plain.fusion_count(fusion), 0u) << interp::fusion_name(fusion);
  }
}

ir::RandomOptions with_memory() {
  ir::RandomOptions options;
  options.guest_insns = 4;
  options.base_slot = static_cast<u32>(ToySlot::base0);
  options.base_slots = 2;
  return options;
}

TEST(Tiers, BlocksOfEverything) { compare_variants(1, 1500, with_memory()); }

TEST(Tiers, IntegerBlocks) {
  ir::RandomOptions options = with_memory();
  options.types = 0;
  for (const ir::Type type : {ir::Type::none, ir::Type::i1, ir::Type::i8, ir::Type::i16, ir::Type::i32, ir::Type::i64})
    options.types |= 1u << static_cast<u32>(type);
  options.guest_insns = 6;
  options.ops_per_insn = 12;
  compare_variants(2, 1500, options);
}

// Few types, so that values meet each other and registers are read and written over and over.
TEST(Tiers, DenseBlocks) {
  ir::RandomOptions options = with_memory();
  options.types = 0;
  for (const ir::Type type : {ir::Type::none, ir::Type::i1, ir::Type::i32, ir::Type::i64})
    options.types |= 1u << static_cast<u32>(type);
  options.faults = false;
  options.guest_insns = 8;
  options.ops_per_insn = 3;
  compare_variants(3, 3000, options);
}

}  // namespace
}  // namespace pagoda
