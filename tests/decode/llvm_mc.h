// SPDX-License-Identifier: MIT
// LLVM's disassembler as an independent reader of instruction words, where llvm-mc is installed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace pagoda {

// Name of the installed program, or empty.
std::string llvm_mc();

// Words to disassemble at once: bytes of each and their number (2 or 4).
struct OracleWord {
  u32 word;
  u32 bytes;
};
// The text of each word, without leading blanks; empty for what LLVM does not take for an instruction. `arguments`:
// architecture and features. An empty answer: llvm-mc did not do its work.
std::vector<std::string> llvm_disassemble(const std::string& arguments, std::span<const OracleWord> words);

// Words that a test asks for: PAGODA_ORACLE_WORDS, or `otherwise`.
u64 oracle_words(u64 otherwise);

}  // namespace pagoda
