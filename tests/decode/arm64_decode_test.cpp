// SPDX-License-Identifier: MIT
// Decoder of ARM64: every row, ambiguity, the index, words that are no instructions; IR of every form.
#include "cpu/arm64/decode.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/random_insn.h"
#include "cpu/arm64/translate.h"
#include "tcg/ir/verifier.h"

namespace pagoda::arm64 {
namespace {

bool meets(const InsnRow& row, u32 word) {
  return (word & row.mask) == row.match && (row.constraint == nullptr || row.constraint(word));
}

TEST(Arm64Decode, IndexAgreesWithLinearSearch) {
  Rng rng(1);
  const std::vector<Form> all = forms();
  for (u32 n = 0; n < 200000; ++n) {
    u32 word = static_cast<u32>(rng());
    if (n % 2 == 0)
      word = random_instruction(all[rng() % all.size()], rng).value() ^ (n % 4 == 0 ? 1u << rng() % 32 : 0);
    const InsnRow* found = nullptr;
    for (const InsnRow& row : insn_rows()) {
      if (!meets(row, word)) continue;
      ASSERT_EQ(found, nullptr) << found->name << " and " << row.name << " match " << std::hex << word;
      found = &row;
    }
    Insn insn;
    const bool decoded = decode(word, kAllFeatures, insn);
    ASSERT_EQ(decoded ? insn.row : nullptr, found) << std::hex << word;
    if (decoded) {
      ASSERT_EQ(insn.bits, word);
    }
  }
}

TEST(Arm64Decode, NoTwoRowsOverlapOutsideTheirConstraints) {
  const auto rows = insn_rows();
  Rng rng(2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = i + 1; j < rows.size(); ++j) {
      if (((rows[i].match ^ rows[j].match) & rows[i].mask & rows[j].mask) != 0) continue;
      const u32 mask = rows[i].mask | rows[j].mask, match = rows[i].match | rows[j].match;
      for (u32 n = 0; n < 2000; ++n) {
        const u32 word = (static_cast<u32>(rng()) & ~mask) | match;
        ASSERT_FALSE(meets(rows[i], word) && meets(rows[j], word)) << rows[i].name << " and " << rows[j].name;
      }
    }
  }
}

TEST(Arm64Decode, NamesAreUniqueAndEveryRowHasAForm) {
  std::set<std::string> names, with_form;
  for (const Form& form : forms()) with_form.insert(form.row->name);
  for (const InsnRow& row : insn_rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(with_form.contains(row.name)) << row.name;
  }
}

TEST(Arm64Decode, AFeatureThatIsOffHasNoInstructions) {
  Rng rng(3);
  u32 rows_with_features = 0;
  for (const Form& form : forms()) {
    const u32 word = random_instruction(form, rng).value();
    const Features without{~(u64{1} << static_cast<u32>(form.row->needs))};
    Insn insn;
    EXPECT_FALSE(decode(word, without, insn)) << form.row->name;
    rows_with_features += form.row->needs != Feature::base;
  }
  EXPECT_GT(rows_with_features, 20u);
}

// Arm ARM, DecodeBitMasks.
TEST(Arm64Decode, BitMasks) {
  EXPECT_EQ(bit_mask(1, 0, 0), 1u);
  EXPECT_EQ(bit_mask(0, 0b111100, 0), 0x5555555555555555u);
  EXPECT_EQ(bit_mask(0, 0b111100, 1), 0xaaaaaaaaaaaaaaaau);
  EXPECT_EQ(bit_mask(1, 62, 0), 0x7fffffffffffffffu);
  EXPECT_EQ(bit_mask(1, 7, 8), 0xff00000000000000u);
  EXPECT_EQ(bit_mask(0, 0b100111, 4), 0xf00ff00ff00ff00fu);
  EXPECT_EQ(bit_mask(0, 0, 31), 0x0000000200000002u);
}

TEST(Arm64Translate, EveryFormMakesASoundBlock) {
  Rng rng(4);
  ir::Builder builder;
  ir::Block block;
  for (const Form& form : forms()) {
    for (u32 n = 0; n < 50; ++n) {
      u32 words[3];
      for (u32& word : words) word = random_instruction(form, rng).value();
      builder.start(&block, slot_table());
      translate_block(builder, {.code = {.bytes = reinterpret_cast<const u8*>(words), .size = sizeof words},
                                .mode = n % 2 == 0 ? 0 : kModeSlowFp,
                                .max_insns = 3});
      const auto errors = ir::verify(block, slot_table(), helper_table());
      ASSERT_TRUE(errors.empty()) << form.row->name << std::hex << " " << words[0] << ": " << errors[0];
    }
  }
}

}  // namespace
}  // namespace pagoda::arm64
