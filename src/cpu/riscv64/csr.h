// SPDX-License-Identifier: MIT
// Control and status registers (Privileged ISA chapters 2, 3, 10): table, checked access, listing.
//
// Threading: csr_access on the owning vcpu's thread inside a helper; the rest also with the vcpu held parked.
#pragma once

#include <functional>
#include <string>

#include "base/types.h"
#include "cpu/riscv64/hart.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

enum class CsrOp : u32 { write = 1, set = 2, clear = 3 };

// Legality beyond privilege: extension present and, below machine mode, enabled.
enum class Gate : u8 {
  none,
  fp,         // F is implemented and mstatus.FS is not Off
  counter,    // Zicntr is implemented; mcounteren, scounteren
  hpm,        // Zihpm, the same
  sscofpmf,   // Sscofpmf is implemented
  smcntrpmf,  // Smcntrpmf is implemented
  zkr,        // Zkr is implemented
  seed,       // Zkr; mseccfg.SSEED or USEED
  smstateen,  // Smstateen is implemented
  sstateen,   // Smstateen; the topmost bit of mstateen of the same number
  senvcfg,    // with Smstateen mstateen0.ENVCFG
  sstc,       // Sstc is implemented; menvcfg.STCE, mcounteren.TM
  tvm,        // mstatus.TVM
  smaia,      // Smaia is implemented
  ssaia,      // Ssaia is implemented; with Smstateen mstateen0.AIA
  siselect,   // Ssaia; with Smstateen mstateen0.CSRIND
  mireg,      // Smaia, and the window shows a register that exists
  sireg,      // Ssaia, the same
  mtopei,     // Smaia, and there is an interrupt file
  stopei,     // Ssaia, the same
};

struct CsrContext {
  Vcpu& vcpu;
  Hart& hart;
  u64 retired;    // instructions retired before this one, since reset
  bool in_guest;  // called from translated code: the host's FP state is the guest's
};

struct CsrInfo {
  u16 number;
  u16 count;  // registers of this row, numbered on from `number`
  const char* name;
  i16 first;  // number that the first register's name ends in; -1: none
  Gate gate;
  bool ends_block;
  u64 Hart::* storage;
  u64 mask;
  u64 reset;
  u64 (*read)(const CsrContext&, u32 index);
  void (*write)(const CsrContext&, u32 index, u64 value);
};

// Whether the register that miselect or siselect names exists.
bool window_register_exists(const Hart& hart, AiaLevel level);

// The row of a CSR number, or null if there is no such register.
const CsrInfo* find_csr(u32 number);
std::string csr_name(u32 number);

// Whether the hart may access the register now. A read-only register cannot be written (Privileged ISA 2.1).
bool csr_allowed(const Hart& hart, u32 number, bool writes);

// One CSR instruction; `source` is the value to write, set or clear. False: illegal instruction, nothing happened.
bool csr_instruction(const CsrContext& context, u32 number, CsrOp op, bool reads, bool writes, u64 source, u64* old);

// Value as machine mode would read it, without checks. For listings and the debugger, with the vcpu outside guest code.
u64 csr_peek(Vcpu& vcpu, u32 number);

// Writes a register as machine mode would, without checks; masks and side effects hold. What is read-only stays.
void csr_poke(Vcpu& vcpu, u32 number, u64 value);

// Puts every register's storage to its reset value.
void csr_reset(Hart& hart);

// Calls `each` for every register in table order.
void for_each_csr(const std::function<void(u32 number, const std::string& name)>& each);

inline constexpr u32 kFflags = 0x001;

// Whether a CSR instruction must end its block (helper csr_access) or may stand inside one (csr_plain): it must when it
// may change the mode key, the mapping, or enable a pending interrupt. `source_bits` is what the source operand may
// hold: the immediate of csrr?i, ~0 for a register. `mode` is the mode key of the block.
bool csr_ends_block(u32 number, CsrOp op, bool writes, u64 source_bits, u32 mode);

}  // namespace pagoda::riscv64
