// SPDX-License-Identifier: MIT
// Random code of real guests in a machine, on every registered backend beside single instructions on tier 0.
#include <gtest/gtest.h>

#include <cstring>

#include "backends/all_backends.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/random_insn.h"
#include "unit/riscv64_bench.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kCode = kRam + 0x100000, kData = kRam + 0x200000, kDataBytes = 0x1000;

// A hart that runs straight-line code in machine mode until the budget ends, and the data around its base registers.
class Side {
 public:
  explicit Side(const CodeOptions& options) : bench_("rv64", options) {}

  void run(const std::vector<u32>& words, u64 seed, u32 rounds) {
    std::mt19937_64 rng(seed);
    std::vector<u64> data(kDataBytes / 8);
    for (u64& value : data) value = rng() >> (rng() & 63);
    put(kData, data.data(), kDataBytes);
    put(kCode, words.data(), words.size() * 4);
    bench_.vcpu->reset();
    Hart& hart = bench_.hart();
    for (u32 i = 1; i < 32; ++i) hart.x[i] = rng() >> (rng() & 63);
    for (u32 i = 8; i < 16; ++i) hart.x[i] = kData + kDataBytes / 2 + 8 * (rng() & 15);
    hart.pc = kCode;
    // The last word jumps back to the first: units are entered until every tier has taken them over. The end of a
    // budget is cut to size and so runs on tier 0.
    CHECK(bench_.vcpu->run(static_cast<i64>(words.size() * rounds)) == Vcpu::Stop::budget);
  }
  std::string difference(Side& other) {
    std::string text;
    const Hart &mine = bench_.hart(), &its = other.bench_.hart();
    if (mine.pc != its.pc) text += fmt::format("  pc: {:#x}, {:#x}\n", mine.pc, its.pc);
    for (u32 i = 1; i < 32; ++i) {
      if (mine.x[i] != its.x[i]) text += fmt::format("  x{}: {:#x}, {:#x}\n", i, mine.x[i], its.x[i]);
    }
    std::vector<u8> a(kDataBytes), b(kDataBytes);
    CHECK(bench_.memory.read(GuestPhys(kData), std::as_writable_bytes(std::span(a))));
    CHECK(other.bench_.memory.read(GuestPhys(kData), std::as_writable_bytes(std::span(b))));
    if (a != b) text += "  data\n";
    return text;
  }
  u64 compiled() { return bench_.code->statistics().compiler.units; }

 private:
  void put(u64 address, const void* from, u64 size) {
    CHECK(bench_.memory.write(GuestPhys(address), std::as_bytes(std::span(static_cast<const u8*>(from), size))));
  }
  Bench bench_;
};

class GuestBlocks : public testing::TestWithParam<const tier::Backend*> {};

TEST_P(GuestBlocks, Riscv64) {
  const tier::Backend& backend = *GetParam();
  if (!tier::is_available(backend)) GTEST_SKIP() << "not on this host";
  std::vector<const InsnRow*> rows;
  for (const InsnRow& row : insn_rows()) {
    const Extension extension = row.needs.first;
    if (row.length == 4 && (extension == Extension::i || extension == Extension::m)) rows.push_back(&row);
  }
  ASSERT_GT(rows.size(), 40u);
  Side side({.max_tier = backend.tier, .backend = &backend, .tier1_threshold = 2}),
      single({.fusions = 0, .max_block_insns = 1, .forward_state = false});
  std::mt19937_64 rng(3);
  constexpr u32 kBlocks = 600, kRounds = 60;
  for (u32 n = 0; n < kBlocks; ++n) {
    std::vector<u32> words;
    while (words.size() < 2 + n % 12) {
      const InsnRow& row = *rows[rng() % rows.size()];
      const std::string_view name = row.name, operands = format_info(row.format).operands;
      const bool is_memory = operands.find("(a)") != std::string_view::npos;
      // Nothing that leaves the line, or that a loop of it cannot repeat.
      if (operands.find('t') != std::string_view::npos || name == "jalr" ||
          (!is_memory && operands.find('d') == std::string_view::npos))
        continue;
      RegisterChoice choice;
      choice.d = 16 + static_cast<int>(rng() % 8);
      choice.b = 16 + static_cast<int>(rng() % 8);
      choice.a = is_memory ? 8 + static_cast<int>(rng() % 8) : 16 + static_cast<int>(rng() % 8);
      const std::optional<u32> word = random_instruction(row, rng, choice);
      if (word) words.push_back(*word);
    }
    const i32 back = -4 * static_cast<i32>(words.size());
    const auto bits = static_cast<u32>(back);
    words.push_back((bits >> 20 & 1) << 31 | (bits >> 1 & 0x3ff) << 21 | (bits >> 11 & 1) << 20 |
                    (bits >> 12 & 0xff) << 12 | 0x6f);
    const u64 seed = rng();
    side.run(words, seed, kRounds);
    single.run(words, seed, kRounds);
    std::string listing;
    for (const u32 word : words) listing += fmt::format("  {:08x}  {}\n", word, disassemble(word, 0));
    const std::string difference = side.difference(single);
    ASSERT_TRUE(difference.empty()) << "block " << n << '\n' << difference << listing;
  }
  EXPECT_EQ(side.compiled() != 0, backend.tier != 0);
}

INSTANTIATE_TEST_SUITE_P(All, GuestBlocks, testing::ValuesIn(all_backends()), backend_test_name);

}  // namespace
}  // namespace pagoda::riscv64
