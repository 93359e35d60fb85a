// SPDX-License-Identifier: MIT
// Numbers and table of the ARM64 helpers in helpers.def.
#pragma once

#include "tcg/abi/helper_table.h"
#include "tcg/ir/ops.h"

namespace pagoda::arm64 {

#define HELPERS "cpu/arm64/helpers.def"
#include "cpu/helper_ids.inc"
#undef HELPERS

}  // namespace pagoda::arm64
