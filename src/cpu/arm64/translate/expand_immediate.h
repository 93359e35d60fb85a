// SPDX-License-Identifier: MIT
// Immediates of floating-point and vector instructions (Arm ARM VFPExpandImm, AdvSIMDExpandImm). Pure functions.
#pragma once

#include "cpu/arm64/decode.h"

namespace pagoda::arm64::translate {

// precision: 0 single, 1 double, 3 half.
u64 expanded_immediate(u32 imm8, u32 precision);
// Of the modified immediate group, before MVNI and BIC invert it.
u64 expanded_vector_immediate(const Insn& i);

}  // namespace pagoda::arm64::translate
