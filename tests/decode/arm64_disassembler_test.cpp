// SPDX-License-Identifier: MIT
// Disassembler and decoder of ARM64: words with their text, and LLVM as an independent reader of whatever words.
#include "cpu/arm64/disassembler.h"

#include <cctype>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/arm64/random_insn.h"
#include "decode/llvm_mc.h"

namespace pagoda::arm64 {
namespace {

TEST(Arm64Disassembler, KnownWords) {
  struct Known {
    u32 word;
    const char* text;
  };
  constexpr u64 pc = 0x400000;
  constexpr Known known[] = {
      {0x8b020020, "add x0, x1, x2"},
      {0x0b827c20, "add w0, w1, w2, asr #31"},
      {0x910043ff, "add sp, sp, #16"},
      {0x91400420, "add x0, x1, #1, lsl #12"},
      {0xeb01001f, "subs xzr, x0, x1"},
      {0x8b2263e0, "add x0, sp, x2"},
      {0x8b22cc20, "add x0, x1, w2, sxtw #3"},
      {0x92401c20, "and x0, x1, #0xff"},
      {0xd2824680, "movz x0, #4660"},
      {0xf2a24680, "movk x0, #4660, lsl #16"},
      {0xd3427c20, "ubfm x0, x1, #2, #31"},
      {0x54000041, "b.ne 0x400008"},
      {0x97ffffff, "bl 0x3ffffc"},
      {0xb4000040, "cbz x0, 0x400008"},
      {0x37280040, "tbnz w0, #5, 0x400008"},
      {0xd65f03c0, "ret x30"},
      {0xa9bf7bfd, "stp x29, x30, [sp, #-16]!"},
      {0xa8c17bfd, "ldp x29, x30, [sp], #16"},
      {0xf8627820, "ldr x0, [x1, x2, lsl #3]"},
      {0xb862d820, "ldr w0, [x1, w2, sxtw #2]"},
      {0x38401420, "ldrb w0, [x1], #1"},
      {0x88dffc20, "ldar w0, [x1]"},
      {0xc8047c20, "stxr w4, x0, [x1]"},
      {0xf8e20020, "ldaddal x2, x0, [x1]"},
      {0x48227c24, "casp x2, x3, x4, x5, [x1]"},
      {0xfa4b1944, "ccmp x10, #11, #4, ne"},
      {0x9a821420, "csinc x0, x1, x2, ne"},
      {0xd53b4200, "mrs x0, nzcv"},
      {0xd5033bbf, "dmb ish"},
      {0xd4000001, "svc #0"},
      {0x90000000, "adrp x0, 0x400000"},
      {0x1e612800, "fadd d0, d0, d1"},
      {0x1f420020, "fmadd d0, d1, d2, d0"},
      {0x9e660001, "fmov x1, d0"},
      {0xacc10420, "ldp q0, q1, [x1], #32"},
      {0x4ea28420, "add v0.4s, v1.4s, v2.4s"},
      {0x0f0c8400, "shrn v0.8b, v0.8h, #4"},
      {0x4e020020, "tbl v0.16b, { v1.16b }, v2.16b"},
      {0x4e829404, "sdot v4.4s, v0.16b, v2.16b"},
      {0x4e0a1c20, "ins v0.h[2], w1"},
      {0xffffffff, ".inst 0xffffffff"},
  };
  for (const Known& k : known) EXPECT_EQ(disassemble(k.word, pc), k.text) << std::hex << k.word;
}

TEST(Arm64Disassembler, BlockLinesStopAtACutInstruction) {
  const u8 code[] = {0x20, 0x00, 0x02, 0x8b, 0xc0, 0x03};
  EXPECT_EQ(disassemble_block(code, 0x1000), "0x0000000000001000: 8b020020  add x0, x1, x2\n");
}

// --- LLVM ------------------------------------------------------------------------------------------------------------

std::string mnemonic(const std::string& text) { return text.substr(0, text.find_first_of(" \t")); }

// One notation for both: lower case, numbers as 64-bit hexadecimals, one blank, no number sign, no zero offset.
std::string plain(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    const bool follows_word =
        at != 0 && (std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0 || text[at - 1] == '.');
    const bool negative =
        c == '-' && at + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[at + 1])) != 0;
    if ((std::isdigit(static_cast<unsigned char>(c)) != 0 && !follows_word) || negative) {
      std::size_t used = 0;
      const std::string rest = text.substr(at + (negative ? 1 : 0));
      const u64 value = std::stoull(rest, &used, 0);
      at += used + (negative ? 1 : 0);
      if (at < text.size() && text[at] == '.') {  // a floating-point constant stays as it is
        const std::size_t end = text.find_first_not_of("0123456789.", at);
        result += text.substr(at - used - (negative ? 1 : 0), end - (at - used - (negative ? 1 : 0)));
        at = end == std::string::npos ? text.size() : end;
        continue;
      }
      result += fmt::format("{:#x}", negative ? 0 - value : value);
      continue;
    }
    if (c == '\t') {
      result += ' ';
    } else if (c != '#') {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    ++at;
  }
  if (const auto comment = result.find(" //"); comment != std::string::npos) {
    result.erase(result.find_last_not_of(' ', comment) + 1);
  }
  if (const auto zero = result.find(", 0x0]"); zero != std::string::npos) result.erase(zero, 5);
  return result;
}

// What LLVM prints by the preferred name even without aliases, by ours; the operands are put differently.
bool is_alias(const std::string& ours, const std::string& theirs) {
  static const std::map<std::string, std::set<std::string>> names = {
      {"ubfm", {"lsl", "lsr", "ubfx", "ubfiz", "uxtb", "uxth"}},
      {"sbfm", {"asr", "sbfx", "sbfiz", "sxtb", "sxth", "sxtw"}},
      {"bfm", {"bfi", "bfxil", "bfc"}},
      {"movn", {"mov"}},
      {"movz", {"mov"}},
      {"orr", {"mov"}},
      {"lslv", {"lsl"}},
      {"lsrv", {"lsr"}},
      {"asrv", {"asr"}},
      {"rorv", {"ror"}},
  };
  const auto known = names.find(mnemonic(ours));
  if (known == names.end() || !known->second.contains(mnemonic(theirs))) return false;
  const auto first_operand = [](const std::string& text) {
    const std::size_t start = text.find(' ') + 1;
    return text.substr(start, text.find(',') - start);
  };
  return first_operand(ours) == first_operand(theirs);
}

// Forms with vector registers share mnemonics with others.
std::string kind(const std::string& text) {
  const std::size_t operand = text.find_first_of(" \t");
  if (operand == std::string::npos || operand + 2 >= text.size()) return text;
  const char c = text[operand + 1] == '{' ? text[operand + 3] : text[operand + 1];
  const bool vector = std::string_view("bhsdqv").find(c) != std::string_view::npos &&
                      std::isdigit(static_cast<unsigned char>(text[operand + 2])) != 0;
  return mnemonic(text) + (vector || text[operand + 1] == '{' ? "(vector)" : "");
}

// What LLVM 19 reads otherwise, with the reason; empty: no reason known.
std::string reason(const std::string& ours, const std::string& theirs, u32 word) {
  const std::string a = mnemonic(ours), b = mnemonic(theirs);
  const bool unknown_here = a == ".inst";
  if (unknown_here && (b == "mrs" || b == "msr")) return "a system register that user code does not have here";
  const std::string mine = plain(ours), its = plain(theirs);
  if (is_alias(mine, its)) return "a preferred alias";
  const auto unshifted = its.find(", lsl ");
  if ((word >> 12 & 1) == 0 && unshifted != std::string::npos && mine == its.substr(0, unshifted) + "]") {
    return "an index that is not shifted: LLVM prints the shift all the same";
  }
  return {};
}

// Mnemonics that have no row here at all are what is not implemented; they are counted and listed by name.
class Comparison {
 public:
  Comparison() {
    Rng rng(6);
    for (const Form& form : forms()) {
      for (u32 n = 0; n < 20; ++n) known_.insert(kind(disassemble(random_instruction(form, rng).value(), 0)));
    }
  }
  void compare(u32 word, const std::string& theirs) {
    const std::string ours = disassemble(word, 0);
    const bool is_ours = ours[0] != '.';
    instructions_ += is_ours;
    if (!is_ours && theirs.empty()) return;
    if (!theirs.empty() && is_ours && plain(ours) == plain(theirs)) return;
    if (!is_ours && !known_.contains(kind(theirs))) {
      ++missing_[kind(theirs)];
      return;
    }
    if (const std::string why = reason(ours, theirs, word); !why.empty()) {
      ++explained_[why];
      return;
    }
    if (++differences_ <= 30) ADD_FAILURE() << fmt::format("{:08x}: {} | {}", word, plain(ours), plain(theirs));
  }
  void report(u64 count) const {
    EXPECT_EQ(differences_, 0u);
    EXPECT_GT(instructions_, count / 3);
    for (const auto& [why, times] : explained_) fmt::print("explained: {} times {}\n", times, why);
    std::string names;
    u64 words = 0;
    for (const auto& [name, times] : missing_) {
      names += " " + name;
      words += times;
    }
    fmt::print("{} words compared, {} instructions here; {} words of {} mnemonics without a row:{}\n", count,
               instructions_, words, missing_.size(), names);
  }

 private:
  std::set<std::string> known_;
  u64 differences_ = 0, instructions_ = 0;
  std::map<std::string, u64> explained_, missing_;
};

TEST(Arm64Disassembler, AgreesWithLlvm) {
  if (llvm_mc().empty()) GTEST_SKIP() << "llvm-mc is not installed";
  constexpr u64 kBatch = 200000;
  const u64 count = oracle_words(20000);
  Rng rng(5);
  const std::vector<Form> all = forms();
  Comparison comparison;
  std::vector<OracleWord> words;
  for (u64 done = 0; done < count; done += words.size()) {
    words.clear();
    while (words.size() < std::min(kBatch, count - done)) {
      // Half of it any words, the rest instructions, every other one with a bit flipped.
      const std::size_t n = words.size();
      u32 word = static_cast<u32>(rng());
      if (n % 2 != 0) word = random_instruction(all[rng() % all.size()], rng).value();
      if (n % 4 == 3) word ^= 1u << rng() % 32;
      words.push_back({word, kInsnBytes});
    }
    const auto texts = llvm_disassemble(
        "--triple=aarch64 --mattr=+crc,+lse,+lor,+rcpc,+flagm,+fullfp16,+rdm,+dotprod,+aes,+sha2", words);
    ASSERT_EQ(texts.size(), words.size());
    for (std::size_t n = 0; n < words.size(); ++n) comparison.compare(words[n].word, texts[n]);
  }
  comparison.report(count);
}

}  // namespace
}  // namespace pagoda::arm64
