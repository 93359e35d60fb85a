// SPDX-License-Identifier: MIT
// What `pagoda describe x86_64` asks (cpu/describe.h).
#pragma once

#include "cpu/describe.h"

namespace pagoda::x86_64 {

// Every feature on.
DescribedGuest described_guest();

}  // namespace pagoda::x86_64
