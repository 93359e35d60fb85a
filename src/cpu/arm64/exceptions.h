// SPDX-License-Identifier: MIT
// What translated code and memory raise, as VcpuFrame::fault_cause; fault_value is given for each.
#pragma once

#include "base/types.h"

namespace pagoda::arm64 {

enum class Cause : u64 {
  undefined,          // the instruction word
  supervisor_call,    // the immediate
  breakpoint,         // the immediate
  instruction_abort,  // the address
  data_abort,         // the address
  alignment,          // the address
};

}  // namespace pagoda::arm64
