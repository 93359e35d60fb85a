// SPDX-License-Identifier: MIT
// Conditional comparison and selection, manipulation of flags (Arm ARM C3.6.11, C3.6.12, FEAT_FlagM).
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

// The flags are a selection of two flags values: a later condition looks through it (ir::condition_value).
void conditional_compare(Translator& t, const Insn& i) {
  const Value holds = t.condition(i.field(12, 4));
  const Value a = t.r(i.rn(), i.is_64());
  const Value b = i.bit(11) ? t.constant(i.is_64(), i.field(16, 5)) : t.r(i.rm(), i.is_64());
  const Value none = t.b.constant(Type::i1, 0);
  const Value compared = i.bit(30) ? t.b.flags_subc(a, b, none) : t.b.flags_add(a, b, none);
  t.set_nzcv(t.b.select(holds, compared, t.flags_of_field(i.field(0, 4))));
}

void conditional_select(Translator& t, const Insn& i) {
  const bool inverts = i.bit(30), increments = i.bit(10);
  // CSET and CSETM; AL has no opposite.
  if (i.rn() == 31 && i.rm() == 31 && inverts != increments && i.field(13, 3) != 7) {
    const Value fails = t.condition(i.field(12, 4) ^ 1);
    if (increments) return t.set_x(i.rd(), t.b.zext(fails, Type::i64));
    return t.set_r(i.rd(), t.b.sext(fails, Translator::width(i.is_64())));
  }
  const Value holds = t.condition(i.field(12, 4));
  const Value yes = t.r(i.rn(), i.is_64());
  Value no = t.r(i.rm(), i.is_64());
  if (inverts && increments) {
    no = t.b.sub(t.constant(i.is_64(), 0), no);
  } else if (inverts) {
    no = t.b.not_(no);
  } else if (increments) {
    no = t.b.add(no, t.constant(i.is_64(), 1));
  }
  t.set_r(i.rd(), t.b.select(holds, yes, no));
}

void cfinv(Translator& t, const Insn&) {
  const Value flags = t.nzcv();
  const Value bits = t.b.flags_pack(flags);
  constexpr u64 carry = 1u << static_cast<u32>(ir::Flag::c);
  t.set_nzcv(t.b.flags_bits(t.b.xor_(bits, t.b.constant(Type::i8, carry))));
}

namespace {

// Bit `from` of a value as a flag.
Value flag_bit(Translator& t, Value value, u32 from, ir::Flag flag) {
  const Value bit = t.b.and_(t.b.shr(value, t.b.constant(value.type, from)), t.b.constant(value.type, 1));
  return t.b.shl(bit, t.b.constant(value.type, static_cast<u32>(flag)));
}

}  // namespace

// Flags from the low bits of a rotated register, those of a mask.
void rmif(Translator& t, const Insn& i) {
  const Value rotated = t.b.rotr(t.x(i.rn()), t.b.i64(i.field(15, 6)));
  constexpr ir::Flag order[] = {ir::Flag::v, ir::Flag::c, ir::Flag::z, ir::Flag::n};  // bits 0 to 3
  Value bits = t.b.i64(0);
  u64 mask = 0;
  for (u32 bit = 0; bit < 4; ++bit) {
    if (!i.bit(bit)) continue;
    bits = t.b.or_(bits, flag_bit(t, rotated, bit, order[bit]));
    mask |= u64{1} << static_cast<u32>(order[bit]);
  }
  const Value old = t.b.flags_pack(t.nzcv());
  const Value kept = t.b.and_(old, t.b.constant(Type::i8, ~mask & 0xff));
  t.set_nzcv(t.b.flags_bits(t.b.or_(kept, t.b.trunc(bits, Type::i8))));
}

// N, Z and V as if the low 8 or 16 bits were a sum's; C stays.
void setf(Translator& t, const Insn& i) {
  const u32 top = i.bit(14) ? 15 : 7;
  const Value value = t.r(i.rn(), false);
  const Value sign = flag_bit(t, value, top, ir::Flag::n);
  const Value next = t.b.xor_(t.b.shr(value, t.b.i32(top)), t.b.shr(value, t.b.i32(top + 1)));
  const Value overflow = flag_bit(t, next, 0, ir::Flag::v);
  const Value low = t.b.and_(value, t.b.i32((2u << top) - 1));
  const Value zero = t.b.shl(t.b.zext(t.b.eq(low, t.b.i32(0)), Type::i32), t.b.i32(static_cast<u32>(ir::Flag::z)));
  const Value bits = t.b.trunc(t.b.or_(t.b.or_(sign, overflow), zero), Type::i8);
  const Value carry = t.b.and_(t.b.flags_pack(t.nzcv()), t.b.constant(Type::i8, 1u << static_cast<u32>(ir::Flag::c)));
  t.set_nzcv(t.b.flags_bits(t.b.or_(bits, carry)));
}

}  // namespace pagoda::arm64::translate
