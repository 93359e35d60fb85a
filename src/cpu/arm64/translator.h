// SPDX-License-Identifier: MIT
// Translator: what the handlers of instructions write a block with.
//
// A handler says what its instruction does in terms of registers, flags, memory ops of the builder and the few ways out
// of a block below. Two rules hold in all of them: no register is written before the last possible fault, and no guest
// pc becomes a constant. Operands are read in the order of the manual's pseudocode, each in a statement of its own.
// One translator per block and thread.
#pragma once

#include "cpu/arm64/cpu.h"
#include "cpu/arm64/decode.h"
#include "cpu/arm64/exceptions.h"
#include "cpu/arm64/helpers.h"
#include "tcg/ir/builder.h"

namespace pagoda::arm64 {

class Translator {
 public:
  explicit Translator(ir::Builder& builder, u32 block_mode = 0) : b(builder), mode(block_mode) {}

  ir::Builder& b;
  const u32 mode;  // the block's mode key

  // --- general registers. Number 31 is zero, or the stack pointer in the *_sp forms. `wide`: 64 bits, else the low 32;
  // writing 32 bits clears the upper ones.
  static constexpr ir::Type width(bool wide) { return wide ? ir::Type::i64 : ir::Type::i32; }
  ir::Value constant(bool wide, u64 value) { return b.constant(width(wide), value); }
  ir::Value x(u32 reg) { return reg == 31 ? b.i64(0) : b.get_slot(x_slot(reg)); }
  ir::Value x_sp(u32 reg) { return b.get_slot(x_slot(reg)); }
  ir::Value r(u32 reg, bool wide) { return wide ? x(reg) : b.trunc(x(reg), ir::Type::i32); }
  ir::Value r_sp(u32 reg, bool wide) { return wide ? x_sp(reg) : b.trunc(x_sp(reg), ir::Type::i32); }
  void set_x(u32 reg, ir::Value value) {
    if (reg != 31) b.put_slot(x_slot(reg), value);
  }
  void set_x_sp(u32 reg, ir::Value value) { b.put_slot(x_slot(reg), value); }
  void set_r(u32 reg, ir::Value value) { set_x(reg, b.zext(value, ir::Type::i64)); }
  void set_r_sp(u32 reg, ir::Value value) { set_x_sp(reg, b.zext(value, ir::Type::i64)); }

  // --- vector registers: a doubleword of one, and writing the low one, which clears the rest
  ir::Value v(u32 reg) { return b.get_slot(v_slot(reg)); }
  ir::Value v_low(u32 reg) { return b.vec_low(v(reg)); }
  ir::Value v_high(u32 reg) { return b.vec_high(v(reg)); }
  void set_v(u32 reg, ir::Value value) { b.put_slot(v_slot(reg), value); }
  void set_v_pair(u32 reg, ir::Value low, ir::Value high) { set_v(reg, b.vec_pair(low, high)); }
  void set_v_low(u32 reg, ir::Value low) { set_v_pair(reg, low, b.i64(0)); }

  // --- flags
  ir::Value nzcv() { return b.get_slot(slot(Slot::nzcv)); }
  void set_nzcv(ir::Value flags) { b.put_slot(slot(Slot::nzcv), flags); }
  ir::Value carry() { return b.flag(nzcv(), ir::Flag::c); }
  // Flags from an instruction's nzcv field, N in bit 3.
  ir::Value flags_of_field(u32 field);
  // A condition field; AL and its twin are true.
  ir::Value condition(u32 field);

  // --- where this instruction stands
  i64 offset() const { return static_cast<i64>(b.insn_offset()); }
  i64 next_offset() const { return offset() + kInsnBytes; }

  // --- ways out
  void raise(Cause cause, u64 value);
  void undefined(u32 word);
  // The next instruction must be looked up anew: what the code depends on may have changed.
  void end_block() { b.exit(ir::Exit::lookup, next_offset()); }
  ir::Value call(HelperId helper, ir::Type type, u64 imm = 0, ir::Value first = {}, ir::Value second = {},
                 ir::Value third = {}) {
    return b.call(static_cast<u32>(helper), helper_effects(helper), type, imm, first, second, third);
  }
};

}  // namespace pagoda::arm64
