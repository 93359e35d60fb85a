// SPDX-License-Identifier: MIT
// What tier 1 makes of telling sequences of x86-64 code: guest instructions, IR, host instructions and how many there
// are.
//
// PAGODA_BLESS=1 writes the file anew; read the difference.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cpu/x86_64/decode.h"
#include "cpu/x86_64/disassembler.h"
#include "cpu/x86_64/helpers.h"
#include "cpu/x86_64/processor.h"
#include "cpu/x86_64/translate.h"
#include "golden/host_code.h"
#include "tcg/ir/builder.h"

namespace pagoda::x86_64 {
namespace {

struct Sequence {
  const char* name;
  const char* hex;
};
constexpr Sequence kSequences[] = {
    {"compare and branch", "4839f77c1e"},
    {"compare bytes and branch", "4038f7721e"},
    {"test and branch", "4885c0741e"},
    {"test a bit and branch", "f7c740000000751e"},
    {"decrement and branch", "48ffc975de"},
    {"compare with a constant and branch", "83f8057f1e"},
    {"compare a byte in memory and branch", "803f0075f0"},
    {"subtract and branch on sign", "4829d0781e"},
    {"add and branch on carry", "4801d0721e"},
    {"bounds check", "39f7771e"},
    {"64-bit arithmetic, flags dead", "4801f84829f24831c14821d3488d7f084839f775de"},
    {"32-bit arithmetic", "01f829f231c139d1751e"},
    {"address arithmetic", "488d44b710488d0c404885c9781e"},
    {"clear and count", "31c048ffc04839f872de"},
    {"carry chain", "4801f84811f24885d2741e"},
    {"borrow chain", "4829f84819f24885d2741e"},
    {"memory increment", "ff0785c0741e"},
    {"load, add, store", "488b074801f04889074839d0721e"},
    {"flags between loads", "4839f8488b0e4801c8488b56084829d04885c0741e"},
    {"prologue", "554889e5534883ec204885ff741e"},
    {"epilogue", "4883c4205b5dc3"},
    {"push and pop run", "505351525a595b584885c0741e"},
    {"call", "e8fb000000"},
    {"return", "c3"},
    {"tail of a string copy", "8a06880748ffc648ffc784c075de"},
    {"string copy", "f3a4"},
    {"string store, one element", "48ab4885c9741e"},
    {"partial registers", "88d088dc0fb7c885c9741e"},
    {"sign extension", "480fbec74863d64801d04885c0741e"},
    {"shift by a constant", "48c1e003c1ea0748c1f93f4885c9741e"},
    {"shift by cl", "48d3e04885c0741e"},
    {"rotate and mix", "c1c00531f80fafc685c0741e"},
    {"conditional move", "4839f74889f8480f4cc64885c0741e"},
    {"set on condition", "39f70f9cc00fb6c085c0741e"},
    {"multiply", "480fafc7486bd6644801d04885c0741e"},
    {"wide multiply", "48f7e74885d2741e"},
    {"exchange registers", "48934885c0741e"},
    {"exchange with memory", "4887074885c0741e"},
    {"lock increment", "f0ff0785c0741e"},
    {"lock exchange add", "f0480fc1074885c0741e"},
    {"compare and exchange", "f0480fb13775de"},
    {"bit test", "480fa3f7721e"},
    {"dot product, scalar", "f30f100ef30f590ff30f58c14883c6044883c7044839d675e0"},
    {"dot product, packed", "0f100e0f10170f59ca0f58c14883c6104883c7104839d675e0"},
    {"dot product, fused and 256 bits", "c5fc100ec4e275b8074883c6204883c7204839d675e0"},
    {"multiply and add to memory", "f20f100ef20f59caf20f580ff20f110f48ffc975e0"},
    {"compare doubles and branch", "660f2ec1771e"},
    {"root of an integer", "f2480f2ac0f20f51c0f2480f2cc84885c9741e"},
    {"compare 16 bytes", "f30f6f06660f7407660fd7c03dffff0000751e"},
    {"copy by 16 bytes", "0f28060f29074883c6104883c71048ffc975e0"},
    {"sum of lanes", "660fefc0660ffec8660f70d14e660ffeca660f7ec885c0741e"},
    {"blend pixels", "660f60c1660fd5c2660f71d008660f67c0660fd60748ffc975e0"},
    {"x87 sum in memory", "dd06dc07dd1f48ffc975e0"},
    {"population count and scan", "f3480fb8c7f3480fbcce4801c84885c0741e"},
};

std::string golden_of(golden::HostCode& host, const Sequence& sequence) {
  const std::vector<u8> code = golden::bytes_of(sequence.hex);
  std::string text = fmt::format("--- {}\n", sequence.name);
  u32 insns = 0;
  for (std::size_t at = 0; at < code.size(); ++insns) {
    Insn insn;
    if (decode(std::span(code).subspan(at), kAllFeatures, insn) != Decoded::ok) return text + "undefined\n";
    text += "  " + disassemble(insn) + "\n";
    at += insn.length;
  }
  ir::Block block;
  ir::Builder builder;
  builder.start(&block, slot_table());
  translate_block(builder,
                  {.code = {.bytes = code.data(), .size = static_cast<u32>(code.size()), .pc = 0}, .max_insns = insns});
  u32 count = 0;
  const std::string lines = host.text(block, &count);
  return text + fmt::format("  {} guest, {} host instructions\n{}", insns, count, lines);
}

TEST(X86Golden, HostCodeOfTellingSequences) {
  golden::HostCode host({.slots = slot_table(),
                         .helpers = helper_table(),
                         .pinned = pinned_registers(),
                         .cpu_bytes = static_cast<u32>(sizeof(Processor))},
                        host::features_of_level("x86-64-v3").value());
  if (!host.available()) GTEST_SKIP() << "no executable memory";
  std::string text;
  for (const Sequence& sequence : kSequences) text += golden_of(host, sequence);
  const std::string path = PAGODA_TEST_DIR "/golden/x86_64/host_code.txt";
  if (std::getenv("PAGODA_BLESS") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str());
}

}  // namespace
}  // namespace pagoda::x86_64
