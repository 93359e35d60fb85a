// SPDX-License-Identifier: MIT
// The machine files: each builds one machine of machines.def.
#pragma once

#include "base/result.h"

namespace pagoda {

class Machine;

Result<> build_riscv64_virt(Machine& machine);
Result<> build_riscv64_spike(Machine& machine);

}  // namespace pagoda
