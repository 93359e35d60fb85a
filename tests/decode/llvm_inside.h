// SPDX-License-Identifier: MIT
// LLVM's disassembler as a library, for more words than a pipe to llvm-mc carries. Where LLVM 19 can be linked.
#pragma once

#include <memory>
#include <string>

#include "base/types.h"

namespace pagoda {

class LlvmDisassembler {
 public:
  // Of instructions of 32 bits. Architecture and features as llvm-mc's --triple and --mattr have them.
  LlvmDisassembler(const std::string& triple, const std::string& features);
  ~LlvmDisassembler();
  LlvmDisassembler(const LlvmDisassembler&) = delete;
  LlvmDisassembler& operator=(const LlvmDisassembler&) = delete;

  // The text without leading blanks and without aliases, good until the next call; empty: no instruction.
  const std::string& text(u32 word);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace pagoda
