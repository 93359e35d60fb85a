// SPDX-License-Identifier: MIT
// Layout of the per-vcpu software TLB's first two levels, as generated code sees it.
//
// One table of each level per memory mode (privilege and permission overrides of the guest), so that a mode switch
// selects a table and never flushes. The first level is small, for the host's first-level cache; what misses there is
// looked for in the second level by a stub, which copies the entry. Both are direct-mapped by low bits of the page
// number, so a page that is not in its place in the second level is not in the first one either. An entry has one tag
// per kind of access and the addend that turns a guest virtual into a host address. A tag is the virtual page | the
// context's generation << 4; the low four bits of a valid tag are 0, so that one compare of (address & (page mask |
// size - 1)) + context tag also finds misaligned accesses, which take the slow path. Owned by one vcpu thread: others
// post requests, they never write here.
#pragma once

#include "base/types.h"

namespace pagoda {

inline constexpr u32 kTlbBits = 10;
inline constexpr u32 kTlbEntries = 1u << kTlbBits;
inline constexpr u32 kTlbPageBits = 12;
inline constexpr u64 kTlbPageMask = ~u64{0} << kTlbPageBits;
inline constexpr u32 kSecondTlbBits = 14;
inline constexpr u32 kSecondTlbEntries = 1u << kSecondTlbBits;
inline constexpr u64 kTlbInvalid = 0;        // no valid tag: contexts begin with generation 1
inline constexpr u32 kMemoryModes = 8;       // at most, per guest
inline constexpr u32 kTlbGenerations = 254;  // 1..254: eight bits above the low four
inline constexpr u64 kNoTlbTag = 255 << 4;   // a context tag that no entry has

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
struct SecondTlbTable {
  TlbEntry entries[kSecondTlbEntries];
};

// What one memory mode's accesses go through.
struct MemoryContext {
  TlbTable* table;
  u64 tag;  // generation << 4
  // Tag of global entries of the second level (pages that are the same in every address space, which outlive a flush of
  // one). In the first level they have the context's tag. kNoTlbTag where there are none.
  u64 global_tag;
};

inline u32 tlb_index(u64 address) { return static_cast<u32>(address >> kTlbPageBits) & (kTlbEntries - 1); }
inline u32 second_tlb_index(u64 address) { return static_cast<u32>(address >> kTlbPageBits) & (kSecondTlbEntries - 1); }
inline u64 tlb_tag(u64 address, u32 size, u64 context_tag) {
  return (address & (kTlbPageMask | (size - 1))) + context_tag;
}

}  // namespace pagoda
