// SPDX-License-Identifier: MIT
// Every form of the ARM64 tables on tier 0 and tier 1, optimised and not, against an emulator of user programs.
//
// Usage: arm64_differential --qemu PATH [--seed N] [--count N] [--row NAME]. A form is a row with one value of each of
// its capital fields: size, width, shift, condition and so on. One line for each row, with the number of its forms and
// the least that one of them was compared; exit status 0 if that is enough everywhere and nothing differed.
// The last row is "sequences": several instructions, for what one tells the next (conditions over known flags, dead
// flags).
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>

#include <fmt/format.h>

#include "cpu/arm64/disassembler.h"
#include "differential/arm64_generator.h"
#include "differential/arm64_oracle.h"
#include "differential/arm64_subject.h"
#include "differential/fuzz_options.h"
#include "differential/operands.h"

namespace pagoda::arm64 {
namespace {

constexpr u64 kLeast = 20'000, kLeastEdges = 100;
constexpr u32 kShownDifferences = 3, kSides = 4, kFirstOnTier1 = 2;
constexpr const char* kSideNames[] = {"tier 0", "tier 0 without fusion", "tier 1", "tier 1 without fusion"};
constexpr CodeOptions kReference{.fusions = 0, .forward_state = false};
constexpr CodeOptions kReference1{.fusions = 0, .forward_state = false, .max_tier = 1, .min_tier = 1};

struct Tally {
  u64 compared = 0, trapped = 0, different = 0, compiled = 0, edges = 0;  // compiled: on the worse side of tier 1
  u64 specials[kSpecialCount] = {};
  void add(const Tally& other) {
    compared += other.compared;
    trapped += other.trapped;
    different += other.different;
    compiled += other.compiled;
    edges += other.edges;
    for (u32 i = 0; i < kSpecialCount; ++i) specials[i] += other.specials[i];
  }
};

std::string differences(const Case& c, const Outcome& oracle, const Outcome& ours) {
  std::string text;
  const auto compare = [&](const std::string& name, u64 expected, u64 got) {
    if (expected != got) text += fmt::format("      {}: oracle {:#x}, ours {:#x}\n", name, expected, got);
  };
  compare("pc", oracle.pc, ours.pc);
  // Behind the case the oracle meets an undefined instruction; ours may not have looked.
  if (oracle.pc >= c.pc && oracle.pc < c.pc + 4 * c.words) compare("signal", oracle.signal, ours.signal);
  for (u32 i = 0; i < 31; ++i) compare(fmt::format("x{}", i), oracle.x[i], ours.x[i]);
  compare("sp", oracle.sp, ours.sp);
  for (u32 i = 0; i < 32; ++i) {
    compare(fmt::format("v{} low", i), oracle.v[i].half[0], ours.v[i].half[0]);
    compare(fmt::format("v{} high", i), oracle.v[i].half[1], ours.v[i].half[1]);
  }
  compare("nzcv", oracle.nzcv, ours.nzcv);
  compare("fpsr", oracle.fpsr, ours.fpsr);
  for (u32 i = 0; (c.kinds & kUsesMemory) != 0 && i < kWindow; i += 8) {
    u64 expected, got;
    std::memcpy(&expected, oracle.memory + i, 8);
    std::memcpy(&got, ours.memory + i, 8);
    compare(fmt::format("{:#x}", c.window + i), expected, got);
  }
  return text;
}

std::string describe(const Case& c) {
  std::string text;
  for (u32 n = 0; n < c.words; ++n) {
    const u32 word = c.code[n];
    text += fmt::format("    {:#x}: {:08x}  {}", c.pc + 4 * n, word, disassemble(word, c.pc + 4 * n));
    Insn insn;
    const bool vector = decode(word, kAllFeatures, insn) && insn.row->needs >= Feature::fp;
    for (const u32 reg : {word & 31, word >> 5 & 31, word >> 16 & 31, word >> 10 & 31}) {
      if (reg != 31) text += fmt::format("  x{} {:#x}", reg, c.x[reg]);
      if (vector) text += fmt::format("  v{} {:016x}:{:016x}", reg, c.v[reg].half[1], c.v[reg].half[0]);
    }
    text += "\n";
  }
  return text + fmt::format("      nzcv {:#x} fpcr {:#x} fpsr {:#x} sp {:#x}\n", c.nzcv, c.fpcr, c.fpsr, c.sp);
}

bool agree(const Case& c, const Outcome& oracle, const Outcome& ours) {
  return std::memcmp(&oracle, &ours, (c.kinds & kUsesMemory) != 0 ? sizeof oracle : offsetof(Outcome, memory)) == 0;
}

class Run {
 public:
  Run(ArmOracle& oracle, const FuzzOptions& options) : oracle_(oracle), options_(options), forms_(forms()) {
    ours_.resize(kSides * kHalf);
  }

  // False: a form failed. Errors: the oracle is gone.
  Result<bool> row(const InsnRow& row) {
    Tally total;
    u64 forms_of_row = 0, least = ~u64{0};
    std::string why;
    const u64 wanted = options_.count;
    for (const Form& form : forms_) {
      if (form.row != &row) continue;
      Generator generator(options_.seed * 1'000'003 + form.match);
      TRY_ASSIGN(const Tally tally, fill(row.name, wanted, [&](auto cases) { return generator.make(form, cases); }));
      if (tally.compared == 0 && tally.trapped == 0) continue;  // every word of the form is left out
      ++forms_of_row;
      const u64 met = tally.compared + (is_trap(row) ? tally.trapped : 0);
      least = std::min(least, met);
      const auto fail_if = [&](bool bad, const std::string& text) {
        if (bad && why.empty()) why = fmt::format("{:08x}: {}", form.match, text);
      };
      fail_if(tally.different != 0, fmt::format("{} differ", tally.different));
      fail_if(met < wanted, fmt::format("{} compared", met));
      fail_if(tally.compiled < tally.compared / 2, fmt::format("{} on tier 1", tally.compiled));
      fail_if(wanted >= kLeastEdges * 10 && has_integer_operands(row) && tally.edges < kLeastEdges,
              "edge integers met too seldom");
      total.add(tally);
    }
    if (has_float_operands(row) && wanted >= kLeast) {
      for (u32 i = 0; i < kSpecialCount; ++i) {
        if ((kFloatClasses >> i & 1) != 0 && total.specials[i] < kLeastEdges && why.empty()) {
          why = fmt::format("{} met too seldom", kSpecialNames[i]);
        }
      }
    }
    fmt::print("{:<6} {:<20} {:>3} forms, each {:>6} or more, {:>8} compared, {} trapped{}{}\n",
               why.empty() ? "ok" : "FAILED", row.name, forms_of_row, least, total.compared, total.trapped,
               why.empty() ? "" : ": ", why);
    std::fflush(stdout);
    total_forms_ += forms_of_row;
    least_ = std::min(least_, least);
    total_.add(total);
    return why.empty();
  }

  Result<bool> sequences() {
    Generator generator(options_.seed * 7 + 1);
    TRY_ASSIGN(const Tally tally, fill("sequences", options_.count * 20, [&](std::span<Case> cases) {
                 while (!cases.empty()) {
                   const std::size_t size = std::min<std::size_t>(cases.size(), 8);
                   generator.make_sequence(forms_, cases.first(size));
                   cases = cases.subspan(size);
                 }
                 return true;
               }));
    total_.add(tally);
    const bool good = tally.different == 0 && tally.compared >= options_.count && tally.compiled >= tally.compared / 2;
    fmt::print("{:<6} {:<20} {:>8} compared, {} on tier 1\n", good ? "ok" : "FAILED", "sequences", tally.compared,
               tally.compiled);
    return good;
  }

  void print_total() const {
    fmt::print("{} forms, each {} times or more; {} cases compared on {} sides, {} of them trapped as the oracle did\n",
               total_forms_, least_, total_.compared + total_.trapped, kSides, total_.trapped);
    if (oracle_.restarts() != 0) fmt::print("the oracle ended and was started anew {} times\n", oracle_.restarts());
  }

 private:
  static bool is_trap(const InsnRow& row) { return std::string_view(row.name) == "brk"; }

  // `make` fills a span with cases of one word.
  template <class Make>
  Result<Tally> fill(const char* name, u64 wanted, const Make& make) {
    Tally tally;
    const u64 limit = wanted * 4;
    const u64 compiled_before[] = {sides_[2].runs_of_host_code(), sides_[3].runs_of_host_code()};
    // One code serves many operands: making it costs more than running it.
    const u64 of_one_word = std::clamp<u64>(wanted / 64, 4, 64);
    Word which = 0, counts[2] = {};
    u64 made = 0;
    const auto make_half = [&](Word half) {
      Word& count = counts[half];
      for (count = 0; count < kHalf && made < limit && (made < wanted || tally.compared + count < wanted);) {
        const auto size = static_cast<Word>(std::min<u64>(of_one_word, kHalf - count));
        if (!make(std::span(oracle_.half(half).cases + count, size))) break;
        count += size;
        made += size;
      }
    };
    make_half(which);
    if (counts[which] != 0) oracle_.begin(which, counts[which]);
    while (counts[which] != 0) {
      const Word next = 1 - which;
      make_half(next);
      SharedHalf& half = oracle_.half(which);
      for (Word i = 0; i < counts[which]; ++i) {
        for (u32 side = 0; side < kSides; ++side) sides_[side].run(half.cases[i], ours_[kSides * i + side]);
      }
      TRY(oracle_.finish());
      if (counts[next] != 0) oracle_.begin(next, counts[next]);
      for (Word i = 0; i < counts[which]; ++i) judge(name, half, i, tally);
      which = next;
    }
    tally.compiled = ~u64{0};
    for (u32 side = kFirstOnTier1; side < kSides; ++side) {
      tally.compiled =
          std::min(tally.compiled, sides_[side].runs_of_host_code() - compiled_before[side - kFirstOnTier1]);
    }
    return tally;
  }

  void judge(const char* name, const SharedHalf& half, Word i, Tally& tally) {
    const Case& c = half.cases[i];
    const Outcome& oracle = half.outcomes[i];
    for (u32 side = 0; side < kSides; ++side) {
      const Outcome& ours = ours_[kSides * i + side];
      if (agree(c, oracle, ours)) continue;
      const std::string text = differences(c, oracle, ours);
      if (text.empty()) continue;
      if (++tally.different > kShownDifferences) continue;
      fmt::print("  {} differs, {}:\n{}{}", name, kSideNames[side], describe(c), text);
    }
    const bool inside = oracle.pc >= c.pc && oracle.pc < c.pc + 4 * c.words && oracle.signal != 4;
    ++(inside ? tally.trapped : tally.compared);
    const u32 word = c.code[c.words - 1], n = word >> 5 & 31, m = word >> 16 & 31, d = word & 31;
    u32 classes = 0;
    for (const u32 reg : {n, m, d}) classes |= integer_class(reg == 31 ? 0 : c.x[reg]);
    tally.edges += (classes & kEdgeInteger) != 0;
    if (word != last_.bits) {
      width_ = decode(word, kAllFeatures, last_) && has_float_operands(*last_.row) ? float_width(last_) : 0;
      last_.bits = word;
    }
    if (width_ != 0) {
      const u32 met = float_classes(last_, width_, c);
      for (u32 k = 0; k < kSpecialCount; ++k) tally.specials[k] += met >> k & 1;
    }
  }

  ArmOracle& oracle_;
  const FuzzOptions& options_;
  const std::vector<Form> forms_;
  Subject sides_[kSides] = {Subject({}), Subject(kReference), Subject({.max_tier = 1, .min_tier = 1}),
                            Subject(kReference1)};
  std::vector<Outcome> ours_;
  u64 total_forms_ = 0, least_ = ~u64{0};
  Tally total_;
  // The word judged last, and the width of the numbers it reads; 0: it reads none.
  Insn last_{};
  u32 width_ = 0;
};

Result<int> run(const FuzzOptions& options) {
  ArmOracle oracle;
  TRY(oracle.start(options.emulator));
  Run fuzz(oracle, options);
  u32 passed = 0, failed = 0;
  const auto count = [&](bool good) { ++(good ? passed : failed); };
  for (const InsnRow& row : insn_rows()) {
    if (!options.row.empty() && options.row != row.name) continue;
    if (const char* reason = reason_left_out(row)) {
      fmt::print("--     {:<20} no oracle: {}\n", row.name, reason);
      continue;
    }
    TRY_ASSIGN(const bool good, fuzz.row(row));
    count(good);
  }
  if (options.row.empty() || options.row == "sequences") {
    TRY_ASSIGN(const bool good, fuzz.sequences());
    count(good);
  }
  if (passed + failed == 0) return fail("--row {}: no such row is compared", options.row);
  fuzz.print_total();
  fmt::print(
      "left out by name: system registers other than NZCV; register combinations that the manual calls constrained "
      "unpredictable\n");
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pagoda::arm64

int main(int argc, char** argv) {
  using namespace pagoda;
  // Fewer, where all that is wanted is a look at every form.
  const char* count = std::getenv("PAGODA_ARM64_COUNT");
  const u64 least = count != nullptr ? std::strtoull(count, nullptr, 10) : arm64::kLeast;
  return run_fuzzer({"arm64_differential", "PAGODA_QEMU_AARCH64", "qemu-aarch64", least}, argc, argv, arm64::run);
}
