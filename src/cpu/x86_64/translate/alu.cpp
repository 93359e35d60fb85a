// SPDX-License-Identifier: MIT
// Two-operand arithmetic and logic, inc, dec, neg, not, test, ADX.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Rmw;
using ir::Type;
using ir::Value;

enum class Logic : u8 { and_, or_, xor_ };

Value no_carry(Translator& t) { return t.b.constant(Type::i1, 0); }

// Flags come before the result: that may take the first operand's register.
Value flags_of(Translator& t, bool subtract, Value a, Value b, Value carry) {
  return subtract ? t.b.flags_sub(a, b, carry) : t.b.flags_add(a, b, carry);
}
void set_flags_of_logic(Translator& t, Value result) {
  t.set_flags(t.b.flags_logic(result));
  t.remember(result);
}

// Old value of the destination, which becomes old (kind) operand in one step.
Value atomic(Translator& t, const Insn& i, Rmw kind, Value operand) {
  const Value address = t.address(i);
  return t.b.atomic_rmw(kind, address, operand, Translator::access(i.operands[0].size, ir::Order::seq_cst));
}

void add_or_sub(Translator& t, const Insn& i, bool subtract) {
  const Value b = t.read(i, 1);
  const bool locked = Translator::is_atomic(i);
  Value a;
  if (locked) {
    a = atomic(t, i, Rmw::add, subtract ? t.b.sub(t.constant_like(b, 0), b) : b);
  } else {
    a = t.read(i, 0);
  }
  const Value flags = flags_of(t, subtract, a, b, no_carry(t));
  const Value result = subtract ? t.b.sub(a, b) : t.b.add(a, b);
  if (!locked) t.write(i, 0, result);
  t.set_flags(flags);
  t.remember(result);
}

// With the carry there is no host step that does all: the sum is stored if memory still holds what was added to.
void with_carry(Translator& t, const Insn& i, bool subtract) {
  const Value b = t.read(i, 1);
  const Value a = t.read(i, 0);
  const Value carry = t.carry();
  const Value carry_in = t.b.zext(carry, a.type);
  const Value flags = flags_of(t, subtract, a, b, carry);
  const Value result = subtract ? t.b.sub(t.b.sub(a, b), carry_in) : t.b.add(t.b.add(a, b), carry_in);
  if (Translator::is_atomic(i)) {
    const Value address = t.address(i);
    const ir::MemOp access = Translator::access(i.operands[0].size, ir::Order::seq_cst);
    const Value found = t.b.atomic_cas(address, a, result, access);
    const Value stored = t.b.eq(found, a);
    t.set_flags(t.b.select(stored, flags, t.flags()));
    return t.end_or_again(stored);
  }
  t.write(i, 0, result);
  t.set_flags(flags);
  t.remember(result);
}

Value logic_of(Translator& t, Logic logic, Value a, Value b) {
  return logic == Logic::and_ ? t.b.and_(a, b) : logic == Logic::or_ ? t.b.or_(a, b) : t.b.xor_(a, b);
}

void logical(Translator& t, const Insn& i, Logic logic) {
  const Value b = t.read(i, 1);
  if (Translator::is_atomic(i)) {
    const Rmw kind = logic == Logic::and_ ? Rmw::and_ : logic == Logic::or_ ? Rmw::or_ : Rmw::xor_;
    const Value old = atomic(t, i, kind, b);
    return set_flags_of_logic(t, logic_of(t, logic, old, b));
  }
  const bool cleared = logic == Logic::xor_ && i.operands[0].kind == OperandKind::gpr &&
                       i.operands[1].kind == OperandKind::gpr && i.operands[0].reg == i.operands[1].reg;
  const Value result = cleared ? t.constant_like(b, 0) : logic_of(t, logic, t.read(i, 0), b);
  t.write(i, 0, result);
  set_flags_of_logic(t, result);
}

// inc and dec leave CF alone.
void step(Translator& t, const Insn& i, bool down) {
  const bool locked = Translator::is_atomic(i);
  const Value one = t.b.constant(int_type(i.operands[0].size), 1);
  const Value a = locked ? atomic(t, i, Rmw::add, down ? t.b.sub(t.constant_like(one, 0), one) : one) : t.read(i, 0);
  const Value old = t.flags();
  const Value now = t.b.flags_merge(old, flags_of(t, down, a, one, no_carry(t)), kAllFlags & ~kCf);
  const Value result = down ? t.b.sub(a, one) : t.b.add(a, one);
  if (!locked) t.write(i, 0, result);
  t.set_flags(now);
  t.remember(result);
}

}  // namespace

void add(Translator& t, const Insn& i) { add_or_sub(t, i, false); }
void sub(Translator& t, const Insn& i) { add_or_sub(t, i, true); }
void adc(Translator& t, const Insn& i) { with_carry(t, i, false); }
void sbb(Translator& t, const Insn& i) { with_carry(t, i, true); }
void and_(Translator& t, const Insn& i) { logical(t, i, Logic::and_); }
void or_(Translator& t, const Insn& i) { logical(t, i, Logic::or_); }
void xor_(Translator& t, const Insn& i) { logical(t, i, Logic::xor_); }
void inc(Translator& t, const Insn& i) { step(t, i, false); }
void dec(Translator& t, const Insn& i) { step(t, i, true); }

void cmp(Translator& t, const Insn& i) {
  const Value a = t.read(i, 0);
  const Value b = t.read(i, 1);
  t.set_flags(t.b.flags_sub(a, b, no_carry(t)));
}

void test(Translator& t, const Insn& i) {
  const Operand &x = i.operands[0], &y = i.operands[1];
  const Value a = t.read(i, 0);
  const bool same = x.kind == OperandKind::gpr && y.kind == OperandKind::gpr && x.reg == y.reg;
  set_flags_of_logic(t, same ? a : t.b.and_(a, t.read(i, 1)));
}

void not_(Translator& t, const Insn& i) {
  if (Translator::is_atomic(i)) {
    const Type type = int_type(i.operands[0].size);
    atomic(t, i, Rmw::xor_, t.b.constant(type, ~u64{0}));
    return;
  }
  t.write(i, 0, t.b.not_(t.read(i, 0)));
}

void neg(Translator& t, const Insn& i) {
  const Value a = t.read(i, 0);
  const Value zero = t.constant_like(a, 0);
  const Value flags = flags_of(t, true, zero, a, no_carry(t));
  const Value result = t.b.sub(zero, a);
  if (Translator::is_atomic(i)) {
    const Value address = t.address(i);
    const ir::MemOp access = Translator::access(i.operands[0].size, ir::Order::seq_cst);
    const Value stored = t.b.eq(t.b.atomic_cas(address, a, result, access), a);
    t.set_flags(t.b.select(stored, flags, t.flags()));
    return t.end_or_again(stored);
  }
  t.write(i, 0, result);
  t.set_flags(flags);
  t.remember(result);
}

// The chains of adcx and adox: CF or OF is carry in and out.
void adcx(Translator& t, const Insn& i) {
  const Value b = t.read(i, 1);
  const Value a = t.read(i, 0);
  const Value carry = t.b.flag(t.flags(), ir::Flag::c);
  t.write(i, 0, t.b.add(t.b.add(a, b), t.b.zext(carry, a.type)));
  t.set_flags(t.b.flags_add(a, b, carry), kCf);
}

void adox(Translator& t, const Insn& i) {
  const Value b = t.read(i, 1);
  const Value a = t.read(i, 0);
  const Value carry = t.b.flag(t.flags(), ir::Flag::v);
  t.write(i, 0, t.b.add(t.b.add(a, b), t.b.zext(carry, a.type)));
  const Value out = t.b.flag(t.b.flags_add(a, b, carry), ir::Flag::c);
  t.set_flags(t.flag_bits({{ir::Flag::v, out}}), kOf);
}

}  // namespace pagoda::x86_64::op
