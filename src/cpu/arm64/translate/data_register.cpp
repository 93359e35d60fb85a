// SPDX-License-Identifier: MIT
// Logical operations, sums, multiplications, divisions, shifts (Arm ARM C3.6, C4.1 "Data Processing -- Register").
#include "cpu/arm64/translate/arithmetic.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

namespace {

Value shifted_operand(Translator& t, const Insn& i) {
  const Value value = t.r(i.rm(), i.is_64());
  return shifted(t, value, static_cast<Shift>(i.field(22, 2)), t.constant(i.is_64(), i.field(10, 6)));
}

}  // namespace

void logical_shifted(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  Value b = shifted_operand(t, i);
  if (i.bit(21)) b = t.b.not_(b);
  switch (i.field(29, 2)) {
    case 0:
      return t.set_r(i.rd(), t.b.and_(a, b));
    case 1:
      return t.set_r(i.rd(), t.b.or_(a, b));
    case 2:
      return t.set_r(i.rd(), t.b.xor_(a, b));
    default: {
      const Value result = t.b.and_(a, b);
      t.set_r(i.rd(), result);
      t.set_nzcv(t.b.flags_logic(result));
    }
  }
}

void add_sub_shifted(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  add_sub(t, i, a, shifted_operand(t, i), false);
}

void add_sub_extended(Translator& t, const Insn& i) {
  const Value a = t.r_sp(i.rn(), i.is_64());
  add_sub(t, i, a, extended(t, i.rm(), i.field(13, 3), i.field(10, 3), i.is_64()), true);
}

// a + b + C and a - b - !C. The carry is an operand of the flags too, so that chains stay one.
void add_sub_carry(Translator& t, const Insn& i) {
  const bool subtracts = i.bit(30), sets_flags = i.bit(29);
  const Value a = t.r(i.rn(), i.is_64());
  const Value b = t.r(i.rm(), i.is_64());
  const Value carry = t.condition(subtracts ? 3 : 2);  // CC or CS
  const Value addend = t.b.zext(carry, a.type);
  if (sets_flags) t.set_nzcv(subtracts ? t.b.flags_subc(a, b, carry) : t.b.flags_add(a, b, carry));
  const Value result = subtracts ? t.b.sub(t.b.sub(a, b), addend) : t.b.add(t.b.add(a, b), addend);
  t.set_r(i.rd(), result);
}

void multiply_add(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  const Value product = t.b.mul(a, t.r(i.rm(), i.is_64()));
  const Value addend = t.r(i.ra(), i.is_64());
  t.set_r(i.rd(), i.bit(15) ? t.b.sub(addend, product) : t.b.add(addend, product));
}

// Words to a doubleword.
void multiply_long(Translator& t, const Insn& i) {
  const bool is_unsigned = i.bit(23);
  const auto operand = [&](u32 reg) {
    const Value word = t.r(reg, false);
    return is_unsigned ? t.b.zext(word, Type::i64) : t.b.sext(word, Type::i64);
  };
  const Value a = operand(i.rn());
  const Value product = t.b.mul(a, operand(i.rm()));
  const Value addend = t.x(i.ra());
  t.set_x(i.rd(), i.bit(15) ? t.b.sub(addend, product) : t.b.add(addend, product));
}

void multiply_high(Translator& t, const Insn& i) {
  const Value a = t.x(i.rn());
  const Value b = t.x(i.rm());
  t.set_x(i.rd(), i.bit(23) ? t.b.mulh_u(a, b) : t.b.mulh_s(a, b));
}

// Division by zero gives 0; the one overflow gives the dividend, as the IR's does.
void divide(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  const Value b = t.r(i.rm(), i.is_64());
  const Value zero = t.constant(i.is_64(), 0);
  const Value quotient = i.bit(10) ? t.b.div_s(a, b) : t.b.div_u(a, b);
  t.set_r(i.rd(), t.b.select(t.b.eq(b, zero), zero, quotient));
}

void shift_variable(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  t.set_r(i.rd(), shifted(t, a, static_cast<Shift>(i.field(10, 2)), t.r(i.rm(), i.is_64())));
}

void crc32(Translator& t, const Insn& i) {
  const u64 bytes = u64{1} << i.field(10, 2), castagnoli = i.bit(12) ? 256 : 0;
  const Value checksum = t.r(i.rn(), false);
  const Value data = t.x(i.rm());
  t.set_x(i.rd(), t.call(HelperId::crc32, Type::i64, bytes | castagnoli, checksum, data));
}

}  // namespace pagoda::arm64::translate
