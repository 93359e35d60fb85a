// SPDX-License-Identifier: MIT
// The RISC-V 64 guest as the shared vcpu code and the machines see it.
#pragma once

#include "cpu/guest.h"
#include "cpu/riscv64/extensions.h"
#include "devices/bus/state.h"

namespace pagoda {

const Guest& riscv64_guest();

namespace riscv64 {

// The Vcpu's `features` are the bits of Extensions. Says the rest of what a hart is; takes effect with the next reset.
// Without it hart id and reset pc are 0.
void configure_hart(Vcpu& vcpu, u64 hart_id, u64 reset_pc);

// Everything of a hart that the guest could notice: registers, CSRs, mode, counters. After restoring through it call
// hart_restored().
void visit_hart(Vcpu& vcpu, StateVisitor& visitor);
void hart_restored(Vcpu& vcpu);

}  // namespace riscv64
}  // namespace pagoda
