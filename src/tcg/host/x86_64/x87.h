// SPDX-License-Identifier: MIT
// The host's x87 unit executing one instruction on a state of the guest's (Intel SDM volume 1, chapter 8).
//
// The state is what fnsave stores; the host's own unit is as before afterwards. Everything is as exact as the host:
// stack faults, precision control, C1, masked and unmasked exceptions, of which the latter only set the status word
// here. Addresses and opcodes of instructions, which would be the host's, are not kept. Any thread.
#pragma once

#include "base/types.h"

namespace pagoda {

struct X87State {
  u16 control = 0x37f, reserved1 = 0xffff;
  u16 status = 0, reserved2 = 0xffff;
  u16 tags = 0xffff, reserved3 = 0xffff;
  u32 pointers[4] = {};  // always 0
  u8 stack[8][10] = {};  // st(0) first

  u32 top() const { return status >> 11 & 7; }
  // Whether an exception is pending that the control word does not mask.
  bool is_pending() const { return (status & ~control & 0x3f) != 0; }
};
static_assert(sizeof(X87State) == 108);

// Registers that an instruction may read and write besides the state.
struct X87Registers {
  u8 flags = 0;  // CF PF ZF and others as lahf has them
  u16 ax = 0;
};

// D8 to DF with a register form's ModRM byte, C0 to FF.
void x87_execute(X87State& state, X87Registers& registers, u8 opcode, u8 modrm);
// With a memory operand: the digit of the ModRM byte; `memory` has the operand's bytes, at most 108, and gets the
// result.
void x87_execute_memory(X87State& state, u8 opcode, u8 digit, void* memory);

}  // namespace pagoda
