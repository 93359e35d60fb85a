// SPDX-License-Identifier: MIT
// Slow paths of the case's memory: what the first level of the TLB does not have, with the faults of x86-64.
#pragma once

#include "tcg/abi/vcpu_frame.h"

namespace pagoda::x86_64 {

// VcpuFrame::vcpu is the host address of the case's data.
const MemorySlowPaths& case_memory_paths();

}  // namespace pagoda::x86_64
