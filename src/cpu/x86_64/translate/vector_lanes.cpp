// SPDX-License-Identifier: MIT
// Lane operations: an instruction is one kind of tcg/ir/vec.def on each 128 bits.
#include "cpu/x86_64/string_compare.h"
#include "cpu/x86_64/translate/vector.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;
using ir::VecOp;

// What the high half takes of an immediate, which some instructions share out among the lanes of both halves.
u32 high_immediate(VecOp kind, u32 imm) {
  switch (kind) {
    case VecOp::blend_32:
      return imm >> 4;
    case VecOp::blend_64:
    case VecOp::shuffle2_64:
      return imm >> 2;
    case VecOp::multi_sad:
      return imm >> 3;
    default:
      return imm;
  }
}

// Forms without VEX know the first eight predicates.
u32 low_immediate(const Insn& i, VecOp kind) {
  const u32 imm = immediate_of(i);
  const bool compares = kind >= VecOp::fcmp_ps && kind <= VecOp::fcmp_sd;
  return compares ? imm & (i.row->is_vex() ? 31 : 7) : imm;
}

Value logic(Translator& t, u32 kind, Value a, Value b) {
  switch (kind) {
    case 0:
      return t.b.and_(a, b);
    case 1:
      return t.b.and_(t.b.not_(a), b);
    case 2:
      return t.b.or_(a, b);
    default:
      return t.b.xor_(a, b);
  }
}

}  // namespace

void vec_binary(Translator& t, const Insn& i) {
  const VecOp kind = kind_of(i);
  const Wide b = read_vector(t, i, last_source(i));
  const Wide a = read_vector(t, i, first_source(i));
  const u32 imm = low_immediate(i, kind);
  Wide result{t.b.vec(kind, a.low, b.low, {}, imm), {}};
  if (b.high) result.high = t.b.vec(kind, a.high, b.high, {}, high_immediate(kind, imm));
  write_vector(t, i, 0, result);
}

void vec_unary(Translator& t, const Insn& i) {
  const VecOp kind = kind_of(i);
  const Wide a = read_vector(t, i, last_source(i));
  const u32 imm = low_immediate(i, kind);
  Wide result{t.b.vec(kind, a.low, {}, {}, imm), {}};
  if (a.high) result.high = t.b.vec(kind, a.high, {}, {}, high_immediate(kind, imm));
  write_vector(t, i, 0, result);
}

void vec_logic(Translator& t, const Insn& i) {
  const Wide b = read_vector(t, i, last_source(i));
  const Wide a = read_vector(t, i, first_source(i));
  Wide result{logic(t, i.row->kind, a.low, b.low), {}};
  if (b.high) result.high = logic(t, i.row->kind, a.high, b.high);
  write_vector(t, i, 0, result);
}

// The count is the same for both halves.
void vec_shift(Translator& t, const Insn& i) {
  const Value count = read_vector(t, i, last_source(i)).low;
  const Wide a = read_vector(t, i, first_source(i));
  Wide result{t.b.vec(kind_of(i), a.low, count), {}};
  if (a.high) result.high = t.b.vec(kind_of(i), a.high, count);
  write_vector(t, i, 0, result);
}

void vec_blend_by_sign(Translator& t, const Insn& i) {
  const bool vex = i.row->is_vex();
  const Wide b = read_vector(t, i, vex ? 2 : 1);
  const Wide a = read_vector(t, i, vex ? 1 : 0);
  const Wide mask = vex ? read_vector(t, i, 3) : Wide{xmm(t, 0), {}};
  Wide result{t.b.vec(kind_of(i), a.low, b.low, mask.low), {}};
  if (b.high) result.high = t.b.vec(kind_of(i), a.high, b.high, mask.high);
  write_vector(t, i, 0, result);
}

void vec_reorder(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  Wide result{t.b.vec(VecOp::shuffle_32, a.low, {}, {}, i.row->kind), {}};
  if (a.high) result.high = t.b.vec(VecOp::shuffle_32, a.high, {}, {}, i.row->kind);
  write_vector(t, i, 0, result);
}

// Destinations wider than sources: the high half is made from what follows.
void vec_widen(Translator& t, const Insn& i) {
  const Value a = read_vector(t, i, 1).low;
  Wide result{t.b.vec(kind_of(i), a), {}};
  if (i.operands[0].size == 32) {
    const Value upper = t.b.vec(VecOp::shr_bytes, a, {}, {}, i.operands[1].size / 2u);
    result.high = t.b.vec(kind_of(i), upper);
  }
  write_vector(t, i, 0, result);
}

void vec_narrow(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  Value result = t.b.vec(kind_of(i), a.low);
  if (a.high) result = t.b.vec(VecOp::zip_low_64, result, t.b.vec(kind_of(i), a.high));
  write_vector(t, i, 0, {result, {}});
}

void vec_to_half(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  const u32 imm = immediate_of(i);
  if (Translator::is_memory(i, 0)) {  // flags may be raised only if the store will not fault
    const ir::MemOp quad = Translator::access(8);
    const Value address = t.address(i);
    t.b.atomic_rmw(ir::Rmw::or_, address, t.b.i64(0), quad);
    if (a.high) t.b.atomic_rmw(ir::Rmw::or_, t.b.add(address, t.b.i64(8)), t.b.i64(0), quad);
  }
  Value result = t.b.vec(kind_of(i), a.low, {}, {}, imm);
  if (a.high) result = t.b.vec(VecOp::zip_low_64, result, t.b.vec(kind_of(i), a.high, {}, {}, imm));
  write_vector(t, i, 0, {result, {}});
}

// --- flags

void vec_compare(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, 1).low;
  const Value a = read_vector(t, i, 0).low;
  const Value bits = t.b.vec(kind_of(i), a, b);
  t.set_flags(t.b.flags_bits(t.b.trunc(t.b.vec_low(bits), Type::i8)));
}

namespace {

// ZF if nothing is left in `both`, CF if nothing is left in `rest`; the others are clear.
void set_test_flags(Translator& t, Value both, Value rest) {
  t.set_flags(t.flag_bits({{ir::Flag::z, t.is_zero(both)}, {ir::Flag::c, t.is_zero(rest)}}));
}
Value any_bit(Translator& t, Value a) { return t.b.or_(t.b.vec_low(a), t.b.vec_high(a)); }

}  // namespace

void ptest(Translator& t, const Insn& i) {
  const Wide b = read_vector(t, i, 1);
  const Wide a = read_vector(t, i, 0);
  Value both = any_bit(t, t.b.and_(a.low, b.low)), rest = any_bit(t, t.b.and_(t.b.not_(a.low), b.low));
  if (b.high) {
    both = t.b.or_(both, any_bit(t, t.b.and_(a.high, b.high)));
    rest = t.b.or_(rest, any_bit(t, t.b.and_(t.b.not_(a.high), b.high)));
  }
  set_test_flags(t, both, rest);
}

void vtest(Translator& t, const Insn& i) {
  const Wide b = read_vector(t, i, 1);
  const Wide a = read_vector(t, i, 0);
  const auto signs = [&](Value value) { return t.b.vec_low(t.b.vec(kind_of(i), value)); };
  Value both = signs(t.b.and_(a.low, b.low)), rest = signs(t.b.and_(t.b.not_(a.low), b.low));
  if (b.high) {
    both = t.b.or_(both, signs(t.b.and_(a.high, b.high)));
    rest = t.b.or_(rest, signs(t.b.and_(t.b.not_(a.high), b.high)));
  }
  set_test_flags(t, both, rest);
}

// A memory operand is left where the helper finds it.
void vec_compare_strings(Translator& t, const Insn& i) {
  const bool memory = Translator::is_memory(i, 1);
  if (memory) t.set_slot(Slot::scratch, read_vector(t, i, 1).low);
  const StringCompareJob job{.first = i.operands[0].reg,
                             .second = memory ? StringCompareJob::kScratch : i.operands[1].reg,
                             .control = static_cast<u8>(immediate_of(i)),
                             .with_lengths = (i.row->kind & 1) != 0,
                             .gives_index = (i.row->kind & 2) != 0,
                             .clears_high = i.row->is_vex()};
  const u32 bytes = i.operand_size == 8 ? 8 : 4;
  const Value first = t.b.sext(t.gpr(kRax, bytes), Type::i64);
  const Value second = t.b.sext(t.gpr(kRdx, bytes), Type::i64);
  t.call(HelperId::compare_strings, Type::none, job.pack(), first, second);
}

// --- general registers

void vec_mask(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  Value bits = t.b.vec_low(t.b.vec(kind_of(i), a.low));
  if (a.high) {
    const u32 lanes = kind_of(i) == VecOp::mask_8 ? 16 : kind_of(i) == VecOp::mask_32 ? 4 : 2;
    const Value upper = t.b.vec_low(t.b.vec(kind_of(i), a.high));
    bits = t.b.or_(bits, t.b.shl(upper, t.b.i64(lanes)));
  }
  t.b.put_slot(gpr_slot(i.operands[0].reg), bits);
}

void vec_from_int(Translator& t, const Insn& i) {
  const u32 last = last_source(i);
  const Value value = low_vector(t, t.read(i, last));
  const Value a = read_vector(t, i, first_source(i)).low;
  const u32 wide = i.operands[last].size == 8;
  write_vector(t, i, 0, {t.b.vec(static_cast<VecOp>(i.row->kind + wide), a, value), {}});
}

void vec_to_int(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, 1).low;
  const u32 wide = i.operands[0].size == 8 ? 2 : 0;
  const Value result = t.b.vec_low(t.b.vec(static_cast<VecOp>(i.row->kind + wide), b));
  t.b.put_slot(gpr_slot(i.operands[0].reg), result);
}

}  // namespace pagoda::x86_64::op
