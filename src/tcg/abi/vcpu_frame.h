// SPDX-License-Identifier: MIT
// VcpuFrame: the head of a vcpu's state block, the one pointer that translated code works on.
//
// The guest's own state (cpu/<guest>/state.def) follows the head in the same object, within 32 KiB; translated code
// reaches everything by offset. Owned by the vcpu's thread; only `poll` is written by others.
#pragma once

#include <atomic>

#include "base/types.h"
#include "tcg/abi/tlb.h"

namespace pagoda {

struct VcpuFrame;
struct Unit;
struct Link;

// Slow paths of memory accesses, in C++ (cpu/softmmu). `op` is ir::MemOp::pack(). On a fault they record the guest
// exception, set VcpuFrame::fault and return 0. They run under the guest's floating-point mode and use no floating
// point.
struct MemorySlowPaths {
  u64 (*load)(VcpuFrame*, u64 address, u32 op);  // zero- or sign-extended to 64 bits
  void (*store)(VcpuFrame*, u64 address, u64 value, u32 op);
  u64 (*rmw)(VcpuFrame*, u64 address, u64 value, u32 op, u32 kind);
  u64 (*cas)(VcpuFrame*, u64 address, u64 expected, u64 desired, u32 op);
  // More than 8 bytes: through a buffer.
  void (*load_wide)(VcpuFrame*, u64 address, void* to, u32 op);
  void (*store_wide)(VcpuFrame*, u64 address, const void* from, u32 op);
  // 16 bytes at a multiple of 16: old memory comes back in `expected`. One atomic step.
  void (*cas_wide)(VcpuFrame*, u64 address, u64 expected[2], const u64 desired[2], u32 op);
};

// What compiled code calls in C++ besides slow paths and helpers (tcg/light).
struct CompiledCalls {
  // Helper by number with the operands in call_args; `host_fp`: it runs under the host's floating-point mode.
  u64 (*helper)(VcpuFrame*, u32 number, u32 host_fp);
  // Executes one op of the unit's threaded code.
  void (*step)(VcpuFrame*, const Unit*, u32 op);
  // Behind a slow path or helper that was `op` and whose result is `value`: a fault or a request to leave. Does what
  // is left of the guest instruction; returns how the code is left (light::Left).
  u64 (*finish)(VcpuFrame*, const Unit*, u32 op, u64 value);
};

// C++ helper called by translated code: two or three operands and an immediate.
using HelperFn = u64 (*)(VcpuFrame*, u64 a, u64 b, u64 c, u64 imm);

// Target of an indirect jump seen before: pc -> unit, checked against the execute tag of the TLB.
struct JumpCacheEntry {
  u64 pc;
  Unit* unit;
  // Compiled code, to be entered without looking at unit and TLB while `key` is VcpuFrame's; 0: look.
  u64 key;
  const void* entry;
};
inline constexpr u32 kJumpCacheEntries = 8192;
inline u32 jump_cache_index(u64 pc) { return static_cast<u32>((pc >> 1) ^ (pc >> 13)) & (kJumpCacheEntries - 1); }

inline constexpr u32 kPageAddends = 4;
inline constexpr u32 kFrameTemps = 512;  // doublewords for values of a block that live outside slots (tier 0, spills)

inline constexpr u32 kReplayTemps = 0, kMostReplayed = 16;

struct alignas(64) VcpuFrame {
  u64 pc;                 // guest virtual pc of the current block's first instruction
  i64 budget;             // instructions that may still be executed before a return to the run loop
  std::atomic<u32> poll;  // non-zero: leave at the next block entry
  u32 memory_mode;        // index of `memory` in `contexts`
  // Both together are what a jump cache entry is good for (jump_key): the mode key of the code that may run now
  // (columns of the guest's state table), and a number, never 0, that grows whenever an address may have come to mean
  // other code: with the vcpu's mappings, on its own thread, and when a unit died, on any.
  alignas(8) u32 mode;
  std::atomic<u32> code_epoch;
  // Of page checks that accesses of one block share: addend of the page, 0 for "look yourself" (tcg/light/page_runs.h).
  u64 page_addends[kPageAddends];
  MemoryContext memory;  // of the current memory mode
  u32 fault;             // a slow path or helper recorded a guest exception for the current instruction
  u32 leave;             // leave after the current instruction (own code overwritten, device write under -icount)
  u32 insn_index;        // slow paths and helpers: guest instructions before the current one in its block
  // Grows whenever a page may have come to mean other memory, or may no longer be accessed as before: what was found
  // out about pages while it was the same still holds.
  u32 mapping_epoch;
  u64 fault_cause;  // guest's own code of the recorded exception
  u64 fault_value;  // its value (address, instruction bits)
  u32 fp_control;   // guest rounding mode and sticky flags in the host's format, while no guest code runs
  // Code was left in the middle of the instruction at `pc`, of whose accesses this many were done: their results are in
  // temps from kReplayTemps on. The instruction has to be executed with them before anything else happens (Replay).
  u32 replay_count;
  const MemorySlowPaths* slow;
  const HelperFn* helpers;
  JumpCacheEntry* jump_cache;
  void* vcpu;  // the cpu/vcpu.h object
  MemoryContext contexts[kMemoryModes];
  // --- compiled code ---
  u64 pc_page;       // virtual address of the page of the block that runs
  u64 call_args[4];  // operands of slow paths and helpers
  const CompiledCalls* calls;
  u64 stepped_ops;  // that tier 0's handlers did for compiled code
  u64 temps[kFrameTemps];
};

// Mode and epoch in one word, as compiled code reads them.
inline u64 jump_key(const VcpuFrame& frame) {
  return frame.mode | u64{frame.code_epoch.load(std::memory_order_relaxed)} << 32;
}
inline void next_code_epoch(VcpuFrame& frame) { frame.code_epoch.fetch_add(1, std::memory_order_relaxed); }

}  // namespace pagoda
