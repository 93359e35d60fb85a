// SPDX-License-Identifier: MIT
// Which host register holds what while compiled code runs.
//
//   rbp        the vcpu frame
//   r15        the instruction budget, the current block's instructions taken off
//   kPinned    guest registers, in the order of Layout::pinned
//   rax rcx rdx, xmm0..xmm3   scratch within one op
//   xmm4..xmm15               copies of floating-point values in the frame, until the block's end (FloatCopies)
#pragma once

#include <asmjit/x86.h>

#include "base/types.h"

namespace pagoda::light {

namespace x86 = asmjit::x86;

inline constexpr x86::Gp kFrame = x86::rbp;
inline constexpr x86::Gp kBudget = x86::r15;
inline constexpr x86::Gp kPinned[] = {x86::rbx, x86::rsi, x86::rdi, x86::r8,  x86::r9,
                                      x86::r10, x86::r11, x86::r12, x86::r13, x86::r14};
inline constexpr u32 kPinnedCount = sizeof(kPinned) / sizeof(kPinned[0]);

inline x86::Gp sized(x86::Gp reg, bool wide) { return wide ? x86::Gp(reg.r64()) : x86::Gp(reg.r32()); }

}  // namespace pagoda::light
