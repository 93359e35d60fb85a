// SPDX-License-Identifier: MIT
// Control and status registers (Privileged ISA chapters 2, 3, 10): table, checked access, listing.
#pragma once

#include "base/types.h"

namespace pagoda::riscv64 {

enum class CsrOp : u32 { write = 1, set = 2, clear = 3 };

// Whether a CSR instruction must end its block (helper csr_access) or may stand inside one (csr_plain): it must when it
// may change the mode key, the mapping, or enable a pending interrupt. `source_bits` is what the source operand may hold:
// the immediate of csrr?i, ~0 for a register.
bool csr_ends_block(u32 number, CsrOp op, bool writes, u64 source_bits);

}  // namespace pagoda::riscv64
