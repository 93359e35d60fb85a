// SPDX-License-Identifier: MIT
// Bit test and modify, bit scan, bit counts, byte order.
#include <bit>

#include "cpu/x86_64/handlers.h"
#include "cpu/x86_64/translator.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Flag;
using ir::Type;
using ir::Value;

enum class BitOp : u8 { test, set, reset, complement };

Value changed(Translator& t, BitOp op, Value value, Value mask) {
  switch (op) {
    case BitOp::set:
      return t.b.or_(value, mask);
    case BitOp::reset:
      return t.b.and_(value, t.b.not_(mask));
    default:
      return t.b.xor_(value, mask);
  }
}

// A bit string in memory: the element that holds the bit, whose offset is a signed number of bits from the address.
Value element_address(Translator& t, const Insn& i, Value offset) {
  const u32 bytes = i.operands[0].size;
  const Value wide = t.b.sext(offset, Type::i64);
  const Value element = t.b.sar(wide, t.b.i64(static_cast<u64>(std::countr_zero(bytes * 8))));
  const Value distance = t.b.shl(element, t.b.i64(static_cast<u64>(std::countr_zero(bytes))));
  const Value plain = t.offset_of(i);
  return t.linear(i, t.shorten(i, t.b.add(plain, distance)));
}

void bit_test(Translator& t, const Insn& i, BitOp op) {
  const Type type = int_type(i.operands[0].size);
  const u32 width = ir::type_bits(type);
  const bool constant = i.operands[1].kind == OperandKind::immediate;
  const bool memory = Translator::is_memory(i, 0);
  const Value offset = constant ? t.b.constant(type, i.operands[1].value) : t.read(i, 1);
  const Value number = t.b.and_(offset, t.b.constant(type, width - 1));
  const Value mask = t.b.shl(t.b.constant(type, 1), number);
  Value address{}, old;
  if (memory) address = constant ? t.address(i) : element_address(t, i, offset);
  if (memory && i.lock) {
    const ir::Rmw kind = op == BitOp::set ? ir::Rmw::or_ : op == BitOp::reset ? ir::Rmw::and_ : ir::Rmw::xor_;
    const Value operand = op == BitOp::reset ? t.b.not_(mask) : mask;
    old = t.b.atomic_rmw(kind, address, operand, Translator::access(i.operands[0].size, ir::Order::seq_cst));
  } else {
    old = memory ? t.load(type, address) : t.read(i, 0);
    if (op != BitOp::test) {
      const Value now = changed(t, op, old, mask);
      memory ? t.store(address, now) : t.write(i, 0, now);
    }
  }
  const Value bit = t.b.trunc(t.b.shr(old, number), Type::i1);
  t.set_flags(t.flag_bits({{Flag::c, bit}}), kCf);
}

// The destination stays if there is no bit to find; with 32-bit operands all 64 bits of it stay.
void scan(Translator& t, const Insn& i, bool reverse) {
  const Value from = t.read(i, 1);
  const u32 slot = gpr_slot(i.operands[0].reg);
  const Value before = t.b.get_slot(slot);
  const Value zero = t.is_zero(from);
  const Value last = t.constant_like(from, width_of(from) - 1);
  const Value found = reverse ? t.b.sub(last, t.b.clz(from)) : t.b.ctz(from);
  t.write(i, 0, found);
  t.b.put_slot(slot, t.b.select(zero, before, t.b.get_slot(slot)));
  t.set_flags(t.flag_bits({{Flag::z, zero}}), kZf);
}

void count(Translator& t, const Insn& i, bool leading) {
  const Value from = t.read(i, 1);
  const Value result = leading ? t.b.clz(from) : t.b.ctz(from);
  t.write(i, 0, result);
  t.set_flags(t.flag_bits({{Flag::c, t.is_zero(from)}, {Flag::z, t.is_zero(result)}}), kCf | kZf);
}

}  // namespace

void bt(Translator& t, const Insn& i) { bit_test(t, i, BitOp::test); }
void bts(Translator& t, const Insn& i) { bit_test(t, i, BitOp::set); }
void btr(Translator& t, const Insn& i) { bit_test(t, i, BitOp::reset); }
void btc(Translator& t, const Insn& i) { bit_test(t, i, BitOp::complement); }
void bsf(Translator& t, const Insn& i) { scan(t, i, false); }
void bsr(Translator& t, const Insn& i) { scan(t, i, true); }
void tzcnt(Translator& t, const Insn& i) { count(t, i, false); }
void lzcnt(Translator& t, const Insn& i) { count(t, i, true); }

void popcnt(Translator& t, const Insn& i) {
  const Value from = t.read(i, 1);
  t.write(i, 0, t.b.popcnt(from));
  t.set_flags(t.flag_bits({{Flag::z, t.is_zero(from)}}));
}

// Of 16 bits the result is undefined; here it is 0, as processors have it.
void bswap(Translator& t, const Insn& i) {
  const Value from = t.read(i, 0);
  t.write(i, 0, from.type == Type::i16 ? t.constant_like(from, 0) : t.b.bswap(from));
}

void movbe(Translator& t, const Insn& i) { t.write(i, 0, t.b.bswap(t.read(i, 1))); }

void crc32(Translator& t, const Insn& i) {
  const Value data = t.b.zext(t.read(i, 1), Type::i64);
  const Value sum = t.gpr64(i.operands[0].reg);
  const Value result = t.call(HelperId::crc32, Type::i64, i.operands[1].size, sum, data);
  t.set_slot(static_cast<Slot>(gpr_slot(i.operands[0].reg)), result);
}

}  // namespace pagoda::x86_64::op
