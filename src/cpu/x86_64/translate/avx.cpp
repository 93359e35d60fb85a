// SPDX-License-Identifier: MIT
// What only VEX encodings have: broadcasts, permutations across halves, masked moves, fused multiply-add.
#include "cpu/x86_64/translate/vector.h"

namespace pagoda::x86_64::op {
namespace {

using ir::Type;
using ir::Value;
using ir::VecOp;

void clear_high(Translator& t) {
  for (u32 reg = 0; reg < 16; ++reg) t.b.put_slot(ymm_high_slot(reg), zero_vector(t));
}

// Doubleword 0 to 3 of a whole register.
Value quad_of(Translator& t, const Wide& a, u32 index) {
  const Value half = (index & 2) != 0 ? a.high : a.low;
  return (index & 1) != 0 ? t.b.vec_high(half) : t.b.vec_low(half);
}

bool is_scalar(VecOp kind) {  // of the fused multiply-adds: ps pd ss sd
  return kind <= VecOp::fnmsub_sd && ((static_cast<u32>(kind) - static_cast<u32>(VecOp::fmadd_ps)) & 2) != 0;
}

// x * y + z, the upper lanes of scalars from the destination.
void multiply_add(Translator& t, const Insn& i, u32 x, u32 y, u32 z) {
  const Wide third = read_vector(t, i, 2);
  const Wide first = read_vector(t, i, 0), second = read_vector(t, i, 1);
  const Wide* const all[] = {&first, &second, &third};
  const VecOp kind = kind_of(i);
  Wide result{t.b.vec(kind, all[x]->low, all[y]->low, all[z]->low), {}};
  if (is_scalar(kind)) {
    const VecOp merge = i.operands[0].size == 4 ? VecOp::blend_32 : VecOp::blend_64;
    result.low = t.b.vec(merge, first.low, result.low, {}, 1);
  }
  if (third.high) result.high = t.b.vec(kind, all[x]->high, all[y]->high, all[z]->high);
  write_vector(t, i, 0, result);
}

// Registers and size of a masked move, as the immediate of its helper.
u64 mask_job(const Insn& i, u32 data_reg) {
  return data_reg | u32{i.operands[1].reg} << 4 | u64{i.row->kind} << 8 | u64{i.operands[1].size} << 16;
}

}  // namespace

void vzeroupper(Translator& t, const Insn&) { clear_high(t); }
void vzeroall(Translator& t, const Insn&) {
  for (u32 reg = 0; reg < 16; ++reg) t.b.put_slot(xmm_slot(reg), zero_vector(t));
  clear_high(t);
}

void vec_broadcast(Translator& t, const Insn& i) {
  Value a = read_vector(t, i, 1).low;
  switch (i.row->kind) {
    case 1:
      a = t.b.vec(VecOp::table, a, zero_vector(t));
      break;
    case 2:
      a = t.b.vec(VecOp::shuffle_low_16, a);
      [[fallthrough]];
    case 4:
      a = t.b.vec(VecOp::shuffle_32, a);
      break;
    case 8:
      a = t.b.vec(VecOp::zip_low_64, a, a);
      break;
    default:
      break;
  }
  write_vector(t, i, 0, {a, i.operands[0].size == 32 ? a : Value{}});
}

void vperm2_128(Translator& t, const Insn& i) {
  const Wide b = read_vector(t, i, 2);
  const Wide a = read_vector(t, i, 1);
  const u32 imm = immediate_of(i);
  const auto select = [&](u32 control) {
    if ((control & 8) != 0) return zero_vector(t);
    const Wide& from = (control & 2) != 0 ? b : a;
    return (control & 1) != 0 ? from.high : from.low;
  };
  const Value low = select(imm);
  write_vector(t, i, 0, {low, select(imm >> 4)});
}

void vinsert_128(Translator& t, const Insn& i) {
  const Value b = read_vector(t, i, 2).low;
  const Wide a = read_vector(t, i, 1);
  const bool high = (immediate_of(i) & 1) != 0;
  write_vector(t, i, 0, {high ? a.low : b, high ? b : a.high});
}

void vextract_128(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  write_vector(t, i, 0, {(immediate_of(i) & 1) != 0 ? a.high : a.low, {}});
}

void vpermq(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 1);
  const u32 imm = immediate_of(i);
  Value quads[4];
  for (u32 k = 0; k < 4; ++k) quads[k] = quad_of(t, a, imm >> 2 * k & 3);
  const Value low = t.b.vec_pair(quads[0], quads[1]);
  write_vector(t, i, 0, {low, t.b.vec_pair(quads[2], quads[3])});
}

// Each lane from either half: both are looked up, and bit 2 of the index chooses.
void vpermd(Translator& t, const Insn& i) {
  const Wide a = read_vector(t, i, 2);
  const Wide index = read_vector(t, i, 1);
  const auto look_up = [&](Value indices) {
    const Value from_low = t.b.vec(VecOp::permute_32, a.low, indices);
    const Value from_high = t.b.vec(VecOp::permute_32, a.high, indices);
    return t.b.vec(VecOp::blendv_32, from_low, from_high, t.b.vec(VecOp::shli_32, indices, {}, {}, 29));
  };
  const Value low = look_up(index.low);
  write_vector(t, i, 0, {low, look_up(index.high)});
}

// --- masked moves: helpers, which touch only what the mask names

void mask_load(Translator& t, const Insn& i) {
  t.call(HelperId::mask_load, Type::none, mask_job(i, i.operands[0].reg), t.address(i));
}
void mask_store(Translator& t, const Insn& i) {
  t.call(HelperId::mask_store, Type::none, mask_job(i, i.operands[2].reg), t.address(i));
}
void mask_store_bytes(Translator& t, const Insn& i) {
  const u64 job = i.operands[0].reg | u32{i.operands[1].reg} << 4 | 1u << 8 | 16u << 16;
  t.call(HelperId::mask_store, Type::none, job, t.linear(i, t.shorten(i, t.gpr64(kRdi))));
}

// --- SDM volume 1, 14.5: the numbers say which operands are multiplied and which is added
void fma_132(Translator& t, const Insn& i) { multiply_add(t, i, 0, 2, 1); }
void fma_213(Translator& t, const Insn& i) { multiply_add(t, i, 1, 0, 2); }
void fma_231(Translator& t, const Insn& i) { multiply_add(t, i, 1, 2, 0); }

}  // namespace pagoda::x86_64::op
