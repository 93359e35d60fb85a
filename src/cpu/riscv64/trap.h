// SPDX-License-Identifier: MIT
// Traps: pending interrupts, entry into handlers, return from them (Privileged ISA 3.1.6-3.1.9, 3.3.2, 10.1).
//
// Threading: the owning vcpu's thread; pending() also with the vcpu held parked.
#pragma once

#include "cpu/riscv64/hart.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

// mip from the pins' point of view: STIP of stimecmp may lag behind by the latency of the host's timer.
u64 pending(const Hart& hart);
// mip as the guest reads it: stimecmp is compared now.
u64 pending_exact(Vcpu& vcpu, const Hart& hart);

// Number of the interrupt that is to be taken now, or -1.
int interrupt_to_take(const Hart& hart);
// Call when enables or pending bits of a running vcpu changed: it leaves translated code if one is to be taken.
void poll_interrupts(Hart& hart);

// Default priorities, the most urgent first (Privileged ISA 3.1.9).
inline constexpr u32 kInterruptOrder[] = {irq::kMei, irq::kMsi, irq::kMti,  irq::kSei,
                                          irq::kSsi, irq::kSti, irq::kLcofi};

// Records a guest exception for the current instruction.
inline void raise_exception(VcpuFrame& frame, u64 cause, u64 value) {
  frame.fault = 1;
  frame.fault_cause = cause;
  frame.fault_value = value;
}

// The guest.h contract.
void take_exception(Vcpu& vcpu);
bool take_interrupt(Vcpu& vcpu);
bool should_wake(const Vcpu& vcpu);

// MRET and SRET after their checks: switch to the previous mode, return the pc to go on at.
u64 return_from_machine(Vcpu& vcpu, Hart& hart);
u64 return_from_supervisor(Vcpu& vcpu, Hart& hart);

}  // namespace pagoda::riscv64
