// SPDX-License-Identifier: MIT
// What `pagoda describe riscv64` asks (cpu/describe.h).
#pragma once

#include "cpu/describe.h"

namespace pagoda::riscv64 {

// Supervisor mode with FS Dirty and every extension.
DescribedGuest described_guest();

}  // namespace pagoda::riscv64
