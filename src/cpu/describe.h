// SPDX-License-Identifier: MIT
// `pagoda describe GUEST HEX`: what a guest's front end makes of guest code. The part that all guests share.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cpu/guest.h"

namespace pagoda {

// A front end to ask.
struct DescribedGuest {
  u32 least_bytes;  // of an instruction: as many must be there to ask for its length
  // Of the instruction at the start of the bytes; more than there are if it is cut off.
  u32 (*instruction_length)(std::span<const u8> bytes);
  // Lines for one instruction, `at` bytes from the start: its text and its table row, or that it has none.
  std::function<std::string(std::span<const u8> bytes, u64 at)> lines;
  ir::SlotTable slots;
  HelperTable helpers;
  void (*translate)(ir::Builder& builder, const TranslateRequest& request);
  u32 mode = 0;  // mode key to translate for
  u64 features = ~u64{0};
  // Text of what a tier makes of the block; may be empty.
  std::function<std::string(const ir::Block&)> lowered;
};

// `hex` holds the bytes in memory order, two digits each; blanks are free. For each instruction its lines, then the IR
// of the one block they make (what follows its end is decoded only), then `lowered`. Errors: text that is not
// hexadecimal bytes, or no whole instruction in it.
Result<std::string> describe_code(std::string_view hex, const DescribedGuest& guest);

}  // namespace pagoda
