// SPDX-License-Identifier: MIT
// Vector operands in registers and memory.
#include "cpu/x86_64/translate/vector.h"

namespace pagoda::x86_64 {
namespace {

using ir::Type;
using ir::Value;

bool must_be_aligned(const Insn& i, u32 bytes) {
  return i.row->has(kAligned) || (bytes == 16 && !i.row->is_vex() && !i.row->has(kUnaligned));
}

ir::MemOp access_of(Translator& t, const Insn& i, u32 bytes, Value address) {
  ir::MemOp access = Translator::access(bytes);
  if (bytes < 16 || !must_be_aligned(i, bytes)) return access;
  if (bytes == 16) {
    access.align = true;
  } else {  // more than one access can find out
    const Value offset = t.b.and_(address, t.b.i64(bytes - 1));
    t.trap_if(t.b.ne(offset, t.b.i64(0)), Vector::general_protection);
  }
  return access;
}

}  // namespace

Wide read_vector(Translator& t, const Insn& i, u32 number) {
  const Operand& operand = i.operands[number];
  if (operand.kind == OperandKind::vector) {
    Wide value{xmm(t, operand.reg), {}};
    if (operand.size == 32) value.high = ymm_high(t, operand.reg);
    return value;
  }
  const Value address = t.address(i);
  if (operand.size < 16) return {low_vector(t, t.load(int_type(operand.size), address)), {}};
  const ir::MemOp access = access_of(t, i, operand.size, address);
  if (operand.size == 16) return {t.b.load(Type::v128, address, access), {}};
  const ir::MemOp half = Translator::access(16);
  const Value low = t.b.load(Type::v128, address, half);
  return {low, t.b.load(Type::v128, t.b.add(address, t.b.i64(16)), half)};
}

void write_vector(Translator& t, const Insn& i, u32 number, Wide value) {
  const Operand& operand = i.operands[number];
  if (operand.kind == OperandKind::vector) {
    t.b.put_slot(xmm_slot(operand.reg), value.low);
    if (!i.row->is_vex()) return;
    t.b.put_slot(ymm_high_slot(operand.reg), value.high ? value.high : zero_vector(t));
    return;
  }
  const Value address = t.address(i);
  if (operand.size < 16) {
    return t.store(address, t.b.trunc(t.b.vec_low(value.low), int_type(operand.size)));
  }
  const ir::MemOp access = access_of(t, i, operand.size, address);
  t.b.store(address, operand.size == 16 ? value.low : t.b.vec_join(value.low, value.high), access);
}

}  // namespace pagoda::x86_64
