// SPDX-License-Identifier: MIT
// Exchange, exchange-and-add, compare-and-exchange; without a lock prefix they are plain loads and stores.
#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;

ir::MemOp atomic_access(const Insn& i) { return Translator::access(i.operands[0].size, ir::Order::seq_cst); }

void set_flags_of_compare(Translator& t, Value a, Value b) {
  t.set_flags(t.b.flags_sub(a, b, t.b.constant(Type::i1, 0)));
}

}  // namespace

void xchg(Translator& t, const Insn& i) {
  const Value b = t.read(i, 1);
  if (Translator::is_atomic(i)) {
    const Value address = t.address(i);
    return t.write(i, 1, t.b.atomic_rmw(ir::Rmw::swap, address, b, atomic_access(i)));
  }
  const Value a = t.read(i, 0);
  t.write(i, 0, b);
  t.write(i, 1, a);
}

void xadd(Translator& t, const Insn& i) {
  const Value b = t.read(i, 1);
  const bool locked = Translator::is_atomic(i);
  Value a;
  if (locked) {
    const Value address = t.address(i);
    a = t.b.atomic_rmw(ir::Rmw::add, address, b, atomic_access(i));
  } else {
    a = t.read(i, 0);
  }
  const Value sum = t.b.add(a, b);
  if (Translator::is_memory(i, 0)) {
    if (!locked) t.write(i, 0, sum);
    t.write(i, 1, a);
  } else {  // the same register twice: the sum stays
    t.write(i, 1, a);
    t.write(i, 0, sum);
  }
  t.set_flags(t.b.flags_add(a, b, t.b.constant(Type::i1, 0)));
  t.remember(sum);
}

// Memory is written in any case, with what it holds if the comparison fails. The accumulator is written only if it does
// fail: with 32 bits, its upper half stays otherwise (SDM volume 2, CMPXCHG).
void cmpxchg(Translator& t, const Insn& i) {
  const Value desired = t.read(i, 1);
  const Value expected = t.gpr(kRax, i.operands[0].size);
  const Value rax = t.gpr64(kRax);
  Value old;
  if (Translator::is_atomic(i)) {
    const Value address = t.address(i);
    old = t.b.atomic_cas(address, expected, desired, atomic_access(i));
  } else {
    old = t.read(i, 0);
  }
  const Value equal = t.b.eq(expected, old);
  const auto load_accumulator = [&] {
    t.set_gpr(kRax, old);
    t.set_slot(Slot::rax, t.b.select(equal, rax, t.gpr64(kRax)));
  };
  if (Translator::is_memory(i, 0)) {
    if (!Translator::is_atomic(i)) t.write(i, 0, t.b.select(equal, desired, old));
    load_accumulator();
  } else {
    const Operand& to = i.operands[0];
    const u32 slot = gpr_slot(to.reg);
    load_accumulator();
    const Value before = t.b.get_slot(slot);
    t.write(i, 0, desired);
    t.b.put_slot(slot, t.b.select(equal, t.b.get_slot(slot), before));
  }
  set_flags_of_compare(t, expected, old);
}

void cmpxchg8b(Translator& t, const Insn& i) {
  const auto pair = [&](u32 high, u32 low) {
    const Value upper = t.b.shl(t.gpr64(high), t.b.i64(32));
    return t.b.or_(upper, t.b.zext(t.gpr(low, 4), Type::i64));
  };
  const Value address = t.address(i);
  const Value expected = pair(kRdx, kRax);
  const Value desired = pair(kRcx, kRbx);
  Value old;
  if (i.lock) {
    old = t.b.atomic_cas(address, expected, desired, atomic_access(i));
  } else {
    old = t.load(Type::i64, address);
    t.store(address, t.b.select(t.b.eq(old, expected), desired, old));
  }
  const Value equal = t.b.eq(old, expected);
  const Value rax = t.gpr64(kRax), rdx = t.gpr64(kRdx);
  const Value low = t.b.zext(t.b.trunc(old, Type::i32), Type::i64);
  t.set_slot(Slot::rax, t.b.select(equal, rax, low));
  t.set_slot(Slot::rdx, t.b.select(equal, rdx, t.b.shr(old, t.b.i64(32))));
  t.set_flags(t.flag_bits({{ir::Flag::z, equal}}), kZf);
}

// Sixteen bytes have no IR op: the helper does what the lock prefix asks for, with or without it.
void cmpxchg16b(Translator& t, const Insn& i) { t.call(HelperId::cmpxchg16b, Type::none, 0, t.address(i)); }

}  // namespace pagoda::x86_64::op
