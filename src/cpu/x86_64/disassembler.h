// SPDX-License-Identifier: MIT
// Text of instructions, in the manual's order of operands. Pure; any thread.
#pragma once

#include <string>

#include "cpu/x86_64/decode.h"

namespace pagoda::x86_64 {

// One decoded instruction. Memory operands say their size; jump targets are offsets from the instruction's start.
std::string disassemble(const Insn& insn);

// The mnemonic, with the operand or address size where it is part of the name.
std::string mnemonic(const Insn& insn);

}  // namespace pagoda::x86_64
