// SPDX-License-Identifier: MIT
// Decoder of RISC-V 64: every row, ambiguity, reserved encodings, extensions.
#include "cpu/riscv64/decode.h"

#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/random_insn.h"

namespace pagoda::riscv64 {
namespace {

std::string label(const InsnRow& row) { return std::string(row.name) + " [" + row.pattern + "]"; }
u32 width_mask(const InsnRow& row) { return row.length == 4 ? ~0u : 0xffffu; }

// What the tables mean, without the index: the first row that matches.
const InsnRow* first_match(u32 word, Extensions extensions) {
  const u32 length = instruction_bytes(word);
  if (length == 2 && !extensions.has(Extension::zca)) return nullptr;
  for (const InsnRow& row : insn_rows()) {
    if (row.length == length && (word & width_mask(row) & row.mask) == row.match && row.needs.met(extensions)) {
      return is_reserved(row) ? nullptr : &row;
    }
  }
  return nullptr;
}

const InsnRow* decoded_row(u32 word, Extensions extensions = kAllExtensions) {
  Insn insn;
  return decode(word, extensions, insn) ? insn.row : nullptr;
}

TEST(Riscv64Decode, EveryRowDecodesToItselfOrToADeclaredSpecialCase) {
  Rng rng(1);
  for (const InsnRow& row : insn_rows()) {
    u32 own = 0;
    for (u32 n = 0; n < 2000; ++n) {
      const u32 word = (static_cast<u32>(rng()) & ~row.mask & width_mask(row)) | row.match;
      Insn insn;
      if (!decode(word, kAllExtensions, insn)) {
        ASSERT_EQ(first_match(word, kAllExtensions), nullptr) << label(row) << std::hex << word;
        own += is_reserved(row);
        continue;
      }
      ASSERT_EQ(insn.bits, word);
      own += insn.row == &row;
      if (insn.row != &row) {
        ASSERT_TRUE(insn.row->special) << label(row) << " hidden by " << label(*insn.row);
        ASSERT_LT(insn.row, &row);
      }
    }
    EXPECT_GT(own, 900u) << label(row);
  }
}

TEST(Riscv64Decode, NoTwoRowsMatchAWordUnlessDeclared) {
  const auto rows = insn_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].match & ~rows[i].mask, 0u) << label(rows[i]);
    EXPECT_EQ(instruction_bytes(rows[i].match), rows[i].length) << label(rows[i]);
    for (std::size_t j = i + 1; j < rows.size(); ++j) {
      if (rows[i].length != rows[j].length) continue;
      const bool overlap = ((rows[i].match ^ rows[j].match) & rows[i].mask & rows[j].mask) == 0;
      if (!overlap) continue;
      EXPECT_TRUE(rows[i].special) << label(rows[i]) << " and " << label(rows[j]);
      EXPECT_NE(rows[i].mask & ~rows[j].mask, 0u) << label(rows[j]) << " can never be reached";
    }
  }
}

TEST(Riscv64Decode, IndexAgreesWithLinearSearch) {
  Rng rng(2);
  for (u32 n = 0; n < 300000; ++n) {
    const u32 word = static_cast<u32>(rng());
    ASSERT_EQ(decoded_row(word | 3), first_match(word | 3, kAllExtensions)) << std::hex << (word | 3);
  }
  for (u32 word = 0; word < 0x10000; ++word) {
    if ((word & 3) == 3) continue;
    ASSERT_EQ(decoded_row(word), first_match(word, kAllExtensions)) << std::hex << word;
    ASSERT_EQ(decoded_row(word | 0xabcd0000), decoded_row(word)) << "bits behind the instruction";
  }
}

// The field letters of a 32-bit pattern stand where the decoder takes its operands from.
TEST(Riscv64Decode, PatternLettersAreTheFieldsTheDecoderReads) {
  struct FieldAt {
    char letter;
    u32 low, width;
  };
  constexpr FieldAt fields[] = {{'d', 7, 5},  {'a', 15, 5}, {'b', 20, 5}, {'c', 27, 5},
                                {'m', 12, 3}, {'z', 15, 5}, {'q', 26, 1}, {'l', 25, 1}};
  for (const InsnRow& row : insn_rows()) {
    if (row.length != 4) continue;
    for (const FieldAt& field : fields) {
      if (std::strchr(row.pattern, field.letter) == nullptr) continue;
      // A register pair's field has its lowest bit fixed.
      EXPECT_EQ(set_pattern_field(row.pattern, field.letter, ~0u, 0),
                ((1u << field.width) - 1) << field.low & ~row.mask)
          << label(row) << " field " << field.letter;
    }
  }
}

// Likewise the immediate: setting one of its pattern bits changes it, setting any other bit does not.
TEST(Riscv64Decode, ImmediateBitsAreThoseOfThePattern) {
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row) || format_info(row.format).immediate == Immediate::none) continue;
    const u32 in_pattern = set_pattern_field(row.pattern, 'i', ~0u, 0) | set_pattern_field(row.pattern, 's', ~0u, 0);
    Rng rng(3);
    const u32 word = random_instruction(row, rng).value();
    Insn before;
    ASSERT_TRUE(decode(word, kAllExtensions, before));
    for (u32 bit = 0; bit < row.length * 8u; ++bit) {
      Insn after;
      if (!decode(word ^ 1u << bit, kAllExtensions, after) || after.row != &row) continue;
      EXPECT_EQ(before.immediate != after.immediate, (in_pattern >> bit & 1) != 0) << label(row) << " bit " << bit;
    }
  }
}

TEST(Riscv64Decode, ReservedEncodingsAreNoInstructions) {
  const u32 words[] = {
      0x00000000,      0xffffffff,
      0x0004,                                                 // c.addi4spn without immediate
      0x2001 | 5 << 2,                                        // c.addiw to x0
      0x6201,                                                 // c.lui without immediate
      0x6101,                                                 // c.addi16sp without immediate
      0x4002 | 1 << 4,                                        // c.lwsp to x0
      0x6002 | 1 << 4,                                        // c.ldsp to x0
      0x8002,                                                 // c.jr x0
      0x9c79,          0x9c7d,                                // the two unused ALU codes of quadrant 1
      0x8c40,          0x9fe0,                                // funct3 100 of quadrant 0
      0x0200151b,      0x4200551b,                            // word shifts by 32 and more
      0x08051513,      0x88055513,                            // shifts with stray upper bits
      0x1015252f,                                             // lr.w with rs2
      0x28a545af,      0x00b5452f,                            // amocas.q with an odd register, atomics of other sizes
      0x0005f503,      0x00a5c023,                            // load funct3 111, store funct3 100
      0x00b52563,      0x00059567,                            // branch funct3 010, jalr funct3 001
      0x58151553,      0xe0152553,                            // fsqrt.s with rs2, funct3 010 of fmv.x.w
      0x06b50553,      0x31b51513,                            // a format (quad) that is not there; round 11 of AES
      0x30200173,      0x30201073 & ~0x7000u & ~0x00200000u,  // mret with rd; system word with nothing in it
      0x0000400f,      0x0030a00f & 0xfff0ffff,               // fence-group funct3 100; cbo 3
      0x0ab5152b,      0x0000100b,                            // custom opcodes
      0x60351513,      0x60651513,                            // unused unary codes of Zbb
  };
  for (const u32 word : words) {
    EXPECT_EQ(decoded_row(word), nullptr) << std::hex << word << " " << disassemble(word, 0);
  }
}

TEST(Riscv64Decode, ExtensionsThatAreOffDecodeToNothing) {
  Rng rng(4);
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row)) continue;
    const u32 word = random_instruction(row, rng).value();
    // Each set of extensions that suffices is enough by itself; without any one of its members it is not.
    for (const u64 set : row.needs.all) {
      const u64 base = row.length == 2 ? Extensions().bits | Requirement::bit(Extension::zca) : Extensions().bits;
      EXPECT_EQ(decoded_row(word, {base | set}), &row) << label(row);
      for (u32 bit = 1; bit < kExtensionCount; ++bit) {
        if ((set >> bit & 1) == 0) continue;
        EXPECT_NE(decoded_row(word, {(base | set) & ~(u64{1} << bit)}), &row) << label(row) << " without " << bit;
      }
    }
    Extensions without{~(row.needs.all[0] | row.needs.all[1]) | 1};
    if (row.needs.first != Extension::i) {
      EXPECT_NE(decoded_row(word, without), &row) << label(row);
    }
    EXPECT_EQ(decoded_row(word, without), first_match(word, without)) << label(row);
    Extensions no_c = kAllExtensions;
    no_c.set(Extension::zca, false);
    EXPECT_EQ(decoded_row(word, no_c), row.length == 2 ? nullptr : &row) << label(row);
  }
  // Prefetches are hints in the space of ori to x0: without Zicbop they are just that.
  Extensions no_prefetch = kAllExtensions;
  no_prefetch.set(Extension::zicbop, false);
  EXPECT_STREQ(decoded_row(0x00156013)->name, "prefetch.r");
  EXPECT_STREQ(decoded_row(0x00156013, no_prefetch)->name, "ori");
}

TEST(Riscv64Decode, LengthNeedsOnlyTheFirstBytes) {
  EXPECT_EQ(instruction_bytes(0x00000013), 4u);
  EXPECT_EQ(instruction_bytes(0x4501), 2u);
  for (const InsnRow& row : insn_rows()) EXPECT_EQ(instruction_bytes(row.match & 0xff), row.length) << label(row);
}

}  // namespace
}  // namespace pagoda::riscv64
