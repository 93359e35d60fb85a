// SPDX-License-Identifier: MIT
// Exclusives, ordered accesses, atomics (Arm ARM C3.2.12 to C3.2.15, B2.10, FEAT_LSE).
//
// The exclusive monitor is an address and what was loaded from it: the store succeeds if memory still holds that.
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::MemOp;
using ir::Order;
using ir::Rmw;
using ir::Type;
using ir::Value;

namespace {

constexpr u32 kAddress = slot(Slot::exclusive_address), kValue = slot(Slot::exclusive_value);
constexpr Type kTypes[] = {Type::i8, Type::i16, Type::i32, Type::i64};  // by size

MemOp access(u32 size, Order order) { return {.size_log2 = static_cast<u8>(size), .align = true, .order = order}; }
Order order_of(bool acquires, bool releases) {
  return acquires && releases ? Order::seq_cst : acquires ? Order::acquire : releases ? Order::release : Order::plain;
}

}  // namespace

void load_exclusive(Translator& t, const Insn& i) {
  const Value address = t.x_sp(i.rn());
  const Value value = t.b.load(Type::i64, address, access(i.size(), order_of(i.bit(15), false)));
  t.b.put_slot(kAddress, address);
  t.b.put_slot(kValue, value);
  t.set_x(i.rd(), value);
}

void store_exclusive(Translator& t, const Insn& i) {
  const Type type = kTypes[i.size()];
  const Value address = t.x_sp(i.rn());
  const Value value = t.b.trunc(t.x(i.rd()), type);
  const Value reserved_address = t.b.get_slot(kAddress);
  const Value reserved_value = t.b.trunc(t.b.get_slot(kValue), type);
  const Value stored =
      t.b.store_cond(address, reserved_address, reserved_value, value, access(i.size(), order_of(false, i.bit(15))));
  t.b.put_slot(kAddress, t.b.i64(kNoExclusive));
  t.set_x(i.rm(), t.b.zext(t.b.xor_(stored, t.b.constant(Type::i1, 1)), Type::i64));
}

// Two words are one access of a doubleword; two doublewords are a helper's.
void load_exclusive_pair(Translator& t, const Insn& i) {
  const Value address = t.x_sp(i.rn());
  if (i.bit(30)) {
    t.call(HelperId::ldxp, Type::none, i.rd() | u64{i.ra()} << 8, address);
    return;
  }
  const Value both = t.b.load(Type::i64, address, access(3, order_of(i.bit(15), false)));
  t.b.put_slot(kAddress, address);
  t.b.put_slot(kValue, both);
  t.set_x(i.rd(), t.b.and_(both, t.b.i64(0xffffffff)));
  t.set_x(i.ra(), t.b.shr(both, t.b.i64(32)));
}

void store_exclusive_pair(Translator& t, const Insn& i) {
  const Value address = t.x_sp(i.rn());
  if (i.bit(30)) {
    const Value failed = t.call(HelperId::stxp, Type::i64, i.rd() | u64{i.ra()} << 8, address);
    t.b.put_slot(kAddress, t.b.i64(kNoExclusive));
    return t.set_x(i.rm(), failed);
  }
  const Value low = t.b.and_(t.x(i.rd()), t.b.i64(0xffffffff));
  const Value both = t.b.or_(low, t.b.shl(t.x(i.ra()), t.b.i64(32)));
  const Value reserved_address = t.b.get_slot(kAddress);
  const Value reserved_value = t.b.get_slot(kValue);
  const Value stored =
      t.b.store_cond(address, reserved_address, reserved_value, both, access(3, order_of(false, i.bit(15))));
  t.b.put_slot(kAddress, t.b.i64(kNoExclusive));
  t.set_x(i.rm(), t.b.zext(t.b.xor_(stored, t.b.constant(Type::i1, 1)), Type::i64));
}

void load_acquire(Translator& t, const Insn& i) {
  t.set_x(i.rd(), t.b.load(Type::i64, t.x_sp(i.rn()), access(i.size(), Order::acquire)));
}

// LDAR is ordered behind STLR (B2.3.10), which a release alone does not say.
void store_release(Translator& t, const Insn& i) {
  const Value address = t.x_sp(i.rn());
  t.b.store(address, t.x(i.rd()), access(i.size(), Order::seq_cst));
}

void compare_and_swap(Translator& t, const Insn& i) {
  const Type type = kTypes[i.size()];
  const Value address = t.x_sp(i.rn());
  const Value expected = t.b.trunc(t.x(i.rm()), type);
  const Value desired = t.b.trunc(t.x(i.rd()), type);
  t.set_r(i.rm(), t.b.atomic_cas(address, expected, desired, access(i.size(), order_of(i.bit(22), i.bit(15)))));
}

void compare_and_swap_pair(Translator& t, const Insn& i) {
  const Value address = t.x_sp(i.rn());
  if (i.bit(30)) {
    t.call(HelperId::casp, Type::none, i.rm() | u64{i.rd()} << 8, address);
    return;
  }
  const auto both = [&](u32 reg) {
    const Value low = t.b.and_(t.x(reg), t.b.i64(0xffffffff));
    return t.b.or_(low, t.b.shl(t.x(reg + 1), t.b.i64(32)));
  };
  const Value expected = both(i.rm());
  const Value old = t.b.atomic_cas(address, expected, both(i.rd()), access(3, order_of(i.bit(22), i.bit(15))));
  t.set_x(i.rm(), t.b.and_(old, t.b.i64(0xffffffff)));
  t.set_x(i.rm() + 1, t.b.shr(old, t.b.i64(32)));
}

// o3:opc, bits 15-12; LDCLR clears the bits that are set in Rs.
void atomic(Translator& t, const Insn& i) {
  constexpr Rmw kinds[] = {Rmw::add,   Rmw::and_,  Rmw::xor_,  Rmw::or_, Rmw::max_s,
                           Rmw::min_s, Rmw::max_u, Rmw::min_u, Rmw::swap};
  const Rmw kind = kinds[i.field(12, 4)];
  const Value address = t.x_sp(i.rn());
  Value operand = t.b.trunc(t.x(i.rm()), kTypes[i.size()]);
  if (kind == Rmw::and_) operand = t.b.not_(operand);
  t.set_r(i.rd(), t.b.atomic_rmw(kind, address, operand, access(i.size(), order_of(i.bit(23), i.bit(22)))));
}

}  // namespace pagoda::arm64::translate
