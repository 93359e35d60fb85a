// SPDX-License-Identifier: MIT
// Moves of vectors, their halves and elements; MXCSR.
#include "cpu/x86_64/translate/vector.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;
using ir::VecOp;

}  // namespace

void vec_load(Translator& t, const Insn& i) { write_vector(t, i, 0, read_vector(t, i, 1)); }
void vec_store(Translator& t, const Insn& i) { write_vector(t, i, 0, read_vector(t, i, 1)); }

// The lowest element of the last source, the others of the one before it or, without VEX, of the destination.
void vec_merge_low(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, last_source(i)).low;
  const Value a = read_vector(t, i, first_source(i)).low;
  write_vector(t, i, 0, {t.b.vec(kind_of(i), a, b, {}, 1), {}});
}

void vec_from_gpr(Translator& t, const Insn& i) { write_vector(t, i, 0, {low_vector(t, t.read(i, 1)), {}}); }
void vec_to_gpr(Translator& t, const Insn& i) {
  const Value low = t.b.vec_low(read_vector(t, i, 1).low);
  t.write(i, 0, t.b.trunc(low, int_type(i.operands[0].size)));
}

void vec_low_quad(Translator& t, const Insn& i) {
  const Value low = t.b.vec_low(read_vector(t, i, 1).low);
  write_vector(t, i, 0, {low_vector(t, low), {}});
}

void movhlps(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, last_source(i)).low;
  const Value a = read_vector(t, i, first_source(i)).low;
  const Value low = t.b.vec_high(b);
  write_vector(t, i, 0, {t.b.vec_pair(low, t.b.vec_high(a)), {}});
}

void vec_load_half(Translator& t, const Insn& i) {
  const Value half = t.load(Type::i64, t.address(i));
  const Value a = read_vector(t, i, first_source(i)).low;
  const Value result = i.row->kind == 0 ? t.b.vec_pair(half, t.b.vec_high(a)) : t.b.vec_pair(t.b.vec_low(a), half);
  write_vector(t, i, 0, {result, {}});
}
void vec_store_half(Translator& t, const Insn& i) {
  const Value a = read_vector(t, i, 1).low;
  t.store(t.address(i), i.row->kind == 0 ? t.b.vec_low(a) : t.b.vec_high(a));
}

// Into a general register the element is zero-extended.
void vec_extract(Translator& t, const Insn& i) {
  const Value a = read_vector(t, i, 1).low;
  const u32 bytes = i.row->kind;
  const u32 at = (immediate_of(i) * bytes) & 15;
  const Value half = at < 8 ? t.b.vec_low(a) : t.b.vec_high(a);
  const Value element = t.b.trunc(t.b.shr(half, t.b.i64((at & 7) * 8)), int_type(bytes));
  if (Translator::is_memory(i, 0)) return t.store(t.address(i), element);
  t.b.put_slot(gpr_slot(i.operands[0].reg), t.b.zext(element, Type::i64));
}

void vec_insert(Translator& t, const Insn& i) {
  const Value element = low_vector(t, t.read(i, last_source(i)));
  const Value a = read_vector(t, i, first_source(i)).low;
  write_vector(t, i, 0, {t.b.vec(kind_of(i), a, element, {}, immediate_of(i)), {}});
}

// From memory it takes the element that is there.
void insertps(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, last_source(i)).low;
  const Value a = read_vector(t, i, first_source(i)).low;
  const u32 imm = immediate_of(i) & (Translator::is_memory(i, last_source(i)) ? 0x3f : 0xff);
  write_vector(t, i, 0, {t.b.vec(VecOp::insert_float, a, b, {}, imm), {}});
}

void ldmxcsr(Translator& t, const Insn& i) {
  const Value value = t.read(i, 0);
  const Value reserved = t.b.and_(value, t.b.i32(0xffff0000));
  t.trap_if(t.b.ne(reserved, t.b.i32(0)), Vector::general_protection);
  t.call(HelperId::write_mxcsr, Type::none, 0, value);
}
void stmxcsr(Translator& t, const Insn& i) {
  const Value value = t.call(HelperId::read_mxcsr, Type::i64);
  t.store(t.address(i), t.b.trunc(value, Type::i32));
}

}  // namespace pagoda::x86_64::op
