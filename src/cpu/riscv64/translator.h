// SPDX-License-Identifier: MIT
// Translator: what the handlers of instructions write a block with.
//
// A handler says what its instruction does in terms of x(), f(), memory ops of the builder and the few ways out of a
// block below. Two rules hold in all of them: no register is written before the last possible fault, and no guest pc
// becomes a constant. One translator per block and thread.
#pragma once

#include <optional>

#include "cpu/guest.h"
#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/hart.h"
#include "cpu/riscv64/helpers.h"
#include "tcg/ir/builder.h"

namespace pagoda::riscv64 {

// Exception codes that translated code raises itself (Privileged ISA, table of mcause values).
enum class Cause : u64 { fetch_misaligned = 0, illegal_instruction = 2, breakpoint = 3, ecall_from_user = 8 };

class Translator {
 public:
  Translator(ir::Builder& builder, u32 mode, Extensions extensions)
      : b(builder), mode_(mode), extensions_(extensions) {}

  ir::Builder& b;

  // --- integer registers; x0 reads as 0 and swallows writes
  ir::Value x(u32 reg) { return reg == 0 ? b.i64(0) : b.get_slot(x_slot(reg)); }
  // Low 32 bits, for the instructions that end in W.
  ir::Value w(u32 reg) { return reg == 0 ? b.i32(0) : b.trunc(b.get_slot(x_slot(reg)), ir::Type::i32); }
  // x(reg) + immediate
  ir::Value x_plus(u32 reg, i64 immediate);
  void set_x(u32 reg, ir::Value value) {
    if (reg != 0) b.put_slot(x_slot(reg), value);
  }
  void set_x_sext(u32 reg, ir::Value value) { set_x(reg, b.sext(value, ir::Type::i64)); }
  void set_x_bool(u32 reg, ir::Value value) { set_x(reg, b.zext(value, ir::Type::i64)); }

  // The operands of an instruction, read in this order whatever the compiler does with arguments.
  struct Pair {
    ir::Value a, b;
  };
  Pair registers(const Insn& i) { return {x(i.rs1), x(i.rs2)}; }
  Pair registers_swapped(const Insn& i) { return {x(i.rs2), x(i.rs1)}; }
  Pair words(const Insn& i) { return {w(i.rs1), w(i.rs2)}; }
  Pair immediate(const Insn& i) { return {x(i.rs1), b.i64(static_cast<u64>(i.immediate))}; }
  Pair word_immediate(const Insn& i) { return {w(i.rs1), b.i32(static_cast<u32>(i.immediate))}; }
  // A two-operand op of the builder on such a pair.
  ir::Value op(ir::Value (ir::Builder::*binary)(ir::Value, ir::Value), Pair pair) {
    return (b.*binary)(pair.a, pair.b);
  }
  Pair floats(ir::Type type, const Insn& i) { return {f(type, i.rs1), f(type, i.rs2)}; }

  // --- floating-point registers: values of a precision, or the raw 64 bits
  ir::Value f(ir::Type type, u32 reg);
  void set_f(u32 reg, ir::Value value);
  ir::Value f_bits(u32 reg) { return b.get_slot(f_slot(reg)); }
  void set_f_bits(u32 reg, ir::Value value);

  // The bits of a half; a register that holds no boxed one counts as the canonical NaN.
  ir::Value half_bits(u32 reg);
  void set_half_bits(u32 reg, ir::Value value);

  // False after raising illegal instruction: the floating-point unit is off. First thing in every FP handler.
  bool fp_on();
  // fp_on() and the rounding of an rm field; nothing after raising illegal instruction for a reserved one.
  std::optional<ir::Round> fp_round(u32 rm);
  // The instruction may change FP state (fflags too): mstatus.FS becomes Dirty after it. set_f* imply it.
  void fp_changes() { fp_changed_ = true; }

  // --- where this instruction stands
  u32 privilege() const { return mode_ & ModeKey::kPrivilege; }
  bool has(Extension extension) const { return extensions_.has(extension); }
  bool fp_is_dirty() const { return (mode_ & ModeKey::kFpDirty) != 0; }
  u32 mode() const { return mode_; }
  i64 offset() const { return static_cast<i64>(b.insn_offset()); }
  i64 next_offset() const { return offset() + b.insn_length(); }
  // Guest instructions before this one in the block.
  u32 index() const { return b.block().guest_insns - 1; }

  // --- ways out
  void raise(Cause cause, ir::Value value);
  // `bits` of the instruction are the exception's value.
  void illegal(u32 bits);
  // The next instruction must be looked up anew: what the code depends on may have changed.
  void end_block() { b.exit(ir::Exit::lookup, next_offset()); }
  ir::Value call(HelperId helper, ir::Type type, u64 imm = 0, ir::Value a = {}, ir::Value second = {},
                 ir::Value c = {}) {
    return b.call(static_cast<u32>(helper), helper_effects(helper), type, imm, a, second, c);
  }

  // Translates one decoded instruction at `offset`.
  void instruction(const Insn& insn, u64 offset);
  // Likewise for a word that is no instruction.
  void undefined(u32 word, u64 offset);

 private:
  u32 mode_;
  Extensions extensions_;
  u32 bits_ = 0;  // of the instruction being translated
  bool fp_changed_ = false;
};

}  // namespace pagoda::riscv64
