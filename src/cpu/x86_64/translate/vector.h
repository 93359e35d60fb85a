// SPDX-License-Identifier: MIT
// Operands of vector instructions: 128-bit halves, of which the high one exists in 256-bit forms only.
//
// A form without VEX leaves the high half of its destination, one with VEX clears it unless it is 256 bits long. All
// lanes of 256-bit forms work within their 128 bits, so such a form is its lane operation twice.
#pragma once

#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"
#include "tcg/ir/vec.h"

namespace pagoda::x86_64 {

struct Wide {
  ir::Value low;
  ir::Value high;  // none in forms of up to 128 bits
};

inline ir::Value xmm(Translator& t, u32 reg) { return t.b.get_slot(xmm_slot(reg)); }
inline ir::Value ymm_high(Translator& t, u32 reg) { return t.b.get_slot(ymm_high_slot(reg)); }
inline ir::Value zero_vector(Translator& t) { return t.b.vec_pair(t.b.i64(0), t.b.i64(0)); }
// A vector of one doubleword or less, zeros above.
inline ir::Value low_vector(Translator& t, ir::Value value) {
  return t.b.vec_pair(t.b.zext(value, ir::Type::i64), t.b.i64(0));
}
inline ir::VecOp kind_of(const Insn& i) { return static_cast<ir::VecOp>(i.row->kind); }

// An operand in a register, or memory of its size, from 1 to 32 bytes, with zeros above. What must be aligned faults if
// it is not (SDM volume 2, 2.4: exception classes 1, 2 and 4).
Wide read_vector(Translator& t, const Insn& i, u32 number);
// Registers only as said above; memory of the operand's size, of which only the low bytes may be given.
void write_vector(Translator& t, const Insn& i, u32 number, Wide value);

// Operands that are vectors or memory come first; whether an immediate byte follows.
inline bool has_immediate(const Insn& i) {
  return i.operand_count != 0 && i.operands[i.operand_count - 1u].kind == OperandKind::immediate;
}
inline u32 immediate_of(const Insn& i) {
  return has_immediate(i) ? static_cast<u32>(i.operands[i.operand_count - 1u].value) : 0;
}
// Number of the last operand that is no immediate.
inline u32 last_source(const Insn& i) { return i.operand_count - (has_immediate(i) ? 2u : 1u); }
// The first source: with VEX an operand of its own, else the destination.
inline u32 first_source(const Insn& i) { return last_source(i) >= 2 ? 1 : 0; }

}  // namespace pagoda::x86_64
