// SPDX-License-Identifier: MIT
// A small made-up guest for IR tests: slots of every type, helpers of every kind.
#pragma once

#include <iterator>

#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

inline constexpr SlotInfo kTestSlotList[] = {{"base", Type::i64, 0}, {"a0", Type::i64, 8},    {"a1", Type::i64, 16},
                                             {"w0", Type::i32, 24},  {"h0", Type::i16, 28},   {"b0", Type::i8, 30},
                                             {"t", Type::i1, 31},    {"q0", Type::i128, 32},  {"f0", Type::f64, 48},
                                             {"s0", Type::f32, 56},  {"cc", Type::flags, 60}, {"v0", Type::v128, 64},
                                             {"y0", Type::v256, 96}};
inline constexpr SlotTable kTestSlots{kTestSlotList, std::size(kTestSlotList)};

inline u64 test_helper(VcpuFrame*, u64 a, u64 b, u64 c, u64 imm) { return a + b + c + imm; }
inline constexpr HelperInfo kTestHelperList[] = {{"sum", test_helper, 0},
                                                 {"probe", test_helper, kReadMem | kMayFault},
                                                 {"scramble", test_helper, kReadState | kWriteState},
                                                 {"enter", test_helper, kMayFault | kWriteState | kEndsBlock},
                                                 {"switch_mode", test_helper, kEndsBlock}};
inline constexpr HelperTable kTestHelpers{kTestHelperList, std::size(kTestHelperList)};

}  // namespace pagoda::ir
