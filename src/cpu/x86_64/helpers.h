// SPDX-License-Identifier: MIT
// Numbers and table of the x86-64 helpers in helpers.def.
#pragma once

#include "tcg/abi/helper_table.h"
#include "tcg/ir/ops.h"

namespace pagoda::x86_64 {

#define HELPERS "cpu/x86_64/helpers.def"
#include "cpu/helper_ids.inc"
#undef HELPERS

// What a repeated string instruction does, as the immediate of its helper.
enum class StringOp : u8 { movs, stos, lods, cmps, scas };
struct StringJob {
  StringOp op = StringOp::movs;
  u8 size_log2 = 0;            // of an element
  bool short_address = false;  // esi, edi and ecx in place of rsi, rdi and rcx
  bool until_equal = false;    // cmps, scas: F2, go on while ZF is clear
  constexpr u64 pack() const {
    return static_cast<u64>(op) | u64{size_log2} << 4 | u64{short_address} << 8 | u64{until_equal} << 9;
  }
  static constexpr StringJob unpack(u64 bits) {
    return {static_cast<StringOp>(bits & 15), static_cast<u8>(bits >> 4 & 15), (bits >> 8 & 1) != 0,
            (bits >> 9 & 1) != 0};
  }
};

}  // namespace pagoda::x86_64
