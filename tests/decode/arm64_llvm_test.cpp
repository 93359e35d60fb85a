// SPDX-License-Identifier: MIT
// Decoder and disassembler of ARM64 beside LLVM's, over whatever words. What differs is listed with its reason in
// arm64_llvm.txt; anything else is a failure.
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/random_insn.h"
#include "decode/llvm_mc.h"
#ifdef PAGODA_HAVE_LLVM
#include "decode/llvm_inside.h"
#endif

namespace pagoda::arm64 {
namespace {

constexpr const char* kTriple = "aarch64";
constexpr const char* kFeatures = "+crc,+lse,+lor,+rcpc,+flagm,+fullfp16,+rdm,+dotprod,+aes,+sha2";

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

// Whether the texts are equal but for case, number signs and tabulators, which most are.
bool is_same(const std::string& ours, const std::string& theirs) {
  std::size_t at = 0;
  for (const char c : theirs) {
    if (c == '#') continue;
    if (at == ours.size()) return false;
    const char mine = ours[at++];
    if (c != mine && !(c == '\t' && mine == ' ')) return false;
  }
  return at == ours.size();
}

// The key in arm64_llvm.txt of a difference that has a reason; empty: none has.
std::string reason(const std::string& ours, const std::string& theirs, u32 word) {
  const std::string a = mnemonic(ours), b = mnemonic(theirs);
  if (a == ".inst" && (b == "mrs" || b == "msr")) return "system-register";
  if (a == ".inst" && (word & 0xffd80000) == 0xd5080000) return "system-instruction";  // SYS, SYSL, under many names
  const std::string mine = plain(ours), its = plain(theirs);
  if (is_alias(mine, its)) return "alias";
  const auto unshifted = its.find(", lsl ");
  if ((word >> 12 & 1) == 0 && unshifted != std::string::npos && mine == its.substr(0, unshifted) + "]") {
    return "unshifted-index";
  }
  return {};
}

// Lines "key text": why LLVM says something else.
std::map<std::string, std::string> listed_reasons() {
  std::map<std::string, std::string> reasons;
  std::ifstream file(PAGODA_TEST_DIR "/decode/arm64_llvm.txt");
  for (std::string line; std::getline(file, line);) {
    const auto blank = line.find(' ');
    if (!line.empty() && line[0] != '#' && blank != std::string::npos) {
      reasons[line.substr(0, blank)] = line.substr(line.find_first_not_of(' ', blank));
    }
  }
  return reasons;
}

class Comparison {
 public:
  Comparison() {
    Rng rng(6);
    for (const Form& form : forms()) {
      for (u32 n = 0; n < 20; ++n) known_.insert(kind(disassemble(random_instruction(form, rng).value(), 0)));
    }
  }
  void compare(u32 word, const std::string& theirs) {
    ++words_;
    Insn insn;
    const bool is_ours = decode(word, kAllFeatures, insn);
    instructions_ += is_ours;
    if (!is_ours && theirs.empty()) return;
    const std::string ours = disassemble(word, 0);
    if (is_ours && !theirs.empty() && (is_same(ours, theirs) || plain(ours) == plain(theirs))) return;
    // What has no row here at all goes by its mnemonic.
    std::string why = reason(ours, theirs, word);
    if (why.empty() && !is_ours && !known_.contains(kind(theirs))) why = kind(theirs);
    if (!why.empty() && listed_.contains(why)) {
      ++explained_[why];
      return;
    }
    if (++differences_ <= 30) {
      ADD_FAILURE() << fmt::format("{:08x}: {} | {} ({})", word, plain(ours), plain(theirs), why);
    }
  }
  void report() const {
    EXPECT_EQ(differences_, 0u);
    EXPECT_GT(instructions_, words_ / 3);
    fmt::print("{} words compared, {} are instructions here, {} differ without a reason\n", words_, instructions_,
               differences_);
    for (const auto& [why, times] : explained_) fmt::print("{:>10} {}: {}\n", times, why, listed_.at(why));
  }

 private:
  const std::map<std::string, std::string> listed_ = listed_reasons();
  std::set<std::string> known_;
  u64 words_ = 0, differences_ = 0, instructions_ = 0;
  std::map<std::string, u64> explained_;
};

// Half of them any words, the rest instructions, every other one with a bit flipped.
u32 draw_word(u64 n, const std::vector<Form>& all, Rng& rng) {
  if (n % 2 == 0) return static_cast<u32>(rng());
  const u32 word = random_instruction(all[rng() % all.size()], rng).value();
  return n % 4 == 3 ? word ^ 1u << rng() % 32 : word;
}

TEST(Arm64Disassembler, AgreesWithLlvm) {
  const u64 count = oracle_words(20000);
  Rng rng(5);
  const std::vector<Form> all = forms();
  Comparison comparison;
#ifdef PAGODA_HAVE_LLVM
  LlvmDisassembler llvm(kTriple, kFeatures);
  for (u64 n = 0; n < count; ++n) {
    const u32 word = draw_word(n, all, rng);
    comparison.compare(word, llvm.text(word));
  }
#else
  if (llvm_mc().empty()) GTEST_SKIP() << "neither LLVM's library nor llvm-mc is installed";
  constexpr u64 kBatch = 200000;
  std::vector<OracleWord> words;
  for (u64 n = 0; n < count;) {
    words.clear();
    for (; words.size() < kBatch && n < count; ++n) words.push_back({draw_word(n, all, rng), kInsnBytes});
    const auto texts = llvm_disassemble(fmt::format("--triple={} --mattr={}", kTriple, kFeatures), words);
    ASSERT_EQ(texts.size(), words.size());
    for (std::size_t at = 0; at < words.size(); ++at) comparison.compare(words[at].word, texts[at]);
  }
#endif
  comparison.report();
}

}  // namespace
}  // namespace pagoda::arm64
