// SPDX-License-Identifier: MIT
// Disassembler: the tables' texts, cut into pieces once.
#include "cpu/arm64/disassembler.h"

#include <cstring>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "cpu/arm64/decode.h"
#include "cpu/arm64/operands.h"

namespace pagoda::arm64 {
namespace {

// An operand, or text that stands for itself.
struct Piece {
  AppendOperand append;
  std::string_view literal;
};
using Text = std::vector<Piece>;

Text cut(std::string_view text) {
  Text pieces;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    if (open != 0) pieces.push_back({nullptr, text.substr(0, open)});
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    CHECK(close != std::string_view::npos, "operand text '{}'", text);
    const std::string_view name = text.substr(open + 1, close - open - 1);
    pieces.push_back({find_operand(name), {}});
    CHECK(pieces.back().append != nullptr, "no operand is called '{}'", name);
    text.remove_prefix(close + 1);
  }
  return pieces;
}

const Text& text_of(const InsnRow& row) {
  static const std::vector<Text> texts = [] {
    std::vector<Text> all;
    for (const InsnRow& each : insn_rows()) all.push_back(cut(each.text));
    return all;
  }();
  return texts[static_cast<std::size_t>(&row - insn_rows().data())];
}

}  // namespace

std::string disassemble(u32 word, u64 pc) {
  Insn insn;
  if (!decode(word, kAllFeatures, insn)) return fmt::format(".inst {:#010x}", word);
  std::string text;
  for (const Piece& piece : text_of(*insn.row)) {
    if (piece.append != nullptr) {
      piece.append(text, insn, pc);
    } else {
      text += piece.literal;
    }
  }
  return text;
}

std::string disassemble_block(std::span<const u8> code, u64 pc) {
  std::string text;
  for (std::size_t at = 0; at + kInsnBytes <= code.size(); at += kInsnBytes) {
    u32 word;
    std::memcpy(&word, &code[at], kInsnBytes);
    fmt::format_to(std::back_inserter(text), "{:#018x}: {:08x}  {}\n", pc + at, word, disassemble(word, pc + at));
  }
  return text;
}

}  // namespace pagoda::arm64
