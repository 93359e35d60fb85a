// SPDX-License-Identifier: MIT
// Layout of the per-vcpu software TLB's first level, as generated code sees it.
//
// One table per memory mode (privilege and permission overrides of the guest), so that a mode switch selects a table
// and never flushes. An entry has one tag per kind of access and the addend that turns a guest virtual into a host
// address. A tag is the virtual page | the context's generation << 4; the low four bits of a valid tag are 0, so that
// one compare of (address & (page mask | size - 1)) + context tag also finds misaligned accesses, which take the slow
// path. Owned by one vcpu thread: others post requests, they never write here.
#pragma once

#include "base/types.h"

namespace pagoda {

inline constexpr u32 kTlbBits = 10;
inline constexpr u32 kTlbEntries = 1u << kTlbBits;
inline constexpr u32 kTlbPageBits = 12;
inline constexpr u64 kTlbPageMask = ~u64{0} << kTlbPageBits;
inline constexpr u64 kTlbInvalid = ~u64{0};
inline constexpr u32 kMemoryModes = 8;       // at most, per guest
inline constexpr u32 kTlbGenerations = 255;  // 1..255: eight bits above the low four

struct TlbEntry {
  u64 read_tag;
  u64 write_tag;
  u64 exec_tag;
  u64 addend;  // host address = guest virtual address + addend, for RAM only
};
static_assert(sizeof(TlbEntry) == 32);

struct TlbTable {
  TlbEntry entries[kTlbEntries];
};

// What one memory mode's accesses go through.
struct MemoryContext {
  TlbTable* table;
  u64 tag;  // generation << 4
};

inline u32 tlb_index(u64 address) { return static_cast<u32>(address >> kTlbPageBits) & (kTlbEntries - 1); }
inline u64 tlb_tag(u64 address, u32 size, u64 context_tag) {
  return (address & (kTlbPageMask | (size - 1))) + context_tag;
}

}  // namespace pagoda
