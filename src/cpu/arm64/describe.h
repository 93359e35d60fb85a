// SPDX-License-Identifier: MIT
// What `pagoda describe arm64` asks (cpu/describe.h).
#pragma once

#include "cpu/describe.h"

namespace pagoda::arm64 {

// Every feature on.
DescribedGuest described_guest();

}  // namespace pagoda::arm64
