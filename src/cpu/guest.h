// SPDX-License-Identifier: MIT
// Guest: what the shared vcpu code needs to know of one guest architecture, as data and plain functions.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "cpu/inspect.h"
#include "memory/access.h"
#include "memory/address.h"
#include "tcg/abi/helper_table.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/ir/builder.h"

namespace pagoda {

class Vcpu;

inline constexpr u32 kMaxInsnBytes = 16;  // of any guest

enum class AccessKind : u8 { read, write, execute };

// Guest code copied out of memory for one translation. All of it lies in one page, but for an instruction that
// straddles into the next page: then the window holds just that instruction.
struct CodeWindow {
  const u8* bytes = nullptr;
  u32 size = 0;  // bytes available from the block's pc
  u64 pc = 0;    // guest virtual pc, for disassembly in logs only: never part of the code
};

struct TranslateRequest {
  CodeWindow code;
  u32 mode = 0;            // mode key the code is made for
  u32 max_insns = 0;       // at most this many guest instructions (at least 1)
  u64 features = ~u64{0};  // the vcpu's Vcpu::features()
};

// Result of a page walk.
struct Translation {
  bool ok = false;
  // On success: the 4 KiB page.
  GuestPhys page;
  bool readable = false, writable = false, executable = false;  // in the memory mode asked for
  bool global = false;                                          // holds in every address space of the guest
  bool cacheable = true;  // false: valid for this access only (a protection boundary inside the page)
  u16 last = 0xfff;       // last byte of the page, from the address on, it holds for; reaching beyond is a bus error
  u8 page_bits = 12;      // log2 of the leaf's size, for single-page flushes
  Privilege privilege = Privilege::machine;  // of the access, for devices
  // On failure: the exception to record.
  u64 cause = 0;
};

// A vcpu as debuggers see it. All are called with the vcpu held parked or paused.
struct GuestDebug {
  const char* architecture;  // as BFD names it: "riscv:rv64"
  u32 general_registers;     // registers 0 up to this one, without gaps, are what a debugger asks for all the time
  std::vector<DebugFeature> (*features)(const Vcpu& vcpu);
  // Appends the value's bytes. False: there is no such register.
  bool (*read_register)(Vcpu& vcpu, u32 number, std::vector<u8>& out);
  // False: there is no such register, or it cannot hold this.
  bool (*write_register)(Vcpu& vcpu, u32 number, std::span<const u8> bytes);
  // Physical address behind a virtual one as the vcpu maps it now, whatever the permissions; no side effects.
  std::optional<GuestPhys> (*translate)(Vcpu& vcpu, GuestVirt address);
  // One instruction at `pc` as text; the bytes it takes, 0 if there are too few.
  u32 (*disassemble)(u64 pc, std::span<const u8> bytes, std::string& text);
  // The mappings of the current address space as a table for a person, runs of pages joined. Bounded, whatever the
  // guest's tables look like.
  std::string (*mappings)(Vcpu& vcpu);
};

// A part of the state object, in bytes.
struct StateRange {
  u32 offset, size;
};

struct Guest {
  const char* name;                       // "riscv64"
  u32 state_size;                         // bytes of the object that begins with the VcpuFrame
  VcpuFrame* (*construct)(void* memory);  // placement-constructs the state object in zeroed memory
  void (*destroy)(VcpuFrame* frame);
  ir::SlotTable slots;
  HelperTable helpers;
  u32 memory_modes;             // number of memory modes in use (<= kMemoryModes)
  std::span<const u16> pinned;  // frame offsets of the registers that compilers keep in host registers, hottest first
  std::span<const StateRange> host_state;  // what of the state is the host's, such as pointers, and not the guest's
  u32 max_insn_bytes;                      // of the longest instruction (<= kMaxInsnBytes)

  // Length in bytes of the instruction at `bytes` (at least 2 bytes are readable), for the page-straddling case.
  u32 (*instruction_length)(const u8* bytes);
  // Builds one block; ends it at a terminal, max_insns, or before an instruction that does not fit in the window.
  void (*translate)(ir::Builder& builder, const TranslateRequest& request);
  // Text of a block's instructions, one a line, for logs.
  std::string (*disassemble)(std::span<const u8> code, u64 pc);
  // Walks the page tables for one page. May set accessed/dirty bits through GuestMemory.
  Translation (*walk)(Vcpu& vcpu, GuestVirt address, AccessKind kind, u32 memory_mode);
  // The memory mode of instruction fetch; data accesses may run in another one (RISC-V: MPRV).
  u32 (*fetch_mode)(const Vcpu& vcpu);
  // The cause of a bus error (no RAM, no device) or misaligned atomic for this kind of access.
  u64 (*bus_error_cause)(AccessKind kind);
  u64 (*misaligned_cause)(AccessKind kind);
  // Enters the guest's handler for the exception recorded in the frame (fault_cause, fault_value) at frame.pc.
  void (*take_exception)(Vcpu& vcpu);
  // Enters the handler of the most urgent enabled pending interrupt, if any. Cheap when none is pending.
  bool (*take_interrupt)(Vcpu& vcpu);
  // Whether a wait-for-interrupt ends now.
  bool (*should_wake)(const Vcpu& vcpu);
  // Does what the guest wants done at an instruction count (counter overflow); instructions until it wants to be called
  // again, at least 1. Asked for whenever `poll` was set.
  u64 (*until_event)(Vcpu& vcpu);
  // Architectural reset of the state behind the frame.
  void (*reset)(Vcpu& vcpu);
  const GuestDebug* debug = nullptr;
};

// Where a vcpu's first-level TLB table of a memory mode lies, in bytes from its frame.
inline u32 tlb_offset(const Guest& guest, u32 memory_mode) {
  return ((guest.state_size + 4095u) & ~4095u) + memory_mode * static_cast<u32>(sizeof(TlbTable));
}
// The same of the second level.
inline u32 second_tlb_offset(const Guest& guest, u32 memory_mode) {
  return tlb_offset(guest, guest.memory_modes) + memory_mode * static_cast<u32>(sizeof(SecondTlbTable));
}

}  // namespace pagoda
