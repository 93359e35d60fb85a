// SPDX-License-Identifier: MIT
// Data processing with an immediate (Arm ARM C3.5, C4.1 "Data Processing -- Immediate").
#include "cpu/arm64/translate/arithmetic.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

void adr(Translator& t, const Insn& i) {
  const i64 distance = i.signed_field(5, 19) * 4 + i.field(29, 2);
  t.set_x(i.rd(), t.b.pc(static_cast<u64>(t.offset() + distance)));
}

// The page of the pc itself is not known while translating: only its offset from the block's start is.
void adrp(Translator& t, const Insn& i) {
  const u64 distance = static_cast<u64>(i.signed_field(5, 19) * 4 + i.field(29, 2)) << 12;
  const Value page = t.b.and_(t.b.pc(static_cast<u64>(t.offset())), t.b.i64(~u64{0xfff}));
  t.set_x(i.rd(), t.b.add(page, t.b.i64(distance)));
}

void add_sub_immediate(Translator& t, const Insn& i) {
  const Value a = t.r_sp(i.rn(), i.is_64());
  const Value b = t.constant(i.is_64(), u64{i.field(10, 12)} << (i.bit(22) ? 12 : 0));
  add_sub(t, i, a, b, true);
}

void logical_immediate(Translator& t, const Insn& i) {
  const Value a = t.r(i.rn(), i.is_64());
  const u64 mask = bit_mask(i.field(22, 1), i.field(10, 6), i.field(16, 6));
  const Value b = t.constant(i.is_64(), mask);
  switch (i.field(29, 2)) {
    case 0:
      return t.set_r_sp(i.rd(), t.b.and_(a, b));
    case 1:
      return t.set_r_sp(i.rd(), t.b.or_(a, b));
    case 2:
      return t.set_r_sp(i.rd(), t.b.xor_(a, b));
    default: {
      const Value result = t.b.and_(a, b);
      t.set_r(i.rd(), result);
      t.set_nzcv(t.b.flags_logic(result));
    }
  }
}

namespace {

u32 wide_position(const Insn& i) { return i.field(21, 2) * 16; }
u64 wide_value(const Insn& i) { return u64{i.field(5, 16)} << wide_position(i); }

}  // namespace

void movn(Translator& t, const Insn& i) { t.set_r(i.rd(), t.constant(i.is_64(), ~wide_value(i))); }
void movz(Translator& t, const Insn& i) { t.set_r(i.rd(), t.constant(i.is_64(), wide_value(i))); }
void movk(Translator& t, const Insn& i) {
  const Value kept = t.b.and_(t.r(i.rd(), i.is_64()), t.constant(i.is_64(), ~(u64{0xffff} << wide_position(i))));
  t.set_r(i.rd(), t.b.or_(kept, t.constant(i.is_64(), wide_value(i))));
}

// --- bit fields (C4.1 BFM and its kin): with imms >= immr the field that ends at imms and starts at immr goes to bit
// 0, else the low imms + 1 bits go to the register's width less immr
namespace {

struct Field {
  u32 width;     // of the register
  u32 rotation;  // immr
  u32 top;       // imms
  explicit Field(const Insn& i) : width(i.is_64() ? 64 : 32), rotation(i.field(16, 6)), top(i.field(10, 6)) {}
  bool extracts() const { return top >= rotation; }
  u32 bits() const { return extracts() ? top - rotation + 1 : top + 1; }
  u32 position() const { return extracts() ? 0 : width - rotation; }  // where it goes
  u64 ones() const { return bits() == 64 ? ~u64{0} : (u64{1} << bits()) - 1; }
  // Shifts that move the field's top to the register's, and from there to its place.
  u32 left() const { return width - 1 - top; }
  u32 right() const { return left() + (extracts() ? rotation : rotation - width); }
};

}  // namespace

void sbfm(Translator& t, const Insn& i) {
  const Field f(i);
  const Value source = t.r(i.rn(), i.is_64());
  if (f.rotation == 0 && (f.bits() == 8 || f.bits() == 16 || (f.bits() == 32 && i.is_64()))) {  // SXTB, SXTH, SXTW
    const Type narrow = f.bits() == 8 ? Type::i8 : f.bits() == 16 ? Type::i16 : Type::i32;
    return t.set_r(i.rd(), t.b.sext(t.b.trunc(source, narrow), source.type));
  }
  const Value high = t.b.shl(source, t.constant(i.is_64(), f.left()));
  t.set_r(i.rd(), t.b.sar(high, t.constant(i.is_64(), f.right())));
}

void ubfm(Translator& t, const Insn& i) {
  const Field f(i);
  const Value source = t.r(i.rn(), i.is_64());
  if (f.extracts() && f.top != f.width - 1 && f.bits() < 32) {
    const Value low = t.b.shr(source, t.constant(i.is_64(), f.rotation));
    return t.set_r(i.rd(), t.b.and_(low, t.constant(i.is_64(), f.ones())));
  }
  const Value high = t.b.shl(source, t.constant(i.is_64(), f.left()));
  t.set_r(i.rd(), t.b.shr(high, t.constant(i.is_64(), f.right())));
}

void bfm(Translator& t, const Insn& i) {
  const Field f(i);
  const u64 mask = f.ones() << f.position();
  const Value source = t.r(i.rn(), i.is_64());
  const Value field = f.extracts() ? t.b.shr(source, t.constant(i.is_64(), f.rotation))
                                   : t.b.shl(source, t.constant(i.is_64(), f.position()));
  const Value kept = t.b.and_(t.r(i.rd(), i.is_64()), t.constant(i.is_64(), ~mask));
  t.set_r(i.rd(), t.b.or_(kept, t.b.and_(field, t.constant(i.is_64(), mask))));
}

void extr(Translator& t, const Insn& i) {
  const u32 lsb = i.field(10, 6), width = i.is_64() ? 64 : 32;
  const Value high = t.r(i.rn(), i.is_64());
  const Value low = t.r(i.rm(), i.is_64());
  if (lsb == 0) return t.set_r(i.rd(), low);
  if (i.rn() == i.rm()) return t.set_r(i.rd(), t.b.rotr(low, t.constant(i.is_64(), lsb)));
  const Value upper = t.b.shl(high, t.constant(i.is_64(), width - lsb));
  t.set_r(i.rd(), t.b.or_(upper, t.b.shr(low, t.constant(i.is_64(), lsb))));
}

}  // namespace pagoda::arm64::translate
