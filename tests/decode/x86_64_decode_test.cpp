// SPDX-License-Identifier: MIT
// The x86-64 decoder and disassembler: the tables by themselves, and known bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/x86_64/decode.h"
#include "cpu/x86_64/disassembler.h"
#include "decode/x86_64_bytes.h"

namespace pagoda::x86_64 {
namespace {

std::string text_of(std::initializer_list<u8> bytes, Features features = kAllFeatures) {
  Insn insn;
  const Decoded decoded = decode(std::span(bytes.begin(), bytes.size()), features, insn);
  if (decoded == Decoded::undefined) return "undefined";
  if (decoded == Decoded::truncated) return "truncated";
  if (decoded == Decoded::too_long) return "too long";
  return fmt::format("{} {}", insn.length, disassemble(insn));
}

TEST(X86Decode, EveryRowIsReached) {
  Rng rng(1);
  for (const Row& row : all_rows()) {
    bool reached = false;
    for (u32 tries = 0; tries < 200 && !reached; ++tries) {
      Insn insn;
      reached = decode(bytes_of_row(rng, row, 0).span(), kAllFeatures, insn) == Decoded::ok && insn.row == &row;
    }
    EXPECT_TRUE(reached) << row.name << " " << row.opcode << " " << row.operands;
  }
}

TEST(X86Decode, RowsOfOneOpcodeAgreeOnModRm) {
  for (const Row& a : all_rows()) {
    for (const Row& b : all_rows()) {
      if (a.encoding.map != b.encoding.map || a.encoding.opcode != b.encoding.opcode) continue;
      EXPECT_EQ(a.encoding.modrm, b.encoding.modrm) << a.name << " and " << b.name;
    }
    EXPECT_EQ(std::string_view(a.effect).size(), 6u) << a.name;
  }
}

TEST(X86Decode, KnownBytes) {
  EXPECT_EQ(text_of({0x00, 0x00}), "2 add byte ptr [rax], al");
  EXPECT_EQ(text_of({0x48, 0x83, 0xc0, 0xff}), "4 add rax, 0xffffffffffffffff");
  EXPECT_EQ(text_of({0x88, 0xe0}), "2 mov al, ah");
  EXPECT_EQ(text_of({0x40, 0x88, 0xe0}), "3 mov al, spl");
  EXPECT_EQ(text_of({0x65, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0}), "8 mov eax, dword ptr gs:[0x10]");
  EXPECT_EQ(text_of({0xf0, 0x01, 0x08}), "3 lock add dword ptr [rax], ecx");
  EXPECT_EQ(text_of({0xf3, 0x48, 0xa5}), "3 rep movsq");
  EXPECT_EQ(text_of({0x90}), "1 nop");
  EXPECT_EQ(text_of({0x41, 0x90}), "2 xchg r8d, eax");
}

TEST(X86Decode, PrefixesThatDoNotFit) {
  EXPECT_EQ(text_of({0xf0, 0x01, 0xc8}), "undefined");                    // lock with a register
  EXPECT_EQ(text_of({0xf0, 0x8b, 0x00}), "undefined");                    // lock with a load
  EXPECT_EQ(text_of({0x66, 0xc4, 0xe2, 0x70, 0xf2, 0xc1}), "undefined");  // a prefix before VEX
  EXPECT_EQ(text_of({0x48, 0x66, 0x01, 0xc8}), "4 add ax, cx");           // REX must come last
  EXPECT_EQ(text_of({0xc5, 0x7a, 0xb8, 0xfc}), "undefined");              // popcnt has no VEX form
}

TEST(X86Decode, EndsAndLimits) {
  EXPECT_EQ(text_of({}), "truncated");
  EXPECT_EQ(text_of({0x48}), "truncated");
  EXPECT_EQ(text_of({0x81, 0xc0, 1, 2, 3}), "truncated");
  EXPECT_EQ(text_of({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}),
            "15 nop");
  EXPECT_EQ(text_of({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}),
            "too long");
  EXPECT_EQ(text_of({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}),
            "too long");
}

TEST(X86Decode, AbsentExtensions) {
  EXPECT_EQ(text_of({0xf3, 0x0f, 0xbc, 0xc1}), "4 tzcnt eax, ecx");
  EXPECT_EQ(text_of({0xf3, 0x0f, 0xbc, 0xc1}, kAllFeatures.without(Feature::bmi1)), "4 bsf eax, ecx");
  EXPECT_EQ(text_of({0xc4, 0xe2, 0x70, 0xf2, 0xc1}, kAllFeatures.without(Feature::bmi1)), "undefined");
}

}  // namespace
}  // namespace pagoda::x86_64
