// SPDX-License-Identifier: MIT
// Verifier: whether a block keeps the rules that every reader of IR relies on.
//
// Markers and counts
//   - the block is not empty, its first instruction is the marker of offset 0, each next marker's offset is the end of
//   the
//     one before; lengths are 1 to 15 bytes; Block::guest_insns and guest_bytes say the same
// Instructions
//   - the type field is in the op's set; fields that the op's row does not name are 0
//   - operands are there (only a call may leave some out), are defined earlier, are values, and have the column's type;
//     zext and sext widen, trunc narrows, bitcast keeps the width, f_to_f changes the precision
//   - aux, extra and imm are in range: constants fit their type, slots exist and have the instruction's type, helpers
//   exist
//   - memory accesses: an integer of up to 64 bits may be wider than the access, all else is as wide; atomics are as
//   wide
//     and at most 8 bytes
//   - a call's operands and result fit the helper's u64s
// Instruction atomicity
//   - within one guest instruction nothing is written to a slot (by put_slot or a helper that writes state) before an
//   op
//     that may fault, helpers included, unless the block says it is restartable
// End
//   - there is a terminal, its value is defined and typed (branch: i1, jump_indirect: i64), fields it does not use are
//   0
//   - after a helper that ends the block there are only pure ops and slot accesses, no marker, and the terminal is an
//   exit
//     or an indirect jump: the code that follows runs under another mode or mapping
#pragma once

#include <string>
#include <vector>

#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

// One line per violation found, all of them; empty if the block is sound.
std::vector<std::string> verify(const Block& block, SlotTable slots, HelperTable helpers);

// Our own bug if the block is not sound: a CHECK with the violations and the block's text.
void verify_or_die(const Block& block, SlotTable slots, HelperTable helpers);

// For the places that make or change blocks: compiled in by the build option verify_ir.
inline void verify_if_enabled([[maybe_unused]] const Block& block, [[maybe_unused]] SlotTable slots,
                              [[maybe_unused]] HelperTable helpers) {
#ifdef PAGODA_VERIFY_IR
  verify_or_die(block, slots, helpers);
#endif
}

}  // namespace pagoda::ir
