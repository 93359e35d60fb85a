// SPDX-License-Identifier: MIT
// From the hart's state to the mode key of translations and to the memory mode and context of the softmmu.
//
// Threading: the owning vcpu's thread, or whoever holds it parked.
#pragma once

#include "cpu/riscv64/hart.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

// How one memory mode accesses memory.
struct MemoryView {
  Mode privilege;
  bool sum, mxr;
};
MemoryView memory_view(MemoryMode mode);

// The memory mode of loads and stores (mstatus.MPRV counts), and of instruction fetches (it does not).
MemoryMode data_memory_mode(const Hart& hart);
MemoryMode fetch_memory_mode(const Hart& hart);
u32 mode_key(const Hart& hart);

// Softmmu context of an address space: 0 when satp says Bare. The root is not in it: entries of an ASID may outlive a
// change of its root until an SFENCE.VMA (Privileged ISA 12.2.1).
constexpr u64 context_of_asid(u64 asid) { return asid << 1 | 1; }
u64 context_key(const Hart& hart);

// Call after anything that mode_key() or data_memory_mode() reads has changed. Costs a few ns and flushes nothing.
void update_mode(Vcpu& vcpu, Hart& hart);
// Call after satp changed.
void update_context(Vcpu& vcpu, Hart& hart);

}  // namespace pagoda::riscv64
