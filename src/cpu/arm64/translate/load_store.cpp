// SPDX-License-Identifier: MIT
// Loads and stores of general registers (Arm ARM C3.2.5 to C3.2.11).
//
// Where a base is written back, that happens behind the access: an access that faults leaves it as it was.
#include "cpu/arm64/translate/address.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translator.h"

namespace pagoda::arm64::translate {

using ir::MemOp;
using ir::Type;
using ir::Value;

namespace {

// opc, bits 23-22: 1 zero-extends, 2 sign-extends to 64 bits, 3 to 32.
Value loaded(Translator& t, const Insn& i, Value address) {
  const u32 opc = i.field(22, 2);
  const MemOp op{.size_log2 = static_cast<u8>(i.size()), .sign = opc >= 2};
  const Value value = t.b.load(Type::i64, address, op);
  return opc == 3 ? t.b.and_(value, t.b.i64(0xffffffff)) : value;
}

}  // namespace

void load(Translator& t, const Insn& i) {
  const Address address = single_address(t, i, i.size());
  const Value value = loaded(t, i, address.access);
  write_back(t, i, address);
  t.set_x(i.rd(), value);
}

void store(Translator& t, const Insn& i) {
  const Address address = single_address(t, i, i.size());
  t.b.store(address.access, t.x(i.rd()), MemOp{.size_log2 = static_cast<u8>(i.size())});
  write_back(t, i, address);
}

void load_literal(Translator& t, const Insn& i) {
  const Value address = t.b.pc(static_cast<u64>(t.offset() + i.signed_field(5, 19) * 4));
  const bool sign = i.bit(31);
  t.set_x(i.rd(), t.b.load(Type::i64, address,
                           MemOp{.size_log2 = static_cast<u8>(sign ? 2 : 2 + i.field(30, 1)), .sign = sign}));
}

void prefetch(Translator&, const Insn&) {}

void load_pair(Translator& t, const Insn& i) {
  const u8 size = i.is_64() ? 3 : 2;
  const Address address = pair_address(t, i, size);
  const MemOp op{.size_log2 = size, .sign = i.field(30, 2) == 1};
  const Value first = t.b.load(Type::i64, address.access, op);
  const Value second = t.b.load(Type::i64, t.b.add(address.access, t.b.i64(u64{1} << size)), op);
  write_back(t, i, address);
  t.set_x(i.rd(), first);
  t.set_x(i.ra(), second);
}

void store_pair(Translator& t, const Insn& i) {
  const u8 size = i.is_64() ? 3 : 2;
  const Address address = pair_address(t, i, size);
  t.b.store(address.access, t.x(i.rd()), MemOp{.size_log2 = size});
  t.b.store(t.b.add(address.access, t.b.i64(u64{1} << size)), t.x(i.ra()), MemOp{.size_log2 = size});
  write_back(t, i, address);
}

}  // namespace pagoda::arm64::translate
