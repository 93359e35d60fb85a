// SPDX-License-Identifier: MIT
// Every form of the ARM64 tables on tier 0, fused and not, and on tier 1, against an emulator of user programs.
//
// Usage: arm64_differential --qemu PATH [--seed N] [--count N] [--row NAME]. A form is a row with one value of each of
// its capital fields. One line for each row; exit status 0 if each of its forms had enough cases and differed nowhere.
// The last row is "sequences": several instructions, for what one tells the next (conditions over known flags, dead
// flags).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>

#include "cpu/arm64/disassembler.h"
#include "differential/arm64_generator.h"
#include "differential/arm64_subject.h"
#include "differential/fuzz_options.h"
#include "differential/operands.h"
#include "differential/oracle.h"

namespace pagoda::arm64 {
namespace {

constexpr u64 kLeast = 20'000, kLeastEdges = 100;
constexpr u32 kShownDifferences = 3, kSides = 3;
constexpr const char* kSideNames[] = {"fused", "not fused", "tier 1"};
constexpr const char* kModel = "max,sve=off,sme=off,pauth=off";

struct Tally {
  u64 compared = 0, trapped = 0, different = 0, compiled = 0, edges = 0;
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
  for (u32 i = 0; i < kWindow; i += 8) {
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

class Run {
 public:
  Run(Oracle& oracle, const FuzzOptions& options) : oracle_(oracle), options_(options), forms_(forms()) {}

  // False: a form failed. Errors: the oracle is gone.
  Result<bool> row(const InsnRow& row) {
    Tally total;
    u64 forms_of_row = 0, all_forms = 0;
    std::string why;
    for (const Form& form : forms_) all_forms += form.row == &row;
    // Vector rows have forms by size and width that share one operation: what is wanted is wanted of the row.
    const bool per_form = row.needs < Feature::fp || all_forms == 0;
    const u64 wanted = per_form ? options_.count : std::max(options_.count / all_forms, options_.count / 8) + 1;
    for (const Form& form : forms_) {
      if (form.row != &row) continue;
      Generator generator(options_.seed * 1'000'003 + form.match);
      TRY_ASSIGN(const Tally tally, fill(row.name, wanted, [&](auto& cases) { return generator.append(form, cases); }));
      if (tally.compared == 0 && tally.trapped == 0) continue;  // every word of the form is left out
      ++forms_of_row;
      const auto fail_if = [&](bool bad, const std::string& text) {
        if (bad && why.empty()) why = fmt::format("{:08x}: {}", form.match, text);
      };
      fail_if(tally.different != 0, fmt::format("{} differ", tally.different));
      fail_if(tally.compared + (is_trap(row) ? tally.trapped : 0) < std::min(kLeast, wanted),
              fmt::format("{} compared", tally.compared));
      fail_if(tally.compiled < tally.compared / 2, fmt::format("{} on tier 1", tally.compiled));
      fail_if(wanted >= kLeastEdges * 10 && has_integer_operands(row) && tally.edges < kLeastEdges,
              "edge integers met too seldom");
      total.add(tally);
    }
    if (has_float_operands(row) && options_.count >= kLeast) {
      for (u32 i = 0; i < kSpecialCount; ++i) {
        if ((kFloatClasses >> i & 1) != 0 && total.specials[i] < kLeastEdges && why.empty()) {
          why = fmt::format("{} met too seldom", kSpecialNames[i]);
        }
      }
    }
    fmt::print("{:<6} {:<20} {:>3} forms qemu-user {:>8} compared, {} trapped{}{}\n", why.empty() ? "ok" : "FAILED",
               row.name, forms_of_row, total.compared, total.trapped, why.empty() ? "" : ": ", why);
    std::fflush(stdout);
    total_forms_ += forms_of_row;
    total_.add(total);
    return why.empty();
  }

  Result<bool> sequences() {
    Generator generator(options_.seed * 7 + 1);
    TRY_ASSIGN(const Tally tally, fill("sequences", options_.count * 20, [&](auto& cases) {
                 generator.append_sequence(forms_, cases);
                 return true;
               }));
    total_.add(tally);
    const bool good = tally.different == 0 && tally.compared >= options_.count && tally.compiled >= tally.compared / 2;
    fmt::print("{:<6} {:<20} qemu-user {:>8} compared, {} on tier 1\n", good ? "ok" : "FAILED", "sequences",
               tally.compared, tally.compiled);
    return good;
  }

  void print_total() const {
    fmt::print("{} forms, {} cases compared on {} sides, {} of them trapped as the oracle did\n", total_forms_,
               total_.compared + total_.trapped, kSides, total_.trapped);
  }

 private:
  static bool is_trap(const InsnRow& row) { return std::string_view(row.name) == "brk"; }

  template <class Append>
  Result<Tally> fill(const char* name, u64 wanted, const Append& append) {
    Tally tally;
    const u64 limit = wanted * 4;
    const u64 compiled_before = sides_[2].runs_of_host_code();
    while (tally.compared < wanted && tally.compared + tally.trapped < limit) {
      cases_.clear();
      while (cases_.size() + 16 <= kMaxBatch && cases_.size() < wanted) {
        if (!append(cases_)) break;
      }
      if (cases_.empty()) break;
      outcomes_.resize(cases_.size());
      ours_.resize(kSides * cases_.size());
      TRY(oracle_.send(cases_));
      for (std::size_t i = 0; i < cases_.size(); ++i) {
        for (u32 side = 0; side < kSides; ++side) sides_[side].run(cases_[i], ours_[kSides * i + side]);
      }
      TRY(oracle_.receive(outcomes_));
      for (std::size_t i = 0; i < cases_.size(); ++i) judge(name, i, tally);
    }
    tally.compiled = sides_[2].runs_of_host_code() - compiled_before;
    return tally;
  }

  void judge(const char* name, std::size_t i, Tally& tally) {
    const Case& c = cases_[i];
    const Outcome& oracle = outcomes_[i];
    for (u32 side = 0; side < kSides; ++side) {
      const std::string text = differences(c, oracle, ours_[kSides * i + side]);
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
    Insn insn;
    if (decode(word, kAllFeatures, insn) && has_float_operands(*insn.row)) {
      const u32 met = float_classes(insn, c);
      for (u32 k = 0; k < kSpecialCount; ++k) tally.specials[k] += met >> k & 1;
    }
  }

  Oracle& oracle_;
  const FuzzOptions& options_;
  const std::vector<Form> forms_;
  Subject sides_[kSides] = {Subject({}), Subject({.fusions = 0, .forward_state = false}),
                            Subject({.max_tier = 1, .min_tier = 1})};
  std::vector<Case> cases_;
  std::vector<Outcome> outcomes_, ours_;
  u64 total_forms_ = 0;
  Tally total_;
};

Result<int> run(const FuzzOptions& options) {
  Oracle oracle;
  TRY(oracle.start(options.emulator, kModel, PAGODA_ARM64_HARNESS));
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
