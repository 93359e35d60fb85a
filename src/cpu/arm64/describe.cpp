// SPDX-License-Identifier: MIT
// describe: text and decode row of an instruction.
#include "cpu/arm64/describe.h"

#include <cstring>

#include <fmt/format.h>

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/decode.h"
#include "cpu/arm64/disassembler.h"
#include "cpu/arm64/helpers.h"
#include "cpu/arm64/translate.h"

namespace pagoda::arm64 {
namespace {

std::string lines(std::span<const u8> bytes, u64 at) {
  u32 word;
  std::memcpy(&word, bytes.data(), kInsnBytes);
  const std::string text = fmt::format("+{:#x}: {:08x}  {}\n", at, word, disassemble(word, at));
  Insn insn;
  if (!decode(word, kAllFeatures, insn)) return text + "  no row: undefined instruction\n";
  return text + fmt::format("  row {} | {} | {}\n", insn.row->name, insn.row->pattern, feature_name(insn.row->needs));
}

}  // namespace

DescribedGuest described_guest() {
  return {.least_bytes = kInsnBytes,
          .instruction_length = [](std::span<const u8> bytes) { return instruction_length(bytes.data()); },
          .lines = lines,
          .slots = slot_table(),
          .helpers = helper_table(),
          .translate = translate_block,
          .lowered = {}};
}

}  // namespace pagoda::arm64
