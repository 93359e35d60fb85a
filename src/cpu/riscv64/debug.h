// SPDX-License-Identifier: MIT
// A RISC-V hart as debuggers see it: registers and CSRs by the state tables, addresses without permissions.
#pragma once

#include "cpu/guest.h"

namespace pagoda::riscv64 {

const GuestDebug& guest_debug();

}  // namespace pagoda::riscv64
