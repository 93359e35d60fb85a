// SPDX-License-Identifier: MIT
// String comparisons of SSE4.2: the helper `compare_strings` (helpers.def).
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64 {

// Such an instruction as the immediate of its helper.
struct StringCompareJob {
  static constexpr u8 kScratch = 16;
  u8 first, second;   // vector registers; the second may be Processor::scratch
  u8 control;         // the immediate byte
  bool with_lengths;  // in rax and rdx, else the strings end at a zero
  bool gives_index;   // in rcx, else a mask in xmm0
  bool clears_high;   // of ymm0
  constexpr u64 pack() const {
    return first | u64{second} << 8 | u64{control} << 16 | u64{with_lengths} << 24 | u64{gives_index} << 25 |
           u64{clears_high} << 26;
  }
  static constexpr StringCompareJob unpack(u64 bits) {
    return {static_cast<u8>(bits), static_cast<u8>(bits >> 8), static_cast<u8>(bits >> 16),
            (bits >> 24 & 1) != 0, (bits >> 25 & 1) != 0,      (bits >> 26 & 1) != 0};
  }
};

namespace helper {

// a, b = lengths, sign-extended.
u64 compare_strings(VcpuFrame* frame, u64 a, u64 b, u64, u64 imm);

}  // namespace helper

}  // namespace pagoda::x86_64
