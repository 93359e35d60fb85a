// SPDX-License-Identifier: MIT
// Repeated string instructions as a helper.
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64 {

// The helper `repeat_string` (helpers.def).
u64 repeat_string(VcpuFrame* frame, u64 segment_base, u64, u64, u64 imm);

}  // namespace pagoda::x86_64
