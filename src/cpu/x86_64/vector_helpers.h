// SPDX-License-Identifier: MIT
// The vector helpers of helpers.def; as string_repeat.h.
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64 {

namespace helper {

u64 read_mxcsr(VcpuFrame* frame, u64, u64, u64, u64);
u64 write_mxcsr(VcpuFrame* frame, u64 a, u64, u64, u64);
u64 mask_load(VcpuFrame* frame, u64 a, u64, u64, u64 imm);
u64 mask_store(VcpuFrame* frame, u64 a, u64, u64, u64 imm);

}  // namespace helper

}  // namespace pagoda::x86_64
