// SPDX-License-Identifier: MIT
// Golden host code of RISC-V: telling sequences, what tier 1 makes of them with the instructions of each level of
// x86-64 on the way that usually runs, and how many host instructions that are for how many of the guest.
//
// PAGODA_BLESS=1 writes the files anew, of the sequences that are in them; read the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/describe.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "golden/host_code.h"

namespace pagoda::riscv64 {
namespace {

struct Sequence {
  std::string name, hex;
};

std::vector<Sequence> sequences_of(const std::string& text) {
  std::vector<Sequence> sequences;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark;
    Sequence sequence;
    if (words >> mark >> sequence.name >> sequence.hex && mark == "==") sequences.push_back(sequence);
  }
  return sequences;
}

std::string golden_of(golden::HostCode& host, const Sequence& sequence) {
  const std::vector<u8> code = golden::bytes_of(sequence.hex);
  std::string text = fmt::format("== {} {}\n", sequence.name, sequence.hex);
  u32 insns = 0;
  for (std::size_t at = 0; at < code.size(); ++insns) {
    u32 word = 0;
    const std::size_t bytes = (code[at] & 3) == 3 ? 4 : 2;
    std::memcpy(&word, &code[at], bytes);
    text += disassemble(word, at) + "\n";
    at += bytes;
  }
  ir::Block block;
  ir::Builder builder;
  builder.start(&block, slot_table());
  described_guest().translate(builder, {.code = {.bytes = code.data(), .size = static_cast<u32>(code.size())},
                                        .mode = described_guest().mode,
                                        .max_insns = insns});
  u32 count = 0;
  const std::string lines = host.text(block, &count);
  return text + fmt::format("{} for {}:\n{}", count, insns, lines);
}

class RiscvHostCode : public testing::TestWithParam<const char*> {};

TEST_P(RiscvHostCode, OfTellingSequences) {
  const std::string level = GetParam();
  const std::string path = fmt::format("{}/golden/riscv64_host/{}.txt", PAGODA_TEST_DIR, level);
  std::ifstream file(path);
  std::stringstream golden;
  golden << file.rdbuf();
  const std::vector<Sequence> sequences = sequences_of(golden.str());
  ASSERT_GE(sequences.size(), 30u);
  const Guest& guest = riscv64_guest();
  golden::HostCode host(
      {.slots = guest.slots, .helpers = guest.helpers, .pinned = guest.pinned, .cpu_bytes = guest.state_size},
      host::features_of_level("x86-64-" + level).value());
  if (!host.available()) GTEST_SKIP() << "no executable memory";
  std::string text;
  for (const Sequence& sequence : sequences) text += golden_of(host, sequence);
  if (std::getenv("PAGODA_BLESS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  EXPECT_EQ(golden.str(), text) << "PAGODA_BLESS=1 takes this over";
}
INSTANTIATE_TEST_SUITE_P(Levels, RiscvHostCode, testing::Values("v2", "v3", "v4"));

}  // namespace
}  // namespace pagoda::riscv64
