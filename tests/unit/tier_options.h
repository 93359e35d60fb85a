// SPDX-License-Identifier: MIT
// The tier that a bench's code runs on: tests of cpu/ run on tier 0, and again with PAGODA_TEST_TIER=1 on tier 1.
#pragma once

#include <cstdlib>

#include "cpu/code_manager.h"

namespace pagoda {

inline CodeOptions tier_options() {
  const char* tier = std::getenv("PAGODA_TEST_TIER");
  const u32 wanted = tier != nullptr && *tier == '1' ? 1 : 0;
  return {.max_tier = wanted, .min_tier = wanted};
}

}  // namespace pagoda
