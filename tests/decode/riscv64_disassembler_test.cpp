// SPDX-License-Identifier: MIT
// Disassembler of RISC-V 64: words with their text, and LLVM's disassembler as an independent reader where it is
// installed.
#include "cpu/riscv64/disassembler.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/riscv64/random_insn.h"
#include "decode/llvm_mc.h"

namespace pagoda::riscv64 {
namespace {

TEST(Riscv64Disassembler, KnownWords) {
  struct Known {
    u32 word;
    const char* text;
  };
  constexpr u64 pc = 0x80000000;
  constexpr Known known[] = {
      {0x00100513, "addi a0, zero, 1"},
      {0xfff50513, "addi a0, a0, -1"},
      {0x123452b7, "lui t0, 0x12345"},
      {0xfffff517, "auipc a0, 0xfffff"},
      {0xff9ff06f, "jal zero, 0x7ffffff8"},
      {0x00b50463, "beq a0, a1, 0x80000008"},
      {0xfe113c23, "sd ra, -8(sp)"},
      {0x0007b783, "ld a5, 0(a5)"},
      {0x03f79793, "slli a5, a5, 63"},
      {0x30052573, "csrrs a0, mstatus, a0"},
      {0x00215073, "csrrwi zero, frm, 2"},
      {0x0ff0000f, "fence iorw, iorw"},
      {0x8330000f, "fence.tso"},
      {0x0100000f, "pause"},
      {0x00e7a7af, "amoadd.w a5, a4, (a5)"},
      {0x06e7b7af, "amoadd.d.aqrl a5, a4, (a5)"},
      {0x1407a7af, "lr.w.aq a5, (a5)"},
      {0x00b57553, "fadd.s fa0, fa0, fa1"},
      {0x00b51553, "fadd.s fa0, fa0, fa1, rtz"},
      {0x60c5f543, "fmadd.s fa0, fa1, fa2, fa2"},
      {0xd2058553, "fcvt.d.w fa0, a1"},
      {0x12a58073, "sfence.vma a1, a0"},
      {0x16a58073, "sinval.vma a1, a0"},
      {0x18000073, "sfence.w.inval"},
      {0x18100073, "sfence.inval.ir"},
      {0x00156013, "prefetch.r 0(a0)"},
      {0x0045200f, "cbo.zero (a0)"},
      {0x4501, "c.li a0, 0"},
      {0x0001, "c.nop"},
      {0x7139, "c.addi16sp sp, -64"},
      {0x0808, "c.addi4spn a0, sp, 16"},
      {0x6705, "c.lui a4, 0x1"},
      {0x777d, "c.lui a4, 0xfffff"},
      {0xc119, "c.beqz a0, 0x80000006"},
      {0xbfd5, "c.j 0x7ffffff4"},
      {0x8082, "c.jr ra"},
      {0x9002, "c.ebreak"},
      {0xe406, "c.sdsp ra, 8(sp)"},
      {0x0000, ".half 0x0000"},
      {0xffffffff, ".word 0xffffffff"},
  };
  for (const Known& k : known) EXPECT_EQ(disassemble(k.word, pc), k.text) << std::hex << k.word;
}

TEST(Riscv64Disassembler, BlockLinesStopAtACutInstruction) {
  const u8 code[] = {0x01, 0x45, 0x13, 0x05, 0x10, 0x00, 0x13, 0x05};
  EXPECT_EQ(disassemble_block(code, 0x1000),
            "0x0000000000001000: 4501      c.li a0, 0\n0x0000000000001002: 00100513  addi a0, zero, 1\n");
}

// --- LLVM ------------------------------------------------------------------------------------------------------------

// Notation that differs without a difference in meaning, and what LLVM 19 reads otherwise, with the reason.
bool agree(const std::string& ours, const std::string& theirs, u32 word) {
  const auto name = [](const std::string& text) { return text.substr(0, text.find_first_of(" \t")); };
  const std::string a = name(ours), b = name(theirs);
  if (a == b) return true;
  if (a == "pause" && b == "fence") return true;  // hints by their plain names
  if (a.starts_with("ntl.") && b == "add") return true;
  if (a.starts_with("c.ntl.") && b == "c.add") return true;
  if (b == a + "64") return true;  // c.slli64: shift by 0, a hint
  const bool none = theirs.empty();
  if (none && (a == "fence" || a == "fence.i" || a == "fence.tso")) return true;  // fields to be ignored (2.7) are set
  const u32 rm = word >> 12 & 7;
  if (none && (rm == 5 || rm == 6) && a[0] == 'f') return true;           // reserved rounding: the translator's matter
  if (word == 0 && b == "c.unimp") return true;                           // defined to be illegal
  if (a == ".half" && b == "c.lui" && (word & 0x107c) == 0) return true;  // no immediate: reserved (26.5)
  return false;
}

TEST(Riscv64Disassembler, MnemonicsAgreeWithLlvm) {
  if (llvm_mc().empty()) GTEST_SKIP() << "llvm-mc is not installed";
  const u64 count = oracle_words(20000);

  // A quarter random words, a quarter random 32-bit words, the rest instructions, every fourth with one bit flipped.
  Rng rng(5);
  std::vector<OracleWord> words;
  const auto rows = insn_rows();
  while (words.size() < count) {
    const std::size_t n = words.size();
    u32 word = static_cast<u32>(rng());
    if (n % 4 == 1) word |= 3;
    if (n % 4 >= 2) word = random_instruction(rows[rng() % rows.size()], rng).value_or(word);
    if (n % 8 == 3) word ^= 1u << rng() % 32;
    const u32 bytes = instruction_bytes(word);
    words.push_back({bytes == 2 ? word & 0xffff : word, bytes});
  }
  const std::vector<std::string> texts = llvm_disassemble(
      "--triple=riscv64 --mattr=+m,+a,+f,+d,+c,+zba,+zbb,+zbs,"
      "+zicbom,+zicbop,+zicboz,+zicsr,+zifencei,+zicond,+zihintntl,+zimop,+zabha,+experimental-zacas,"
      "+zawrs,+zfa,+zfh,+zcb,+zcmop,+zbc,+zbkb,+zbkc,+zbkx,+zknd,+zkne,+zknh,+zksed,+zksh,+svinval",
      words);
  ASSERT_EQ(texts.size(), words.size());
  u64 differences = 0, instructions = 0;
  for (std::size_t n = 0; n < count; ++n) {
    const auto [word, bytes] = words[n];
    const std::string& theirs = texts[n];
    const std::string ours = disassemble(word, 0);
    instructions += ours[0] != '.';
    if (ours[0] == '.' && theirs.empty()) continue;
    if (agree(ours, theirs, word)) continue;
    if (++differences <= 20) ADD_FAILURE() << fmt::format("{:08x}: {} | {}", word, ours, theirs);
  }
  EXPECT_EQ(differences, 0u);
  EXPECT_GT(instructions, count / 3);
}

}  // namespace
}  // namespace pagoda::riscv64
