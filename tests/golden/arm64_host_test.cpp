// SPDX-License-Identifier: MIT
// Golden host code of ARM64: telling sequences, what tier 1 makes of them on the way that usually runs, and how many
// host instructions that are for how many of the guest.
//
// PAGODA_BLESS=1 writes the file anew, of the sequences that are in it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/translate.h"
#include "cpu/guest.h"
#include "golden/host_code.h"

namespace pagoda::arm64 {
namespace {

constexpr const char* kPath = PAGODA_TEST_DIR "/golden/arm64_host.txt";

struct Sequence {
  std::string name, hex;
};

// Text of the sequence's host code; nothing where there is no executable memory.
std::string host_code(const std::vector<u8>& code, u32* count) {
  static golden::HostCode host({.slots = slot_table(),
                                .helpers = helper_table(),
                                .pinned = pinned_registers(),
                                .cpu_bytes = static_cast<u32>(sizeof(Cpu))},
                               host::features_of_level("x86-64-v3").value());
  if (!host.available()) return {};
  ir::Block block;
  ir::Builder builder;
  builder.start(&block, slot_table());
  const u32 insns = static_cast<u32>(code.size() / 4);
  translate_block(builder, {.code = {.bytes = code.data(), .size = static_cast<u32>(code.size())}, .max_insns = insns});
  return host.text(block, count);
}

std::string golden_of(const Sequence& sequence, bool* available) {
  const std::vector<u8> code = golden::bytes_of(sequence.hex);
  u32 count = 0;
  const std::string host = host_code(code, &count);
  *available = !host.empty();
  std::string text = fmt::format("== {} {}\n", sequence.name, sequence.hex);
  for (std::size_t at = 0; at + 4 <= code.size(); at += 4) {
    u32 word;
    std::memcpy(&word, &code[at], 4);
    text += disassemble(word, at) + "\n";
  }
  return text + fmt::format("{} for {}:\n{}", count, code.size() / 4, host);
}

TEST(Arm64Golden, HostCode) {
  std::ifstream file(kPath);
  std::stringstream golden;
  golden << file.rdbuf();
  std::vector<Sequence> sequences;
  std::istringstream lines(golden.str());
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string mark;
    Sequence sequence;
    if (words >> mark >> sequence.name >> sequence.hex && mark == "==") sequences.push_back(sequence);
  }
  ASSERT_GE(sequences.size(), 30u);
  std::string text;
  bool available = true;
  for (const Sequence& sequence : sequences) text += golden_of(sequence, &available);
  if (!available) GTEST_SKIP() << "no executable memory";
  if (std::getenv("PAGODA_BLESS") != nullptr) {
    std::ofstream(kPath) << text;
    return;
  }
  EXPECT_EQ(golden.str(), text) << "PAGODA_BLESS=1 takes this over";
}

}  // namespace
}  // namespace pagoda::arm64
