// SPDX-License-Identifier: MIT
// Branches (Arm ARM C3.2.1 to C3.2.3).
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Hint;
using ir::Value;

namespace {

constexpr u32 kLink = 30;
i64 label(const Translator& t, const Insn& i, u32 low, u32 width) {
  return t.offset() + i.signed_field(low, width) * 4;
}

void set_link(Translator& t) { t.set_x(kLink, t.b.pc(static_cast<u64>(t.next_offset()))); }

}  // namespace

void b(Translator& t, const Insn& i) { t.b.jump(label(t, i, 0, 26)); }
void bl(Translator& t, const Insn& i) {
  set_link(t);
  t.b.jump(label(t, i, 0, 26), Hint::call, t.next_offset());
}
// Comparisons take a constant as their second operand: where it would be the first, the opposite condition goes the
// other way.
void b_conditional(Translator& t, const Insn& i) {
  const u32 condition = i.field(0, 4);
  const i64 taken = label(t, i, 5, 19);
  const Value holds = t.condition(condition);
  const ir::Inst& made = t.b.inst(holds);
  const bool compares = made.op >= ir::Op::lt_s && made.op <= ir::Op::le_u;
  if (compares && t.b.inst(t.b.value(made.args[0])).op == ir::Op::constant) {
    return t.b.branch(t.condition(condition ^ 1), t.next_offset(), taken);
  }
  t.b.branch(holds, taken, t.next_offset());
}
void compare_and_branch(Translator& t, const Insn& i) {
  const Value value = t.r(i.rd(), i.is_64());
  const Value zero = t.constant(i.is_64(), 0);
  t.b.branch(i.bit(24) ? t.b.ne(value, zero) : t.b.eq(value, zero), label(t, i, 5, 19), t.next_offset());
}
void test_and_branch(Translator& t, const Insn& i) {
  const u32 bit = i.field(31, 1) << 5 | i.field(19, 5);
  const Value tested = t.b.and_(t.x(i.rd()), t.b.i64(u64{1} << bit));
  const Value zero = t.b.i64(0);
  t.b.branch(i.bit(24) ? t.b.ne(tested, zero) : t.b.eq(tested, zero), label(t, i, 5, 14), t.next_offset());
}

void br(Translator& t, const Insn& i) { t.b.jump_indirect(t.x(i.rn()), Hint::none); }
void blr(Translator& t, const Insn& i) {
  const Value destination = t.x(i.rn());
  set_link(t);
  t.b.jump_indirect(destination, Hint::call, t.next_offset());
}
void ret(Translator& t, const Insn& i) { t.b.jump_indirect(t.x(i.rn()), Hint::ret); }

}  // namespace pagoda::arm64::translate
