// SPDX-License-Identifier: MIT
// Atomics: A chapter 14, Zawrs 15, Zacas 16, Zabha 17. All fault when misaligned.
#include "cpu/riscv64/translate/handlers.h"
#include "cpu/riscv64/translator.h"

namespace pagoda::riscv64::translate {

using ir::MemOp;
using ir::Order;
using ir::Rmw;
using ir::Type;
using ir::Value;

namespace {

constexpr u32 kReservedAddress = static_cast<u32>(Slot::reserved_address);
constexpr u32 kReservedValue = static_cast<u32>(Slot::reserved_value);

MemOp access(const Insn& i, Type type) {
  constexpr Order orders[] = {Order::plain, Order::release, Order::acquire, Order::seq_cst};  // by aq, rl
  const u8 size_log2 = static_cast<u8>(static_cast<u32>(type) - static_cast<u32>(Type::i8));
  return {.size_log2 = size_log2, .align = true, .order = orders[i.bits >> 25 & 3]};
}

Value source(Translator& t, u32 reg, Type type) { return t.b.trunc(t.x(reg), type); }

// 14.2. The reservation is the address and what it held: the store succeeds if memory still holds it. The old value of
// a narrow access is kept as loaded, sign-extended; the store compares as many bits as it writes.
void load_reserved(Translator& t, const Insn& i, Type type) {
  const Value address = t.x(i.rs1);
  MemOp op = access(i, type);
  // A load with rl comes behind all earlier stores, plain ones too, which is more than an order of the load itself
  // says.
  if (op.order == Order::release || op.order == Order::seq_cst) {
    t.b.fence(Order::seq_cst);
    op.order = op.order == Order::release ? Order::plain : Order::acquire;
  }
  op.sign = true;
  const Value value = t.b.load(Type::i64, address, op);
  t.b.put_slot(kReservedAddress, address);
  t.b.put_slot(kReservedValue, value);
  t.set_x(i.rd, value);
}

void store_conditional(Translator& t, const Insn& i, Type type) {
  const Value address = t.x(i.rs1);
  const Value value = source(t, i.rs2, type);
  const Value reserved_address = t.b.get_slot(kReservedAddress);
  const Value reserved_value = t.b.trunc(t.b.get_slot(kReservedValue), type);
  const Value stored = t.b.store_cond(address, reserved_address, reserved_value, value, access(i, type));
  t.b.put_slot(kReservedAddress, t.b.i64(kNoReservation));
  t.set_x_bool(i.rd, t.b.eq(stored, t.b.constant(Type::i1, 0)));
}

// 14.4
void rmw(Translator& t, const Insn& i, Type type, Rmw kind) {
  const Value address = t.x(i.rs1);
  t.set_x_sext(i.rd, t.b.atomic_rmw(kind, address, source(t, i.rs2, type), access(i, type)));
}

// 16.1
void compare_and_swap(Translator& t, const Insn& i, Type type) {
  const Value address = t.x(i.rs1);
  const Value expected = source(t, i.rd, type), desired = source(t, i.rs2, type);
  t.set_x_sext(i.rd, t.b.atomic_cas(address, expected, desired, access(i, type)));
}

}  // namespace

void lr_w(Translator& t, const Insn& i) { load_reserved(t, i, Type::i32); }
void lr_d(Translator& t, const Insn& i) { load_reserved(t, i, Type::i64); }
void sc_w(Translator& t, const Insn& i) { store_conditional(t, i, Type::i32); }
void sc_d(Translator& t, const Insn& i) { store_conditional(t, i, Type::i64); }

void amoswap_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::swap); }
void amoadd_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::add); }
void amoxor_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::xor_); }
void amoand_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::and_); }
void amoor_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::or_); }
void amomin_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::min_s); }
void amomax_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::max_s); }
void amominu_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::min_u); }
void amomaxu_w(Translator& t, const Insn& i) { rmw(t, i, Type::i32, Rmw::max_u); }
void amoswap_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::swap); }
void amoadd_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::add); }
void amoxor_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::xor_); }
void amoand_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::and_); }
void amoor_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::or_); }
void amomin_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::min_s); }
void amomax_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::max_s); }
void amominu_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::min_u); }
void amomaxu_d(Translator& t, const Insn& i) { rmw(t, i, Type::i64, Rmw::max_u); }
void amoswap_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::swap); }
void amoadd_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::add); }
void amoxor_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::xor_); }
void amoand_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::and_); }
void amoor_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::or_); }
void amomin_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::min_s); }
void amomax_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::max_s); }
void amominu_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::min_u); }
void amomaxu_b(Translator& t, const Insn& i) { rmw(t, i, Type::i8, Rmw::max_u); }
void amoswap_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::swap); }
void amoadd_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::add); }
void amoxor_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::xor_); }
void amoand_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::and_); }
void amoor_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::or_); }
void amomin_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::min_s); }
void amomax_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::max_s); }
void amominu_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::min_u); }
void amomaxu_h(Translator& t, const Insn& i) { rmw(t, i, Type::i16, Rmw::max_u); }

void amocas_b(Translator& t, const Insn& i) { compare_and_swap(t, i, Type::i8); }
void amocas_h(Translator& t, const Insn& i) { compare_and_swap(t, i, Type::i16); }
void amocas_w(Translator& t, const Insn& i) { compare_and_swap(t, i, Type::i32); }
void amocas_d(Translator& t, const Insn& i) { compare_and_swap(t, i, Type::i64); }
void amocas_q(Translator& t, const Insn& i) {
  t.call(HelperId::amocas_q, Type::none, u64{i.rd} | u64{i.rs2} << 8, t.x(i.rs1));
}

void wrs_nto(Translator& t, const Insn&) { t.call(HelperId::wait_reservation, Type::none); }
void wrs_sto(Translator& t, const Insn&) { t.call(HelperId::wait_reservation, Type::none, 1); }

}  // namespace pagoda::riscv64::translate
