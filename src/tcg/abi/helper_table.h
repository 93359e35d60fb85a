// SPDX-License-Identifier: MIT
// Helpers: C++ functions that translated code calls, numbered by a guest's helpers.def.
#pragma once

#include "base/types.h"
#include "tcg/abi/vcpu_frame.h"

namespace pagoda {

struct HelperInfo {
  const char* name;
  HelperFn function;
  u16 effects;  // ir::Effect bits; a helper that may fault sets VcpuFrame::fault and returns 0
};

struct HelperTable {
  const HelperInfo* helpers = nullptr;
  u32 count = 0;
};

}  // namespace pagoda
