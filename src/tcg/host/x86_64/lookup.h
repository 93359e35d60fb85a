// SPDX-License-Identifier: MIT
// How code of tiers 1 and 2 finds where control goes on, before it asks C++: pages of code in the first-level TLB,
// entries of the jump cache. All use rax, rcx and rdx, and kFrame.
#pragma once

#include <bit>

#include "tcg/host/x86_64/light/registers.h"
#include "tcg/light/light.h"

namespace pagoda::light {

// rax = a page: leaves its place in the first-level table in rcx and its tag in rax, and compares; "equal" if the page
// may be executed.
inline void compare_exec_tag(x86::Assembler& a, const Layout& layout, u32 memory_mode) {
  constexpr u32 shift = kTlbPageBits - std::countr_zero(sizeof(TlbEntry));
  const i32 table = static_cast<i32>(layout.tlb_offset[memory_mode]);
  const std::size_t context = offsetof(VcpuFrame, contexts) + memory_mode * sizeof(MemoryContext);
  a.mov(x86::ecx, x86::eax);
  a.shr(x86::ecx, shift);
  a.and_(x86::ecx, (kTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
  a.add(x86::rax, x86::ptr(kFrame, static_cast<i32>(context + offsetof(MemoryContext, tag)), 8));
  a.cmp(x86::rax, x86::ptr(kFrame, x86::rcx, 0, table + static_cast<i32>(offsetof(TlbEntry, exec_tag)), 8));
}

// With the place in rcx: rax = host address of the page at pc_page + bytes.
inline void load_host_page(x86::Assembler& a, const Layout& layout, u32 memory_mode, i32 bytes = 0) {
  const i32 table = static_cast<i32>(layout.tlb_offset[memory_mode]);
  a.mov(x86::rax, x86::ptr(kFrame, static_cast<i32>(offsetof(VcpuFrame, pc_page)), 8));
  if (bytes != 0) a.add(x86::rax, bytes);
  a.add(x86::rax, x86::ptr(kFrame, x86::rcx, 0, table + static_cast<i32>(offsetof(TlbEntry, addend)), 8));
}

// rax = a pc: its entry of the jump cache in rcx, the frame's key in rdx.
inline void find_jump_cache_entry(x86::Assembler& a) {
  static_assert(sizeof(JumpCacheEntry) == 32 && offsetof(VcpuFrame, code_epoch) == offsetof(VcpuFrame, mode) + 4);
  // The index times 32.
  a.mov(x86::ecx, x86::eax);
  a.shl(x86::ecx, 4);
  a.mov(x86::edx, x86::eax);
  a.shr(x86::edx, 8);
  a.xor_(x86::ecx, x86::edx);
  a.and_(x86::ecx, (kJumpCacheEntries - 1) * 32);
  a.add(x86::rcx, x86::ptr(kFrame, static_cast<i32>(offsetof(VcpuFrame, jump_cache)), 8));
  a.mov(x86::rdx, x86::ptr(kFrame, static_cast<i32>(offsetof(VcpuFrame, mode)), 8));
}

}  // namespace pagoda::light
