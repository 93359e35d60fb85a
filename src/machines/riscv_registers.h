// SPDX-License-Identifier: MIT
// The registers of a RISC-V hart as text, for "info registers".
#pragma once

#include <string>

#include "cpu/vcpu.h"

namespace pagoda {

// pc, integer registers, CSRs, floating-point registers; four in a line. The vcpu is held parked or paused.
std::string riscv_registers(Vcpu& vcpu);

}  // namespace pagoda
