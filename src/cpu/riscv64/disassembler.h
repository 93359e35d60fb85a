// SPDX-License-Identifier: MIT
// Text of instructions, from the operand formats of the decode tables.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace pagoda::riscv64 {

// One instruction in the assembler's notation without aliases, e.g. "addi a0, sp, 16" or "c.beqz a0, 0x80000042";
// `word` holds it in its low bytes, `pc` is its address. What is no instruction comes as ".word" or ".half".
std::string disassemble(u32 word, u64 pc);

// A line for each instruction of `code`, which starts at `pc`: address, bytes as a number, text. An instruction
// cut off at the end is left out.
std::string disassemble_block(std::span<const u8> code, u64 pc);

// Assembler names of x0..x31 and f0..f31.
const char* x_name(u32 reg);
const char* f_name(u32 reg);

}  // namespace pagoda::riscv64
