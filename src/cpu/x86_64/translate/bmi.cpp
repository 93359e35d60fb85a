// SPDX-License-Identifier: MIT
// Bit manipulation with VEX encodings: BMI1 and BMI2.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Flag;
using ir::Type;
using ir::Value;

// SF and ZF of the result, CF as given, OF 0. PF and AF are undefined.
void finish(Translator& t, const Insn& i, Value result, Value carry) {
  t.write(i, 0, result);
  t.set_flags(t.b.flags_merge(t.b.flags_logic(result), t.flag_bits({{Flag::c, carry}}), kCf));
}

// Ones below bit `count`; all ones from the width on.
Value ones_below(Translator& t, Value count) {
  const Value one = t.constant_like(count, 1), all = t.constant_like(count, ~u64{0});
  const Value low = t.b.sub(t.b.shl(one, count), one);
  return t.b.select(t.b.lt_u(count, t.constant_like(count, width_of(count))), low, all);
}

void lowest_bit(Translator& t, const Insn& i, Value (*combine)(ir::Builder&, Value from, Value less_one)) {
  const Value from = t.read(i, 1);
  const Value less_one = t.b.sub(from, t.constant_like(from, 1));
  finish(t, i, combine(t.b, from, less_one), t.is_zero(from));
}

void plain_shift(Translator& t, const Insn& i, Value (ir::Builder::*shift)(Value, Value)) {
  const Value from = t.read(i, 1);
  const Value count = t.read(i, 2);
  t.write(i, 0, (t.b.*shift)(from, count));
}

void gather(Translator& t, const Insn& i, HelperId helper) {
  const Value from = t.b.zext(t.read(i, 1), Type::i64);
  const Value mask = t.b.zext(t.read(i, 2), Type::i64);
  const Value result = t.call(helper, Type::i64, 0, from, mask);
  t.write(i, 0, t.b.trunc(result, int_type(i.operands[0].size)));
}

}  // namespace

void andn(Translator& t, const Insn& i) {
  const Value second = t.read(i, 2);
  const Value result = t.b.and_(t.b.not_(t.read(i, 1)), second);
  t.write(i, 0, result);
  t.set_flags(t.b.flags_logic(result));
  t.remember(result);
}

void blsr(Translator& t, const Insn& i) {
  lowest_bit(t, i, [](ir::Builder& b, Value from, Value less_one) { return b.and_(from, less_one); });
}
void blsmsk(Translator& t, const Insn& i) {
  lowest_bit(t, i, [](ir::Builder& b, Value from, Value less_one) { return b.xor_(from, less_one); });
}
void blsi(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  const Value result = t.b.and_(from, t.b.sub(t.constant_like(from, 0), from));
  finish(t, i, result, t.invert(t.is_zero(from)));
}

void bextr(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  const Value control = t.read(i, 2);
  const Value byte = t.constant_like(control, 0xff);
  const Value start = t.b.and_(control, byte);
  const Value length = t.b.and_(t.b.shr(control, t.constant_like(control, 8)), byte);
  const Value inside = t.b.lt_u(start, t.constant_like(start, width_of(start)));
  const Value shifted = t.b.select(inside, t.b.shr(from, start), t.constant_like(from, 0));
  const Value result = t.b.and_(shifted, ones_below(t, length));
  finish(t, i, result, t.b.constant(Type::i1, 0));
}

void bzhi(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  const Value control = t.read(i, 2);
  const Value count = t.b.and_(control, t.constant_like(control, 0xff));
  const Value beyond = t.b.lt_u(t.constant_like(count, width_of(count) - 1), count);
  finish(t, i, t.b.and_(from, ones_below(t, count)), beyond);
}

// The high half is written last: it stays if both destinations are one register.
void mulx(Translator& t, const Insn& i) {
  const Value from = t.read(i, 2);
  const Value factor = t.gpr(kRdx, i.operands[0].size);
  const Value low = t.b.mul(factor, from), high = t.b.mulh_u(factor, from);
  t.write(i, 1, low);
  t.write(i, 0, high);
}

void pdep(Translator& t, const Insn& i) { gather(t, i, HelperId::pdep); }
void pext(Translator& t, const Insn& i) { gather(t, i, HelperId::pext); }

void rorx(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  t.write(i, 0, t.b.rotr(from, t.constant_like(from, i.operands[2].value & (width_of(from) - 1))));
}
void sarx(Translator& t, const Insn& i) { plain_shift(t, i, &ir::Builder::sar); }
void shlx(Translator& t, const Insn& i) { plain_shift(t, i, &ir::Builder::shl); }
void shrx(Translator& t, const Insn& i) { plain_shift(t, i, &ir::Builder::shr); }

}  // namespace pagoda::x86_64::op
