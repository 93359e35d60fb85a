// SPDX-License-Identifier: MIT
// `pagoda describe riscv64 <hex bytes>`: what the front end makes of guest code.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cpu/riscv64/extensions.h"
#include "tcg/ir/block.h"

namespace pagoda::riscv64 {

struct DescribeOptions {
  u32 mode;  // ModeKey to translate for
  Extensions extensions;
  // Text of what a tier makes of the block; may be empty.
  std::function<std::string(const ir::Block&)> lowered;
};
// Supervisor mode with FS Dirty and every extension.
DescribeOptions default_describe_options();

// `hex` holds the bytes in memory order, two digits each; blanks are free. For each instruction a line with its text
// and one with its table row, then the IR of the one block they make (what follows its end is decoded only), then
// `lowered`. Errors: text that is not hexadecimal bytes, or no whole instruction in it.
Result<std::string> describe(std::string_view hex, const DescribeOptions& options);

}  // namespace pagoda::riscv64
