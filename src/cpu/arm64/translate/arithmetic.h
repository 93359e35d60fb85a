// SPDX-License-Identifier: MIT
// What additions, subtractions and shifted operands have in common (Arm ARM shared pseudocode: AddWithCarry, ShiftReg,
// ExtendReg).
#pragma once

#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

// ADD, ADDS, SUB or SUBS of two operands, by bits 30 and 29. `stack_pointer`: Rd is that of the forms without flags.
inline void add_sub(Translator& t, const Insn& i, ir::Value a, ir::Value b, bool stack_pointer) {
  const bool subtracts = i.bit(30), sets_flags = i.bit(29);
  // Flags come first: their operands are there until the result takes the place of one of them.
  if (sets_flags) {
    const ir::Value none = t.b.constant(ir::Type::i1, 0);
    t.set_nzcv(subtracts ? t.b.flags_subc(a, b, none) : t.b.flags_add(a, b, none));
  }
  const ir::Value result = subtracts ? t.b.sub(a, b) : t.b.add(a, b);
  return stack_pointer && !sets_flags ? t.set_r_sp(i.rd(), result) : t.set_r(i.rd(), result);
}

// Kinds of shift, as two-bit fields have them.
enum class Shift : u32 { lsl, lsr, asr, ror };
inline ir::Value shifted(Translator& t, ir::Value value, Shift kind, ir::Value amount) {
  switch (kind) {
    case Shift::lsl:
      return t.b.shl(value, amount);
    case Shift::lsr:
      return t.b.shr(value, amount);
    case Shift::asr:
      return t.b.sar(value, amount);
    default:
      return t.b.rotr(value, amount);
  }
}

// Rm extended by an option field and shifted left.
inline ir::Value extended(Translator& t, u32 reg, u32 option, u32 shift, bool wide) {
  constexpr ir::Type types[] = {ir::Type::i8, ir::Type::i16, ir::Type::i32, ir::Type::i64};
  const ir::Type from = types[option & 3], to = Translator::width(wide);
  const ir::Value whole = t.r(reg, wide);
  ir::Value value = whole;
  if (type_bits(from) < type_bits(to)) {
    const ir::Value part = t.b.trunc(whole, from);
    value = (option & 4) != 0 ? t.b.sext(part, to) : t.b.zext(part, to);
  }
  return t.b.shl(value, t.constant(wide, shift));
}

}  // namespace pagoda::arm64::translate
