// SPDX-License-Identifier: MIT
// Every unprivileged RISC-V decode row on tier 0, with and without fusion, and on tier 1, against an emulator of user
// programs.
//
// Usage: riscv64_differential --qemu PATH [--seed N] [--count N] [--row NAME]. One line for each row; exit status 0 if
// each had enough cases, met every class of special values and rounding that applies, and differed nowhere.
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "cpu/riscv64/disassembler.h"
#include "differential/exceptions.h"
#include "differential/fuzz_options.h"
#include "differential/generator.h"
#include "differential/oracle.h"
#include "differential/subject.h"
#include "tcg/interp/interp.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kLeast = 10'000, kLeastOfClass = 100;
constexpr u32 kShownDifferences = 3;
constexpr const char* kSideNames[] = {"fused", "not fused", "tier 1"};
constexpr u32 kSides = 3;

struct RowResult {
  u64 compared = 0;  // pairs that ran to their end
  u64 trapped = 0;   // pairs that trapped; compared too, but not counted as operations
  u64 different = 0;
  u64 excepted = 0;
  u64 compiled = 0;  // pairs whose third side was host code of tier 1
  u64 specials[kSpecialCount] = {};
  u64 roundings[kRoundings] = {};
};

std::string hex(u64 value) { return fmt::format("{:#x}", value); }

// What differs, one "name: oracle, ours" each; empty if nothing does.
std::string differences(const Case& c, const Outcome& oracle, const Outcome& ours, u32* kinds) {
  std::string text;
  const auto compare = [&](u32 kind, const std::string& name, u64 expected, u64 got) {
    if (expected == got) return;
    *kinds |= kind;
    text += fmt::format("      {}: oracle {}, ours {}\n", name, hex(expected), hex(got));
  };
  compare(kDiffersInPc, "pc", oracle.pc, ours.pc);
  // Behind the instruction the oracle meets an illegal one; ours may not have looked.
  if (oracle.pc == c.pc) compare(kDiffersInPc, "signal", oracle.signal, ours.signal);
  for (u32 i = 1; i < 32; ++i) compare(kDiffersInX, x_name(i), oracle.x[i], ours.x[i]);
  for (u32 i = 0; i < 32; ++i) compare(kDiffersInF, f_name(i), oracle.f[i], ours.f[i]);
  compare(kDiffersInFlags, "fcsr", oracle.fcsr, ours.fcsr);
  for (u32 i = 0; i < kWindow; i += 8) {
    u64 expected, got;
    std::memcpy(&expected, oracle.memory + i, 8);
    std::memcpy(&got, ours.memory + i, 8);
    compare(kDiffersInMemory, hex(c.window + i), expected, got);
  }
  return text;
}

std::string describe(const Case& c) {
  std::string text = fmt::format("    {:#x}: {:0{}x}  {}  fcsr {:#x}\n", c.pc, c.bits, c.length * 2,
                                 disassemble(c.bits, c.pc), c.fcsr);
  Insn insn;
  if (!decode(c.bits, kAllExtensions, insn)) return text;
  for (const u32 reg : {u32{insn.rs1}, u32{insn.rs2}})
    text += fmt::format("      {} {:#x}", x_name(reg & 31), c.x[reg & 31]);
  for (const u32 reg : {u32{insn.rs1}, u32{insn.rs2}, u32{insn.rs3}})
    text += fmt::format("  {} {:#x}", f_name(reg & 31), c.f[reg & 31]);
  return text + "\n";
}

class Run {
 public:
  Run(Oracle& oracle, const FuzzOptions& options, Exceptions& exceptions)
      : oracle_(oracle), options_(options), exceptions_(exceptions) {}

  // False: the oracle is gone, or a row failed.
  Result<bool> row(const InsnRow& row) {
    Generator generator(row, options_.seed * 1'000'003 + static_cast<u64>(&row - insn_rows().data()));
    RowResult result;
    const u64 compiled_before = sides_[2].runs_of_host_code();
    const u64 limit = options_.count * 4;  // for rows that mostly trap
    while (result.compared < options_.count && result.compared + result.trapped < limit) {
      cases_.clear();
      while (cases_.size() + 16 <= kMaxBatch) {
        if (!generator.append(cases_)) break;
      }
      if (cases_.empty()) break;
      outcomes_.resize(cases_.size());
      ours_.resize(kSides * cases_.size());
      TRY(oracle_.send(cases_));
      for (std::size_t i = 0; i < cases_.size(); ++i) {
        for (u32 side = 0; side < kSides; ++side) sides_[side].run(cases_[i], ours_[kSides * i + side]);
      }
      TRY(oracle_.receive(outcomes_));
      for (std::size_t i = 0; i < cases_.size(); ++i) judge(generator.plan(), i, result);
    }
    result.compiled = sides_[2].runs_of_host_code() - compiled_before;
    return report(generator.plan(), result);
  }

 private:
  void judge(const RowPlan& plan, std::size_t i, RowResult& result) {
    const Case& c = cases_[i];
    const Outcome& oracle = outcomes_[i];
    for (u32 side = 0; side < kSides; ++side) {
      u32 kinds = 0;
      const std::string text = differences(c, oracle, ours_[kSides * i + side], &kinds);
      if (text.empty()) continue;
      if (exceptions_.covers(plan.row->name, kinds)) {
        ++result.excepted;
        continue;
      }
      if (++result.different > kShownDifferences) continue;
      fmt::print("  {} differs, {}:\n{}{}", plan.row->name, kSideNames[side], describe(c), text);
    }
    if (oracle.pc == c.pc) {
      ++result.trapped;
      return;
    }
    ++result.compared;
    const u32 specials = specials_of(plan, c);
    for (u32 k = 0; k < kSpecialCount; ++k) result.specials[k] += specials >> k & 1;
    if (const u32 rounding = rounding_of(plan, c); rounding != kNoRounding) ++result.roundings[rounding];
  }

  bool report(const RowPlan& plan, const RowResult& result) {
    std::string why;
    const auto fail_if = [&](bool bad, const std::string& text) {
      if (bad) why += (why.empty() ? "" : ", ") + text;
    };
    fail_if(result.different != 0, fmt::format("{} differ", result.different));
    fail_if(result.compared < kLeast, fmt::format("fewer than {} compared", kLeast));
    // The units of instructions across a page boundary stay on tier 0.
    fail_if(result.compiled < kLeast / 2, fmt::format("{} on tier 1", result.compiled));
    std::string met;
    for (u32 k = 0; k < kSpecialCount; ++k) {
      if ((plan.classes() >> k & 1) == 0) continue;
      met += fmt::format(", {} {}", result.specials[k], kSpecialNames[k]);
      fail_if(result.specials[k] < kLeastOfClass, fmt::format("{} met too seldom", kSpecialNames[k]));
    }
    if (plan.rounds) {
      u64 least = ~u64{0};
      for (const u64 n : result.roundings) least = std::min(least, n);
      met += fmt::format(", {} of the rarest rounding", least);
      fail_if(least < kLeastOfClass, "a rounding mode met too seldom");
    }
    if (result.excepted != 0) met += fmt::format(", {} listed exceptions", result.excepted);
    if (result.trapped != 0) met += fmt::format(", {} more trapped", result.trapped);
    fmt::print("{:<6} {:<12} qemu-user {:>6} compared{}{}\n", why.empty() ? "ok" : "FAILED", plan.row->name,
               result.compared, met, why.empty() ? "" : ": " + why);
    std::fflush(stdout);
    return why.empty();
  }

  Oracle& oracle_;
  const FuzzOptions& options_;
  Exceptions& exceptions_;
  Subject sides_[kSides] = {Subject({}), Subject({.fusions = 0, .forward_state = false}),
                            Subject({.max_tier = 1, .min_tier = 1})};
  std::vector<Case> cases_;
  std::vector<Outcome> outcomes_, ours_;
};

Result<int> run(const FuzzOptions& options) {
  Exceptions exceptions;
  TRY(exceptions.read(PAGODA_EXCEPTIONS));
  Oracle oracle;
  TRY(oracle.start(options.emulator, "max", PAGODA_HARNESS));
  Run fuzz(oracle, options, exceptions);
  u32 passed = 0, failed = 0;
  for (const InsnRow& row : insn_rows()) {
    if (is_reserved(row) || (!options.row.empty() && options.row != row.name)) continue;
    if (const char* reason = reason_left_out(row)) {
      fmt::print("--     {:<12} no oracle: {}\n", row.name, reason);
      continue;
    }
    if (const std::string* reason = exceptions.no_oracle(row.name)) {
      fmt::print("--     {:<12} no oracle: {}\n", row.name, *reason);
      continue;
    }
    TRY_ASSIGN(const bool good, fuzz.row(row));
    ++(good ? passed : failed);
  }
  if (passed + failed == 0) return fail("--row {}: no such row is compared", options.row);
  fmt::print(
      "left out by name: counters and other CSRs than fflags, frm, fcsr; SC after LR (SC without LR is compared)\n");
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pagoda::riscv64

int main(int argc, char** argv) {
  using namespace pagoda;
  return run_fuzzer({"riscv64_differential", "PAGODA_QEMU_USER", "qemu-riscv64", riscv64::kLeast}, argc, argv,
                    riscv64::run);
}
