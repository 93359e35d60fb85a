// SPDX-License-Identifier: MIT
// Golden host code of ARM64: telling sequences, what tier 1 makes of them on the way that usually runs, and how many
// host instructions that are for how many of the guest.
//
// PAGODA_BLESS=1 writes the file anew, of the sequences that are in it. Guest registers that have no host register are
// shown by name in place of their offset in the frame; block entry (poll and budget) is the same everywhere and left
// out.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/translate.h"
#include "cpu/guest.h"
#include "tcg/interp/interp.h"
#include "tcg/light/light.h"

namespace pagoda::arm64 {
namespace {

constexpr const char* kPath = PAGODA_TEST_DIR "/golden/arm64_host.txt";

struct Sequence {
  std::string name, hex;
};

std::vector<u8> bytes_of(const std::string& hex) {
  std::vector<u8> bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<u8>(std::stoul(hex.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

// Names for the frame's places; tables behind it are "tlb".
std::string with_names(const std::string& line) {
  static const std::regex place("\\[rbp(\\+rcx)?\\+(\\d+)\\]");
  std::smatch match;
  if (!std::regex_search(line, match, place)) return line;
  const u64 offset = std::stoull(match[2]);
  std::string name = "frame";
  for (u32 i = 0; i < slot_table().count; ++i) {
    if (slot_table().slots[i].offset == offset) name = slot_table().slots[i].name;
  }
  if (match[1].matched) name = "tlb+rcx";
  if (offset >= offsetof(VcpuFrame, temps) && offset < sizeof(VcpuFrame)) {
    name = fmt::format("t{}", (offset - offsetof(VcpuFrame, temps)) / 8);
  }
  return std::string(match.prefix()) + "[" + name + "]" + std::string(match.suffix());
}

// Text of the sequence's host code; nothing where there is no executable memory.
std::string host_code(const std::vector<u8>& code, u32* count) {
  static const auto memory = CodeMemory::create(std::size_t{1} << 20);
  if (!memory) return {};
  light::Layout layout{.pinned = pinned_registers(), .helpers = helper_table()};
  layout.tlb_offset[0] = (sizeof(Cpu) + 4095) & ~4095u;
  layout.second_tlb_offset[0] = layout.tlb_offset[0] + static_cast<u32>(sizeof(TlbTable));
  static const light::Stubs stubs(**memory, layout);
  static light::Compiler compiler(stubs);
  ir::Block block;
  ir::Builder builder;
  builder.start(&block, slot_table());
  const u32 insns = static_cast<u32>(code.size() / 4);
  translate_block(builder, {.code = {.bytes = code.data(), .size = static_cast<u32>(code.size())}, .max_insns = insns});
  interp::Lowering lowering(slot_table(), helper_table(), interp::kAllFusions);
  Unit* unit = lowering.lower(block);
  std::string listing, text;
  compiler.set_listing(&listing);
  EXPECT_TRUE(compiler.compile(*unit, 0));
  compiler.set_listing(nullptr);
  (*memory)->release(unit->host.start, unit->host.data);
  interp::free_unit(unit);
  *count = 0;
  std::istringstream lines(listing);
  bool in_entry = true;
  for (std::string line; std::getline(lines, line);) {
    if (in_entry) {
      in_entry = !line.starts_with("js ");
      continue;
    }
    if (line.starts_with(".dd ")) continue;  // the distance of a stub: the byte before is its call or jump
    *count += line[0] != 'L' || line.find(':') == std::string::npos;
    if (line.starts_with(".db 0xE8")) line = "call stub";
    if (line.starts_with(".db 0xE9")) line = "jmp stub";
    text += "  " + with_names(line) + "\n";
  }
  return text;
}

std::string golden_of(const Sequence& sequence, bool* available) {
  const std::vector<u8> code = bytes_of(sequence.hex);
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
  // Without what newer processors have, the code is another one.
  if (!__builtin_cpu_supports("bmi2")) GTEST_SKIP() << "the host has no BMI2";
  EXPECT_EQ(golden.str(), text) << "PAGODA_BLESS=1 takes this over";
}

}  // namespace
}  // namespace pagoda::arm64
