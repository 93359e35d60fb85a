// SPDX-License-Identifier: MIT
// Moves, extensions, addresses, nothing.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;

void extend(Translator& t, const Insn& i, bool sign) {
  const Operand &to = i.operands[0], &from = i.operands[1];
  const Type type = int_type(to.size);
  if (from.kind == OperandKind::memory) {
    return t.write(i, 0, t.load_extended(type, t.address(i), from.size, sign));
  }
  const Value value = t.read(i, 1);
  t.write(i, 0, sign ? t.b.sext(value, type) : t.b.zext(value, type));
}

}  // namespace

void mov(Translator& t, const Insn& i) { t.write(i, 0, t.read(i, 1)); }
void movzx(Translator& t, const Insn& i) { extend(t, i, false); }
void movsx(Translator& t, const Insn& i) { extend(t, i, true); }
void lea(Translator& t, const Insn& i) { t.write(i, 0, t.b.trunc(t.offset_of(i), int_type(i.operand_size))); }

// cbw, cwde, cdqe: the accumulator from its lower half.
void cwde(Translator& t, const Insn& i) {
  const Value half = t.gpr(kRax, i.operand_size / 2u);
  t.set_gpr(kRax, t.b.sext(half, int_type(i.operand_size)));
}

// cwd, cdq, cqo: the accumulator's sign all over rdx.
void cdq(Translator& t, const Insn& i) {
  const Value value = t.gpr(kRax, i.operand_size);
  t.set_gpr(kRdx, t.b.sar(value, t.constant_like(value, width_of(value) - 1)));
}

void xlat(Translator& t, const Insn& i) {
  const Value index = t.b.zext(t.gpr(kRax, 1), Type::i64);
  const Value offset = t.shorten(i, t.b.add(t.gpr64(kRbx), index));
  t.set_gpr(kRax, t.load(Type::i8, t.linear(i, offset)));
}

void nop(Translator&, const Insn&) {}

}  // namespace pagoda::x86_64::op
