// SPDX-License-Identifier: MIT
// Scalar floating point (Arm ARM C3.8): moves and selections as integers, arithmetic by helpers, whose operands and
// results are the low doublewords of registers.
#include "cpu/arm64/translate/expand_immediate.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

namespace {

// By the precision field, bits 23-22: single, double, -, half.
u64 mask_of(const Insn& i) {
  constexpr u64 masks[] = {0xffffffff, ~u64{0}, 0, 0xffff};
  return masks[i.field(22, 2)];
}
Value number(Translator& t, const Insn& i, u32 reg) {
  const Value low = t.v_low(reg);
  return i.field(22, 2) == 1 ? low : t.b.and_(low, t.b.i64(mask_of(i)));
}

}  // namespace

// FMOV, FABS, FNEG: bits 16-15
void fp_move(Translator& t, const Insn& i) {
  const Value value = number(t, i, i.rn());
  const u64 mask = mask_of(i), sign = mask ^ mask >> 1;
  switch (i.field(15, 2)) {
    case 0:
      return t.set_v_low(i.rd(), value);
    case 1:
      return t.set_v_low(i.rd(), t.b.and_(value, t.b.i64(mask >> 1)));
    default:
      return t.set_v_low(i.rd(), t.b.xor_(value, t.b.i64(sign)));
  }
}

// VFPExpandImm: sign, an exponent of three bits around that of one, four bits of fraction.
u64 expanded_immediate(u32 imm8, u32 precision) {
  const u64 sign = imm8 >> 7, low_exponent = imm8 >> 4 & 3, fraction = imm8 & 15;
  const bool high = (imm8 & 64) == 0;
  switch (precision) {
    case 0:
      return sign << 31 | (high ? u64{0x80} : u64{0x7c}) << 23 | low_exponent << 23 | fraction << 19;
    case 1:
      return sign << 63 | (high ? u64{0x400} : u64{0x3fc}) << 52 | low_exponent << 52 | fraction << 48;
    default:
      return sign << 15 | (high ? u64{0x10} : u64{0xc}) << 10 | low_exponent << 10 | fraction << 6;
  }
}

void fp_move_immediate(Translator& t, const Insn& i) {
  t.set_v_low(i.rd(), t.b.i64(expanded_immediate(i.field(13, 8), i.field(22, 2))));
}

// Bits 20-19 are 1 for the high doubleword of a vector.
void fp_move_to_general(Translator& t, const Insn& i) {
  if (i.field(19, 2) != 0) return t.set_x(i.rd(), t.v_high(i.rn()));
  t.set_x(i.rd(), number(t, i, i.rn()));
}
void fp_move_from_general(Translator& t, const Insn& i) {
  const Value value = t.x(i.rn());
  if (i.field(19, 2) != 0) return t.set_v_pair(i.rd(), t.v_low(i.rd()), value);
  t.set_v_low(i.rd(), i.field(22, 2) == 1 ? value : t.b.and_(value, t.b.i64(mask_of(i))));
}

void fp_one(Translator& t, const Insn& i) {
  t.set_v_low(i.rd(), t.call(HelperId::fp_one, Type::i64, i.bits, t.v_low(i.rn())));
}
void fp_two(Translator& t, const Insn& i) {
  const Value a = t.v_low(i.rn());
  const Value b = t.v_low(i.rm());
  t.set_v_low(i.rd(), t.call(HelperId::fp_two, Type::i64, i.bits, a, b));
}
void fp_three(Translator& t, const Insn& i) {
  const Value a = t.v_low(i.rn());
  const Value b = t.v_low(i.rm());
  const Value c = t.v_low(i.ra());
  t.set_v_low(i.rd(), t.call(HelperId::fp_three, Type::i64, i.bits, a, b, c));
}

namespace {

// The helper looks for the signalling bit where FCCMP has it.
Value compared(Translator& t, u32 word, Value a, Value b) {
  return t.b.flags_bits(t.b.trunc(t.call(HelperId::fp_compare, Type::i64, word, a, b), Type::i8));
}

}  // namespace

void fp_compare(Translator& t, const Insn& i) {
  const Value a = t.v_low(i.rn());
  const Value b = i.bit(3) ? t.b.i64(0) : t.v_low(i.rm());
  t.set_nzcv(compared(t, i.bits, a, b));
}

// Where the condition fails nothing is compared, so that no exception is raised: two ordinary numbers take its place.
void fp_conditional_compare(Translator& t, const Insn& i) {
  const Value holds = t.condition(i.field(12, 4));
  const Value zero = t.b.i64(0);
  const Value a = t.b.select(holds, t.v_low(i.rn()), zero);
  const Value b = t.b.select(holds, t.v_low(i.rm()), zero);
  t.set_nzcv(t.b.select(holds, compared(t, i.bits, a, b), t.flags_of_field(i.field(0, 4))));
}

void fp_conditional_select(Translator& t, const Insn& i) {
  const Value holds = t.condition(i.field(12, 4));
  const Value yes = number(t, i, i.rn());
  const Value no = number(t, i, i.rm());
  t.set_v_low(i.rd(), t.b.select(holds, yes, no));
}

void fp_to_integer(Translator& t, const Insn& i) {
  t.set_x(i.rd(), t.call(HelperId::fp_to_integer, Type::i64, i.bits, t.v_low(i.rn())));
}
void fp_from_integer(Translator& t, const Insn& i) {
  t.set_v_low(i.rd(), t.call(HelperId::fp_from_integer, Type::i64, i.bits, t.x(i.rn())));
}

}  // namespace pagoda::arm64::translate
