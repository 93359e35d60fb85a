// SPDX-License-Identifier: MIT
// Reads the text form of a block (printer.h).
//
// More lenient than what is printed: `#` starts a comment, blank lines and indentation are free, and values may have
// any numbers, as long as each is defined once and before its use (they are renumbered). It checks form and names only;
// what a block must keep is the verifier's.
#pragma once

#include <string_view>

#include "base/result.h"
#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

// Errors say "line L, column C: ...", both from 1.
Result<Block> parse(std::string_view text, SlotTable slots, HelperTable helpers);

}  // namespace pagoda::ir
