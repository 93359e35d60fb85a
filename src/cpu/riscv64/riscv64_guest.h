// SPDX-License-Identifier: MIT
// The RISC-V 64 guest as the shared vcpu code and the machines see it.
#pragma once

#include "cpu/guest.h"
#include "cpu/riscv64/extensions.h"
#include "devices/bus/state.h"

namespace pagoda {

const Guest& riscv64_guest();

namespace riscv64 {

// Says what a hart is, before its first reset. A hart that was never configured has id 0, the default extensions and
// starts at 0.
void configure_hart(Vcpu& vcpu, u64 hart_id, const Extensions& extensions, u64 reset_pc);

// Everything of a hart that the guest could notice: registers, CSRs, mode, counters. After restoring through it call
// hart_restored().
void visit_hart(Vcpu& vcpu, StateVisitor& visitor);
void hart_restored(Vcpu& vcpu);

}  // namespace riscv64
}  // namespace pagoda
