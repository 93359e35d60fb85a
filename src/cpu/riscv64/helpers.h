// SPDX-License-Identifier: MIT
// Numbers and table of the RISC-V helpers in helpers.def.
#pragma once

#include "tcg/abi/helper_table.h"
#include "tcg/ir/ops.h"

namespace pagoda::riscv64 {

#define HELPERS "cpu/riscv64/helpers.def"
#include "cpu/helper_ids.inc"
#undef HELPERS

}  // namespace pagoda::riscv64
