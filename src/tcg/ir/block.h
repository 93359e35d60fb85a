// SPDX-License-Identifier: MIT
// Block: translated straight-line guest code in SSA form, ended by one terminal.
//
// Values are numbered by the instruction that defines them; the first instruction is always a marker, so that number 0
// can mean "no value". A block never holds a guest virtual pc: it knows offsets from
// its own start. Blocks are plain data, reused by one translator after another: clear() keeps the capacity.
#pragma once

#include <vector>

#include "base/types.h"
#include "tcg/ir/ops.h"

namespace pagoda::ir {

struct Inst {
  Op op{};
  Type type = Type::none;
  u8 aux = 0;
  ValueId args[4] = {};
  u32 extra = 0;
  u64 imm = 0;
};
static_assert(sizeof(Inst) == 24);

// Whether an indirect or direct jump is a call or a return; drives return prediction.
enum class Hint : u8 { none, call, ret };

// Why a block hands control back.
enum class Exit : u8 {
  lookup,     // go on at the offset, but look the next block up anew: mode, mapping or code may have changed
  exception,  // a guest exception was recorded by a helper; the pc is this instruction's
  wait,       // the guest waits for an interrupt; it goes on at the offset
};

struct Terminal {
  enum class Kind : u8 { none, jump, branch, jump_indirect, exit };
  Kind kind = Kind::none;
  Hint hint = Hint::none;
  Exit exit = Exit::lookup;
  ValueId value = kNoValue;  // branch: condition (i1); jump_indirect: guest virtual pc (i64)
  i64 taken = 0;             // jump, branch, exit: pc offset
  i64 not_taken = 0;         // branch: pc offset when the condition is 0; calls: offset of the return address
};

// One guest state slot: a named place in the vcpu frame. Slots do not overlap.
struct SlotInfo {
  const char* name;
  Type type;
  u32 offset;  // bytes from the start of the frame
};

// Slots of one guest; storage is static.
struct SlotTable {
  const SlotInfo* slots = nullptr;
  u32 count = 0;
};

struct Block {
  std::vector<Inst> insts;
  Terminal terminal;
  u32 guest_insns = 0;       // markers
  u32 guest_bytes = 0;       // bytes of guest code covered, from offset 0
  bool restartable = false;  // some instruction writes slots before its last fault, and says so
  void clear() {
    insts.clear();
    terminal = {};
    guest_insns = guest_bytes = 0;
    restartable = false;
  }
  Type type_of(ValueId value) const { return result_type(insts[value].op, insts[value].type); }
};

}  // namespace pagoda::ir
