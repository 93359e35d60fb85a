// SPDX-License-Identifier: MIT
// The floating-point and vector helpers of helpers.def, as functions for its table.
#pragma once

#include "cpu/arm64/helpers.h"

namespace pagoda::arm64::helper {

#define HELPER(name, effects, meaning) u64 name(VcpuFrame* frame, u64 a, u64 b, u64 c, u64 imm);
#include "cpu/arm64/helpers_fp.def"
#undef HELPER

}  // namespace pagoda::arm64::helper
