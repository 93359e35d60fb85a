// SPDX-License-Identifier: MIT
// "pagoda describe": instruction bytes through decoder, translator and tier 0.
#include "machines/describe.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <vector>

#include "base/result.h"
#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/riscv64_guest.h"
#include "tcg/interp/interp.h"
#include "tcg/ir/builder.h"

namespace pagoda {
namespace {

Result<std::vector<u8>> parse_hex(std::span<const std::string> words) {
  std::vector<u8> bytes;
  for (std::string word : words) {
    if (word.starts_with("0x")) word.erase(0, 2);
    if (word.size() % 2 != 0) return fail("describe: '{}' has an odd number of digits (bytes in memory order)", word);
    for (std::size_t i = 0; i < word.size(); i += 2) {
      if (!std::isxdigit(static_cast<unsigned char>(word[i])) || !std::isxdigit(static_cast<unsigned char>(word[i + 1]))) {
        return fail("describe: '{}' is not hexadecimal", word);
      }
      bytes.push_back(static_cast<u8>(std::stoul(word.substr(i, 2), nullptr, 16)));
    }
  }
  if (bytes.empty()) return fail("describe: the bytes of an instruction are missing");
  return bytes;
}

void print_rows(std::span<const u8> bytes) {
  for (std::size_t at = 0; at + 2 <= bytes.size();) {
    u32 word = bytes[at] | u32{bytes[at + 1]} << 8;
    const u32 length = riscv64::instruction_bytes(word);
    if (at + length > bytes.size()) {
      fmt::print("{:4}: cut off\n", at);
      return;
    }
    if (length == 4) word |= u32{bytes[at + 2]} << 16 | u32{bytes[at + 3]} << 24;
    riscv64::Insn insn{};
    const bool known = riscv64::decode(word, riscv64::kAllExtensions, insn);
    fmt::print("{:4}: {:0{}x}  {:<32}{}\n", at, word, length * 2, riscv64::disassemble(word, at),
               known ? fmt::format("{}  {}", insn.row->name, insn.row->pattern) : "no row");
    at += length;
  }
}

}  // namespace

int describe(std::span<const std::string> arguments) {
  const auto complain = [](const Error& error) {
    fmt::print(stderr, "pagoda: {}\n", error.message);
    return 1;
  };
  if (arguments.empty()) return complain(Error{"describe: it wants a guest and bytes: describe riscv64 13050500"});
  if (arguments[0] != "riscv64") return complain(Error{fmt::format("describe: unknown guest '{}'", arguments[0])});
  auto bytes = parse_hex(arguments.subspan(1));
  if (!bytes) return complain(bytes.error());
  const Guest& guest = riscv64_guest();
  fmt::print("Instructions\n");
  print_rows(*bytes);

  // As supervisor code with floating point on: nothing is hidden behind an illegal-instruction exception.
  const u32 mode = 1u | riscv64::ModeKey::kFpOn | riscv64::ModeKey::kFpDirty;
  const u32 size = static_cast<u32>(bytes->size());
  bytes->resize(size + 16);  // the decoder may look at a whole instruction
  ir::Builder builder;
  ir::Block block;
  builder.start(&block, guest.slots, true);
  guest.translate(builder, {.code = {bytes->data(), size, 0}, .mode = mode, .max_insns = size});
  interp::Lowering lowering(guest.slots, guest.helpers, interp::kAllFusions);
  Unit* unit = lowering.lower(block);
  fmt::print("Tier 0\n{}", interp::print_code(*unit, guest.slots));
  interp::free_unit(unit);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace pagoda
