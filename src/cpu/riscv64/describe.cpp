// SPDX-License-Identifier: MIT
// describe: decode rows, IR and the lowered form of a few bytes of guest code.
#include "cpu/riscv64/describe.h"

#include <cctype>
#include <cstring>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/translate.h"
#include "tcg/ir/builder.h"
#include "tcg/ir/printer.h"

namespace pagoda::riscv64 {
namespace {

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Result<std::vector<u8>> parse_bytes(std::string_view hex) {
  std::vector<u8> bytes;
  int high = -1;
  for (const char c : hex) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    const int value = digit(c);
    if (value < 0) return fail("describe: '{}' is not a hexadecimal digit", c);
    if (high < 0) {
      high = value;
    } else {
      bytes.push_back(static_cast<u8>(high << 4 | value));
      high = -1;
    }
  }
  if (high >= 0) return fail("describe: an odd number of hexadecimal digits");
  return bytes;
}

}  // namespace

DescribeOptions default_describe_options() {
  return {.mode = static_cast<u32>(Mode::supervisor) | ModeKey::kFpOn | ModeKey::kFpDirty |
                  static_cast<u32>(MemoryMode::supervisor) << ModeKey::kMemoryShift,
          .extensions = kAllExtensions,
          .lowered = {}};
}

Result<std::string> describe(std::string_view hex, const DescribeOptions& options) {
  TRY_ASSIGN(const std::vector<u8> bytes, parse_bytes(hex));
  if (bytes.size() < 2 || bytes.size() < instruction_length(bytes.data())) {
    return fail("describe: no whole instruction in {} bytes", bytes.size());
  }

  std::string text;
  const auto out = std::back_inserter(text);
  std::size_t at = 0;
  u32 count = 0;
  while (at + 2 <= bytes.size()) {
    const u32 length = instruction_length(&bytes[at]);
    if (at + length > bytes.size()) break;
    u32 word = 0;
    std::memcpy(&word, &bytes[at], length);
    fmt::format_to(out, "+{:#x}: {:0{}x}  {}\n", at, word, length * 2, disassemble(word, at));
    Insn insn;
    if (decode(word, options.extensions, insn)) {
      fmt::format_to(out, "  row {} | {} | {}\n", insn.row->name, insn.row->pattern,
                     extension_name(insn.row->needs.first));
    } else {
      text += "  no row: illegal instruction\n";
    }
    at += length;
    ++count;
  }
  if (at < bytes.size())
    fmt::format_to(out, "+{:#x}: {} bytes of an instruction that is cut off\n", at, bytes.size() - at);

  ir::Block block;
  ir::Builder builder;
  builder.start(&block, slot_table());
  translate_block(builder, {.code = {.bytes = bytes.data(), .size = static_cast<u32>(bytes.size()), .pc = 0},
                            .mode = options.mode,
                            .max_insns = count,
                            .features = options.extensions.bits});
  text += "ir:\n" + ir::print(block, slot_table(), helper_table());
  if (options.lowered) text += "code:\n" + options.lowered(block);
  return text;
}

}  // namespace pagoda::riscv64
