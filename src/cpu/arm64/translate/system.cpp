// SPDX-License-Identifier: MIT
// Exceptions, hints, barriers, system registers of user code (Arm ARM C3.2.4, C5, C3.3.14).
#include "cpu/arm64/sysreg.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::Flag;
using ir::Order;
using ir::Type;
using ir::Value;

void udf(Translator& t, const Insn& i) { t.raise(Cause::undefined, i.bits); }
void svc(Translator& t, const Insn& i) { t.raise(Cause::supervisor_call, i.field(5, 16)); }
void brk(Translator& t, const Insn& i) { t.raise(Cause::breakpoint, i.field(5, 16)); }

// All that a hint may do is done by doing nothing.
void hint(Translator&, const Insn&) {}
void clrex(Translator& t, const Insn&) { t.b.put_slot(slot(Slot::exclusive_address), t.b.i64(kNoExclusive)); }

// Bits 1-0 of CRm: loads before all, stores before stores, everything before everything.
void barrier(Translator& t, const Insn& i) {
  switch (i.field(8, 2)) {
    case 1:
      return t.b.fence(Order::acquire);
    case 2:
      return t.b.fence(Order::release);
    default:
      return t.b.fence(Order::seq_cst);
  }
}
// What was changed before it holds for the instructions behind it.
void isb(Translator& t, const Insn&) { t.end_block(); }

namespace {

// Where NZCV has the flags: N 31, Z 30, C 29, V 28.
constexpr struct {
  Flag flag;
  u32 bit;
} kFlagBits[] = {{Flag::n, 31}, {Flag::z, 30}, {Flag::c, 29}, {Flag::v, 28}};

Value nzcv_bits(Translator& t) {
  const Value flags = t.nzcv();
  Value bits = t.b.i64(0);
  for (const auto& [flag, bit] : kFlagBits) {
    bits = t.b.or_(bits, t.b.shl(t.b.zext(t.b.flag(flags, flag), Type::i64), t.b.i64(bit)));
  }
  return bits;
}

Value flags_from_bits(Translator& t, Value bits) {
  Value packed = t.b.i64(0);
  for (const auto& [flag, bit] : kFlagBits) {
    const Value one = t.b.and_(t.b.shr(bits, t.b.i64(bit)), t.b.i64(1));
    packed = t.b.or_(packed, t.b.shl(one, t.b.i64(static_cast<u32>(flag))));
  }
  return t.b.flags_bits(t.b.trunc(packed, Type::i8));
}

// DIC and IDC unset, so that code is synchronised by instructions; lines of 64 bytes (D24.2.34). DC ZVA is not there
// (D24.2.39: DZP).
constexpr u64 kCacheType = 0x8444c004, kNoZeroing = 0x10;

}  // namespace

void mrs(Translator& t, const Insn& i) {
  const auto value = [&]() -> Value {
    switch (*find_sysreg(sysreg_number(i.bits))) {
      case SysReg::nzcv:
        return nzcv_bits(t);
      case SysReg::fpcr:
        return t.call(HelperId::get_fpcr, Type::i64);
      case SysReg::fpsr:
        return t.call(HelperId::get_fpsr, Type::i64);
      case SysReg::tpidr_el0:
        return t.b.get_slot(slot(Slot::tpidr_el0));
      case SysReg::ctr_el0:
        return t.b.i64(kCacheType);
      case SysReg::dczid_el0:
        return t.b.i64(kNoZeroing);
    }
    return {};
  };
  t.set_x(i.rd(), value());
}

void msr(Translator& t, const Insn& i) {
  const Value value = t.x(i.rd());
  switch (*find_sysreg(sysreg_number(i.bits))) {
    case SysReg::nzcv:
      return t.set_nzcv(flags_from_bits(t, value));
    case SysReg::fpcr:
      t.call(HelperId::set_fpcr, Type::none, 0, value);
      return t.end_block();
    case SysReg::fpsr:
      t.call(HelperId::set_fpsr, Type::none, 0, value);
      return;
    case SysReg::tpidr_el0:
      return t.b.put_slot(slot(Slot::tpidr_el0), value);
    case SysReg::ctr_el0:
    case SysReg::dczid_el0:
      return;  // not writable: the decoder knows no such instruction
  }
}

}  // namespace pagoda::arm64::translate
