// SPDX-License-Identifier: MIT
// Zydis as the oracle of the x86-64 decoder: one instruction as length and text, in the words of our disassembler.
#pragma once

#include <span>
#include <string>

#include "base/types.h"

namespace pagoda::x86_64 {

struct OracleDecode {
  enum class Status : u8 { ok, undefined, truncated, too_long } status = Status::undefined;
  u32 length = 0;
  bool is_other_encoding = false;  // EVEX and the like: no rows
  bool is_coprocessor = false;     // what only Knights Corner had
  std::string mnemonic;            // without prefixes
  std::string text;
};

OracleDecode zydis_decode(std::span<const u8> bytes);

}  // namespace pagoda::x86_64
