// SPDX-License-Identifier: MIT
// Address translation: Sv39, Sv48, Sv57 page walks with PMP (Privileged ISA 10.3-10.6, 3.7).
//
// Threading: the owning vcpu's thread, or whoever holds it parked.
#pragma once

#include "cpu/guest.h"
#include "cpu/riscv64/hart.h"

namespace pagoda {
class GuestMemory;
}

namespace pagoda::riscv64 {

// Translates one address for one kind of access. Sets accessed and dirty bits where menvcfg.ADUE says so.
Translation translate_address(const Hart& hart, GuestMemory& memory, GuestVirt address, AccessKind kind,
                              MemoryMode mode);

// The guest.h contract.
Translation walk(Vcpu& vcpu, GuestVirt address, AccessKind kind, u32 memory_mode);
u64 access_fault(AccessKind kind);
u64 page_fault(AccessKind kind);
u64 misaligned_fault(AccessKind kind);

}  // namespace pagoda::riscv64
