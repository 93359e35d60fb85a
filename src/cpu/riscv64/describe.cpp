// SPDX-License-Identifier: MIT
// describe: text and decode row of an instruction, and the mode to translate for.
#include "cpu/riscv64/describe.h"

#include <cstring>

#include <fmt/format.h>

#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/disassembler.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/helpers.h"
#include "cpu/riscv64/translate.h"

namespace pagoda::riscv64 {
namespace {

std::string lines(std::span<const u8> bytes, u64 at) {
  u32 word = 0;
  std::memcpy(&word, bytes.data(), bytes.size());
  const std::string text = fmt::format("+{:#x}: {:0{}x}  {}\n", at, word, bytes.size() * 2, disassemble(word, at));
  Insn insn;
  if (!decode(word, kAllExtensions, insn)) return text + "  no row: illegal instruction\n";
  return text +
         fmt::format("  row {} | {} | {}\n", insn.row->name, insn.row->pattern, extension_name(insn.row->needs.first));
}

}  // namespace

DescribedGuest described_guest() {
  return {.least_bytes = 2,
          .instruction_length = [](std::span<const u8> bytes) { return instruction_length(bytes.data()); },
          .lines = lines,
          .slots = slot_table(),
          .helpers = helper_table(),
          .translate = translate_block,
          .mode = static_cast<u32>(Mode::supervisor) | ModeKey::kFpOn | ModeKey::kFpDirty |
                  static_cast<u32>(MemoryMode::supervisor) << ModeKey::kMemoryShift,
          .features = kAllExtensions.bits,
          .lowered = {}};
}

}  // namespace pagoda::riscv64
