// SPDX-License-Identifier: MIT
// Translator: what the handlers of instructions write a block with.
//
// A handler reads operands by number, computes, and writes them back; sizes come with the operands' types. Two rules
// hold in all of them: no slot is written before the last possible fault, and no guest pc becomes a constant.
//
// Flags: one slot of the IR's lazy type holds all six. An instruction that changes some of them merges those into what
// was there; nothing is computed unless somebody asks. Conditions of flags that were set in the same block are written
// as comparisons of the operands (FlagSource), so that compare-and-branch needs no flags at all.
//
// Partial registers: slots are whole 64-bit registers. Writes of 32 bits clear the upper half, narrower ones are merged
// into the old value. One translator per block and thread.
#pragma once

#include <initializer_list>
#include <optional>

#include "cpu/guest.h"
#include "cpu/x86_64/decode.h"
#include "cpu/x86_64/helpers.h"
#include "cpu/x86_64/processor.h"
#include "tcg/ir/builder.h"

namespace pagoda::x86_64 {

// Groups of flags that instructions set together, as masks over ir::Flag.
inline constexpr u8 kCf = ir::kFlagsC, kOf = ir::kFlagsV, kZf = ir::flag_mask(ir::Flag::z);
using ir::kAllFlags;

constexpr ir::Type int_type(u32 bytes) {
  return bytes == 1 ? ir::Type::i8 : bytes == 2 ? ir::Type::i16 : bytes == 4 ? ir::Type::i32 : ir::Type::i64;
}
constexpr u32 width_of(ir::Value value) { return ir::type_bits(value.type); }

class Translator {
 public:
  explicit Translator(ir::Builder& builder) : b(builder) {}

  ir::Builder& b;

  // --- registers
  ir::Value gpr(u32 reg, u32 bytes) { return b.trunc(b.get_slot(gpr_slot(reg)), int_type(bytes)); }
  ir::Value gpr64(u32 reg) { return b.get_slot(gpr_slot(reg)); }
  void set_gpr(u32 reg, ir::Value value);
  void set_high_byte(u32 reg, ir::Value value);
  ir::Value slot(Slot slot) { return b.get_slot(static_cast<u32>(slot)); }
  void set_slot(Slot slot, ir::Value value) { b.put_slot(static_cast<u32>(slot), value); }

  // --- operands
  ir::Value read(const Insn& i, u32 number);
  // Writes an operand: a store may fault, so memory goes before registers and flags.
  void write(const Insn& i, u32 number, ir::Value value);
  static bool is_memory(const Insn& i, u32 number) { return i.operands[number].kind == OperandKind::memory; }
  // The first operand is memory and to be changed in one atomic step.
  static bool is_atomic(const Insn& i) { return is_memory(i, 0) && (i.lock || i.row->has(kAlwaysLocked)); }
  // Effective address with segment base; computed once an instruction. `rsp_offset` is added to rsp where it is the
  // base.
  ir::Value address(const Insn& i, u32 rsp_offset = 0);
  // Without the segment: what lea gives.
  ir::Value offset_of(const Insn& i, u32 rsp_offset = 0);
  // The low 32 bits of an offset where the instruction has 32-bit addresses.
  ir::Value shorten(const Insn& i, ir::Value offset);
  // Adds the base of the instruction's segment, if it has one.
  ir::Value linear(const Insn& i, ir::Value offset);
  ir::Value segment_base(const Insn& i);

  // --- memory, ordered as x86 orders its accesses
  ir::Value load(ir::Type type, ir::Value address) { return load_extended(type, address, ir::type_bytes(type), false); }
  ir::Value load_extended(ir::Type type, ir::Value address, u32 bytes, bool sign);
  void store(ir::Value address, ir::Value value);
  static ir::MemOp access(u32 bytes, ir::Order order = ir::Order::tso);

  // --- flags
  ir::Value flags() { return slot(Slot::flags); }
  void set_flags(ir::Value flags) { set_slot(Slot::flags, flags); }
  // Those in the mask from `now`, the others stay.
  void set_flags(ir::Value now, u8 mask) { set_flags(b.flags_merge(flags(), now, mask)); }
  // A flags value with these flags and all others 0.
  struct OneFlag {
    ir::Flag flag;
    ir::Value value;  // i1
  };
  ir::Value flag_bits(std::initializer_list<OneFlag> list);
  ir::Value carry() { return condition(2); }
  // SF and ZF of the flags just set are those of this value, which is at hand.
  void remember(ir::Value result) { result_of_ = {flags().id, result}; }
  // Whether condition code 0..15 holds (SDM volume 2, appendix B.1).
  ir::Value condition(u32 code);

  // --- stack
  // rsp plus `bytes`. Pushes and pops in a row are all off the same value, so that their accesses share a page check.
  ir::Value stack(i64 bytes);
  // rsp := stack(bytes).
  void move_stack(i64 bytes);

  // --- where this instruction stands
  i64 offset() const { return static_cast<i64>(b.insn_offset()); }
  i64 next_offset() const { return offset() + b.insn_length(); }
  i64 branch_offset(const Insn& i, u32 number = 0) const {
    return next_offset() + static_cast<i64>(i.operands[number].value);
  }

  // --- ways out
  void raise(Vector vector, ir::Value value);
  void raise(Vector vector) { raise(vector, b.i64(0)); }
  void trap_if(ir::Value condition, Vector vector) { b.trap_if(condition, b.i64(0), static_cast<u64>(vector)); }
  // The instruction is done if `finished`, else it is executed again: how an atomic step that lost a race is repeated.
  void end_or_again(ir::Value finished) { b.branch(finished, next_offset(), offset()); }
  ir::Value call(HelperId helper, ir::Type type, u64 imm = 0, ir::Value a = {}, ir::Value second = {},
                 ir::Value c = {}) {
    return b.call(static_cast<u32>(helper), helper_effects(helper), type, imm, a, second, c);
  }

  // --- small words
  ir::Value constant_like(ir::Value value, u64 imm) { return b.constant(value.type, imm); }
  ir::Value is_zero(ir::Value value) { return b.eq(value, constant_like(value, 0)); }
  ir::Value sign_bit(ir::Value value) { return b.lt_s(value, constant_like(value, 0)); }
  ir::Value bit(ir::Value value, u32 number) {
    return b.trunc(b.shr(value, constant_like(value, number)), ir::Type::i1);
  }
  ir::Value invert(ir::Value truth) { return b.not_(truth); }

  // Translates one decoded instruction at `offset`.
  void instruction(const Insn& insn, u64 offset);
  // Bytes that are no instruction, or none that is implemented.
  void undefined(Vector vector, u32 length, u64 offset);

 private:
  struct ResultOf {
    ir::ValueId flags = ir::kNoValue;  // the value in the slot that this is about
    ir::Value result;
  };
  ResultOf result_of_;
  struct StackTop {
    ir::ValueId rsp = ir::kNoValue;  // the value in the slot that this is about: `base` plus `offset`
    ir::Value base;
    i64 offset = 0;
  };
  StackTop top_;
  ir::Value address_;
};

}  // namespace pagoda::x86_64
