// SPDX-License-Identifier: MIT
// Loads and stores of floating-point and vector registers, structures of elements (Arm ARM C3.2.9, C3.2.10, C3.2.17).
//
// Registers are written behind the last access that may fault.
#include "cpu/arm64/translate/address.h"
#include "cpu/arm64/translate/elements.h"
#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::MemOp;
using ir::Type;
using ir::Value;

namespace {

// 2^size bytes, the rest zero.
Value loaded(Translator& t, Value address, u32 size) {
  const MemOp op{.size_log2 = static_cast<u8>(size)};
  if (size == 4) return t.b.load(Type::v128, address, op);
  return t.b.vec_pair(t.b.load(Type::i64, address, op), t.b.i64(0));
}

void stored(Translator& t, Value address, Value value, u32 size) {
  t.b.store(address, size == 4 ? value : t.b.vec_low(value), {.size_log2 = static_cast<u8>(size)});
}

// opc<1> makes the size of bytes sixteen.
u32 single_size(const Insn& i) { return i.bit(23) ? 4 : i.size(); }
u32 pair_size(const Insn& i) { return 2 + i.size(); }

}  // namespace

void load_vector(Translator& t, const Insn& i) {
  const u32 size = single_size(i);
  const Address address = single_address(t, i, size);
  const Value value = loaded(t, address.access, size);
  write_back(t, i, address);
  t.set_v(i.rd(), value);
}

void store_vector(Translator& t, const Insn& i) {
  const u32 size = single_size(i);
  const Address address = single_address(t, i, size);
  stored(t, address.access, t.v(i.rd()), size);
  write_back(t, i, address);
}

void load_vector_literal(Translator& t, const Insn& i) {
  const Value address = t.b.pc(static_cast<u64>(t.offset() + i.signed_field(5, 19) * 4));
  const Value value = loaded(t, address, pair_size(i));
  t.set_v(i.rd(), value);
}

void load_vector_pair(Translator& t, const Insn& i) {
  const u32 size = pair_size(i);
  const Address address = pair_address(t, i, size);
  const Value first = loaded(t, address.access, size);
  const Value second = loaded(t, offset_from(t, address.access, i64{1} << size), size);
  write_back(t, i, address);
  t.set_v(i.rd(), first);
  t.set_v(i.ra(), second);
}

void store_vector_pair(Translator& t, const Insn& i) {
  const u32 size = pair_size(i);
  const Address address = pair_address(t, i, size);
  stored(t, address.access, t.v(i.rd()), size);
  stored(t, offset_from(t, address.access, i64{1} << size), t.v(i.ra()), size);
  write_back(t, i, address);
}

// --- structures ------------------------------------------------------------------------------------------------------
namespace {

// Post-indexed, bit 23: by a register, or (31) by the bytes that were accessed.
void advance(Translator& t, const Insn& i, Value base, u32 bytes) {
  if (!i.bit(23)) return;
  t.set_x_sp(i.rn(), t.b.add(base, i.rm() == 31 ? t.b.i64(bytes) : t.x(i.rm())));
}

struct Structures {
  u32 registers;
  bool interleaved;
};
// Opcode, bits 15-12.
Structures structures_of(const Insn& i) {
  switch (i.field(12, 4)) {
    case 0b0000:
      return {4, true};
    case 0b0010:
      return {4, false};
    case 0b0100:
      return {3, true};
    case 0b0110:
      return {3, false};
    case 0b0111:
      return {1, false};
    case 0b1000:
      return {2, true};
    default:
      return {2, false};
  }
}

}  // namespace

// Interleaved ones come into the registers as they lie in memory, and a helper sorts them.
void load_structures(Translator& t, const Insn& i) {
  const Structures s = structures_of(i);
  const u32 size = i.bit(30) ? 4 : 3;
  const Value base = t.x_sp(i.rn());
  Value values[4];
  for (u32 r = 0; r < s.registers; ++r) values[r] = loaded(t, offset_from(t, base, i64{r} << size), size);
  for (u32 r = 0; r < s.registers; ++r) t.set_v((i.rd() + r) & 31, values[r]);
  if (s.interleaved) t.call(HelperId::simd_deinterleave, Type::none, i.bits);
  advance(t, i, base, s.registers << size);
}

namespace {

// Three registers' elements of 2^size bytes in turn: sixteen bytes of memory from byte `from` on, out of tables.
Value interleaved_three(Translator& t, const Value (&v)[4], u32 size, u32 from) {
  Value all;
  for (u32 r = 0; r < 3; ++r) {
    u64 positions[2] = {};
    for (u32 byte = 0; byte < 16; ++byte) {
      const u32 element = (from + byte) >> size, within = (from + byte) & ((1u << size) - 1);
      const u64 position = element % 3 == r ? (element / 3 << size) + within : 0x80;  // 0x80: none of this register
      positions[byte / 8] |= (position & 0xff) << byte % 8 * 8;
    }
    const Value mine = t.b.vec(VecOp::table, v[r], t.b.vec_pair(t.b.i64(positions[0]), t.b.i64(positions[1])));
    all = r == 0 ? mine : t.b.or_(all, mine);
  }
  return all;
}

// What structures of `registers` elements are in memory, sixteen bytes each.
void interleave(Translator& t, Value (&v)[4], u32 registers, u32 size) {
  const auto zipped = [&](bool high, Value a, Value b) {
    return t.b.vec(of_size(high ? VecOp::zip_high_8 : VecOp::zip_low_8, size), a, b);
  };
  const Value from[4] = {v[0], v[1], v[2], v[3]};
  if (registers == 3) {
    for (u32 k = 0; k < 3; ++k) v[k] = interleaved_three(t, from, size, 16 * k);
    return;
  }
  if (registers == 2) {
    for (u32 k = 0; k < 2; ++k) v[k] = zipped(k != 0, from[0], from[1]);
    return;
  }
  for (u32 k = 0; k < 2; ++k) {
    const Value even = zipped(k != 0, from[0], from[2]);
    const Value odd = zipped(k != 0, from[1], from[3]);
    v[2 * k] = zipped(false, even, odd);
    v[2 * k + 1] = zipped(true, even, odd);
  }
}

}  // namespace

void store_structures(Translator& t, const Insn& i) {
  const Structures s = structures_of(i);
  const u32 size = i.bit(30) ? 4 : 3, bytes = s.registers << size;
  const Value base = t.x_sp(i.rn());
  Value values[4];
  for (u32 r = 0; r < s.registers; ++r) values[r] = t.v((i.rd() + r) & 31);
  if (!s.interleaved) {
    for (u32 r = 0; r < s.registers; ++r) stored(t, offset_from(t, base, i64{r} << size), values[r], size);
  } else {
    interleave(t, values, s.registers, i.field(10, 2));
    for (u32 at = 0; at < bytes; at += 16) {
      stored(t, offset_from(t, base, at), values[at / 16], bytes - at < 16 ? 3 : 4);
    }
  }
  advance(t, i, base, bytes);
}

namespace {

// One element of each of some registers.
struct Element {
  u32 registers, size, index;
};
Element element_of(const Insn& i) {
  const u32 kind = i.field(14, 2);
  const u32 registers = (i.field(13, 1) << 1 | i.field(21, 1)) + 1;
  const u32 number = u32{i.bit(30)} << 3 | i.field(10, 3);  // Q:S:size
  if (kind == 3) return {registers, i.field(10, 2), 0};     // all elements: replicated
  if (kind == 2 && i.field(10, 2) == 1) return {registers, 3, number >> 3};
  return {registers, kind, number >> kind};
}

}  // namespace

void load_element(Translator& t, const Insn& i) {
  const Element e = element_of(i);
  const Value base = t.x_sp(i.rn());
  const MemOp op{.size_log2 = static_cast<u8>(e.size)};
  Value values[4];
  for (u32 r = 0; r < e.registers; ++r) values[r] = t.b.load(Type::i64, offset_from(t, base, i64{r} << e.size), op);
  for (u32 r = 0; r < e.registers; ++r) insert_element(t, (i.rd() + r) & 31, e.size, e.index, values[r]);
  advance(t, i, base, e.registers << e.size);
}

void store_element(Translator& t, const Insn& i) {
  const Element e = element_of(i);
  const Value base = t.x_sp(i.rn());
  for (u32 r = 0; r < e.registers; ++r) {
    t.b.store(offset_from(t, base, i64{r} << e.size), extracted_element(t, (i.rd() + r) & 31, e.size, e.index),
              {.size_log2 = static_cast<u8>(e.size)});
  }
  advance(t, i, base, e.registers << e.size);
}

void load_replicate(Translator& t, const Insn& i) {
  const Element e = element_of(i);
  const Value base = t.x_sp(i.rn());
  const MemOp op{.size_log2 = static_cast<u8>(e.size)};
  Value values[4];
  for (u32 r = 0; r < e.registers; ++r) values[r] = t.b.load(Type::i64, offset_from(t, base, i64{r} << e.size), op);
  for (u32 r = 0; r < e.registers; ++r) {
    const Value all = replicated(t, values[r], e.size);
    t.set_v_pair((i.rd() + r) & 31, all, i.bit(30) ? all : t.b.i64(0));
  }
  advance(t, i, base, e.registers << e.size);
}

}  // namespace pagoda::arm64::translate
