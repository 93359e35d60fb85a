// SPDX-License-Identifier: MIT
// Multiplication and division.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Flag;
using ir::Type;
using ir::Value;

// CF and OF say that the upper half matters; the others are undefined.
void set_flags_of_multiplication(Translator& t, Value low, Value overflow) {
  const Value bits = t.flag_bits({{Flag::c, overflow}, {Flag::v, overflow}});
  t.set_flags(t.b.flags_merge(t.b.flags_logic(low), bits, kCf | kOf));
}

// High half of a signed product, or all of it, is only the sign of the low one.
Value sign_of(Translator& t, Value low) { return t.b.sar(low, t.constant_like(low, width_of(low) - 1)); }

void write_double(Translator& t, Value high, Value low) {
  if (low.type == Type::i8) {
    const Value upper = t.b.shl(t.b.zext(high, Type::i16), t.b.constant(Type::i16, 8));
    return t.set_gpr(kRax, t.b.or_(upper, t.b.zext(low, Type::i16)));
  }
  t.set_gpr(kRax, low);
  t.set_gpr(kRdx, high);
}

void multiply(Translator& t, const Insn& i, bool is_signed) {
  const Value from = t.read(i, 0);
  const Value factor = t.gpr(kRax, i.operands[0].size);
  const Value low = t.b.mul(factor, from);
  const Value high = is_signed ? t.b.mulh_s(factor, from) : t.b.mulh_u(factor, from);
  const Value overflow = t.b.ne(high, is_signed ? sign_of(t, low) : t.constant_like(high, 0));
  write_double(t, high, low);
  set_flags_of_multiplication(t, low, overflow);
}

// Operands of up to 32 bits: the whole division is one of 64 bits.
void divide_narrow(Translator& t, const Insn& i, bool is_signed) {
  const u32 bytes = i.operands[0].size;
  const Type type = int_type(bytes);
  const auto extend = [&](Value value) { return is_signed ? t.b.sext(value, Type::i64) : t.b.zext(value, Type::i64); };
  const Value divisor = extend(t.read(i, 0));
  Value dividend;
  if (bytes == 1) {
    dividend = extend(t.gpr(kRax, 2));
  } else {
    const Value low = t.b.zext(t.gpr(kRax, bytes), Type::i64);
    const Value high = t.b.shl(extend(t.gpr(kRdx, bytes)), t.b.i64(8 * bytes));
    dividend = t.b.or_(high, low);
  }
  t.trap_if(t.is_zero(divisor), Vector::divide_error);
  const Value quotient = is_signed ? t.b.div_s(dividend, divisor) : t.b.div_u(dividend, divisor);
  const Value low = t.b.trunc(quotient, type);
  t.trap_if(t.b.ne(extend(low), quotient), Vector::divide_error);
  const Value remainder = is_signed ? t.b.rem_s(dividend, divisor) : t.b.rem_u(dividend, divisor);
  write_double(t, t.b.trunc(remainder, type), low);
}

void divide_wide(Translator& t, const Insn& i, bool is_signed) {
  const Value divisor = t.read(i, 0);
  const Value high = t.gpr64(kRdx), low = t.gpr64(kRax);
  if (is_signed) {
    const Value fits = t.call(HelperId::idivide_fits, Type::i64, 0, high, low, divisor);
    t.trap_if(t.is_zero(fits), Vector::divide_error);
  } else {
    t.trap_if(t.b.le_u(divisor, high), Vector::divide_error);
  }
  const HelperId helper = is_signed ? HelperId::idivide_wide : HelperId::divide_wide;
  const Value quotient = t.call(helper, Type::i64, 0, high, low, divisor);
  write_double(t, t.b.sub(low, t.b.mul(quotient, divisor)), quotient);
}

void divide(Translator& t, const Insn& i, bool is_signed) {
  i.operands[0].size == 8 ? divide_wide(t, i, is_signed) : divide_narrow(t, i, is_signed);
}

}  // namespace

void mul(Translator& t, const Insn& i) { multiply(t, i, false); }
void imul(Translator& t, const Insn& i) { multiply(t, i, true); }
void div(Translator& t, const Insn& i) { divide(t, i, false); }
void idiv(Translator& t, const Insn& i) { divide(t, i, true); }

void imul_into(Translator& t, const Insn& i) {
  const Value a = t.read(i, i.operand_count - 1u);
  const Value from = t.read(i, i.operand_count - 2u);
  const Value low = t.b.mul(from, a);
  const Value overflow = t.b.ne(t.b.mulh_s(from, a), sign_of(t, low));
  t.write(i, 0, low);
  set_flags_of_multiplication(t, low, overflow);
}

}  // namespace pagoda::x86_64::op
