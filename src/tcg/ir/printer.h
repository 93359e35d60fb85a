// SPDX-License-Identifier: MIT
// Text form of a block; parser.h reads it back. print(parse(text)) is the text again.
//
//   restartable                                    only if the block is
//   insn +4 len 2                                  marker: offset and length
//     v3 = add.i64 v1, v2                          value = op.type operands; op names without a trailing underscore
//     v4 = constant.i64 0x10
//     v5 = load.i64 v4 [size=4,sign,acquire]       [] holds what aux and extra say, by the op's row
//     put_slot.i64 a0, v3                          slots and helpers by name, before the operands
//     v6 = call.i64 csr_plain, v3, _, v4 [imm=0x1] _ is an operand left out
//     branch v5, +8, +4                            terminals: jump +8 | jump +8 call return +4 | jump +8 ret |
//                                                  branch v5, +8, +4 | jump_indirect v3 ret | exit lookup +4
//
// A value's number is its instruction's index. Unsound blocks print too (unknown slots and helpers as ?number).
#pragma once

#include <string>

#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

// One instruction a line, each ended by a newline.
std::string print(const Block& block, SlotTable slots, HelperTable helpers);
// The line of one instruction, without indentation and newline.
std::string print_inst(const Block& block, ValueId id, SlotTable slots, HelperTable helpers);
std::string print_terminal(const Terminal& terminal);

// What aux, extra and imm of an instruction say, in brackets; empty if its op has none. Behind the operands, imm of a
// constant or a pc: empty for all others.
std::string payload_text(const Inst& inst);
std::string item_after(const Inst& inst);

// The op's name in text: as in the table, without a trailing underscore.
const char* op_text(Op op);

// Names of small enumerations in text, in the order of their values (types.h, block.h).
inline constexpr const char* kRoundNames[] = {"mode", "nearest_even", "to_zero", "down", "up", "nearest_away"};
inline constexpr const char* kOrderNames[] = {"plain", "tso", "acquire", "release", "acq_rel", "seq_cst"};
inline constexpr const char* kRmwNames[] = {"swap", "add", "and", "or", "xor", "min_s", "max_s", "min_u", "max_u"};
inline constexpr const char* kFpCompareNames[] = {"eq_quiet",  "lt_quiet",  "le_quiet",
                                                  "eq_signal", "lt_signal", "le_signal"};
inline constexpr const char* kSignNames[] = {"signed", "unsigned"};
inline constexpr const char* kExitNames[] = {"lookup", "exception", "wait"};
inline constexpr char kFlagLetters[] = "cvp?a?zn";  // by bit

}  // namespace pagoda::ir
