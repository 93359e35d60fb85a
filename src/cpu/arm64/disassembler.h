// SPDX-License-Identifier: MIT
// Text of instructions in the Arm ARM's syntax, without aliases: each word reads as the instruction that it encodes.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace pagoda::arm64 {

// One instruction, e.g. "add x0, x1, x2, lsl #3"; `pc` is its address. What is no instruction comes as ".inst".
std::string disassemble(u32 word, u64 pc);

// A line for each instruction of `code`, which starts at `pc`: address, word, text. One cut off at the end is left out.
std::string disassemble_block(std::span<const u8> code, u64 pc);

}  // namespace pagoda::arm64
