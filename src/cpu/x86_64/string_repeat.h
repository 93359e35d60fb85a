// SPDX-License-Identifier: MIT
// Repeated string instructions: the helper repeat_string of helpers.def.
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64::helper {

u64 repeat_string(VcpuFrame* frame, u64 segment_base, u64, u64, u64 imm);

}  // namespace pagoda::x86_64::helper
