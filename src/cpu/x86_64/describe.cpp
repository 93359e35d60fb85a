// SPDX-License-Identifier: MIT
// describe: text and decode row of an instruction.
#include "cpu/x86_64/describe.h"

#include <fmt/format.h>

#include "cpu/x86_64/decode.h"
#include "cpu/x86_64/disassembler.h"
#include "cpu/x86_64/helpers.h"
#include "cpu/x86_64/processor.h"
#include "cpu/x86_64/translate.h"

namespace pagoda::x86_64 {
namespace {

// Of what is no instruction, the first byte stands for the rest.
u32 length_of(std::span<const u8> bytes) {
  Insn insn;
  switch (decode(bytes, kAllFeatures, insn)) {
    case Decoded::ok:
      return insn.length;
    case Decoded::truncated:
      return static_cast<u32>(bytes.size()) + 1;
    default:
      return 1;
  }
}

std::string lines(std::span<const u8> bytes, u64 at) {
  Insn insn;
  if (decode(bytes, kAllFeatures, insn) != Decoded::ok) {
    return fmt::format("+{:#x}: {:02x}\n  no row: undefined instruction\n", at, bytes[0]);
  }
  const Row& row = *insn.row;
  return fmt::format("+{:#x}: {:02x}  {}\n  row {} | {} | {} | {} | {}\n", at, fmt::join(bytes, ""), disassemble(insn),
                     row.name, row.opcode, row.operands, row.effect, feature_name(row.feature));
}

}  // namespace

const char* feature_name(Feature feature) {
  constexpr const char* kNames[] = {
#define FEATURE(name, cpuid, meaning) #name,
#include "cpu/x86_64/cpu_features.def"
#undef FEATURE
  };
  return kNames[static_cast<u32>(feature)];
}

DescribedGuest described_guest() {
  return {.least_bytes = 1,
          .instruction_length = length_of,
          .lines = lines,
          .slots = slot_table(),
          .helpers = helper_table(),
          .translate = translate_block,
          .lowered = {}};
}

}  // namespace pagoda::x86_64
