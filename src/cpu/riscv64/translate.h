// SPDX-License-Identifier: MIT
// RISC-V translation entry points, for the Guest table (cpu/guest.h).
#pragma once

#include "cpu/guest.h"

namespace pagoda::riscv64 {

// Bytes of the instruction at `bytes`; 2 must be readable.
u32 instruction_length(const u8* bytes);

// Guest::translate. request.mode is a ModeKey, request.features the bits of Extensions.
void translate_block(ir::Builder& builder, const TranslateRequest& request);

}  // namespace pagoda::riscv64
