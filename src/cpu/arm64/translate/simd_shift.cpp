// SPDX-License-Identifier: MIT
// Integer vectors in IR: one register, shifts by immediates, permutation (Arm ARM C3.9).
#include <bit>

#include "cpu/arm64/translate/handlers.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

Value narrowed(Translator& t, Value v, u32 size) {
  const Value zero = all_of(t, 0);
  switch (size) {
    case 0:
      return t.b.vec(VecOp::packu_s16, t.b.and_(v, all_of(t, 0x00ff00ff00ff00ff)), zero);
    case 1:
      return t.b.vec(VecOp::packu_s32, t.b.and_(v, all_of(t, 0x0000ffff0000ffff)), zero);
    default:
      return t.b.vec(VecOp::shuffle_32, v, {}, {}, 0b00001000);
  }
}

namespace {

// Bytes in the order that `positions` says, byte 0 lowest.
Value reordered(Translator& t, Value v, u64 low, u64 high) {
  return t.b.vec(VecOp::table, v, t.b.vec_pair(t.b.i64(low), t.b.i64(high)));
}

// Elements of 2^size bytes shifted right; bytes as pairs, what comes from the neighbour taken out.
bool right_shift(Translator& t, Value n, u32 size, u32 count, bool is_unsigned, Value* result) {
  auto& b = t.b;
  if (size == 0) {
    if (!is_unsigned) return false;
    const u64 mask = u64{0x0101010101010101} * (0xffu >> count);
    *result = b.and_(b.vec(VecOp::shri_16, n, {}, {}, count), all_of(t, mask));
  } else if (is_unsigned) {
    *result = b.vec(from_16(VecOp::shri_16, size), n, {}, {}, count);
  } else if (size < 3) {
    *result = b.vec(from_16(VecOp::sari_16, size), n, {}, {}, count);
  } else {  // there is no such host shift: the sign goes in from above
    const Value sign = b.vec(VecOp::gt_s64, all_of(t, 0), n);
    *result = b.or_(b.vec(VecOp::shri_64, n, {}, {}, count), b.vec(VecOp::shli_64, sign, {}, {}, 64 - count));
  }
  return true;
}

u32 shift_size(const Insn& i) { return 31 - static_cast<u32>(std::countl_zero(i.field(19, 4))); }

}  // namespace

bool shift_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const u32 size = shift_size(i), width = 8u << size, opcode = i.field(11, 5);
  const u32 right = 2 * width - i.field(16, 7), left = i.field(16, 7) - width;
  switch (opcode) {
    case 0b00000:
    case 0b00010: {
      Value value;
      if (!right_shift(t, t.v(i.rn()), size, right, i.bit(29), &value)) return false;
      if (opcode != 0) value = b.vec(of_size(VecOp::add_8, size), t.v(i.rd()), value);
      set_sized(t, i, value);
      return true;
    }
    case 0b01010: {
      if (i.bit(29)) return false;
      Value value = b.vec(from_16(VecOp::shli_16, size == 0 ? 1 : size), t.v(i.rn()), {}, {}, left);
      if (size == 0) value = b.and_(value, all_of(t, u64{0x0101010101010101} * (0xffu << left & 0xff)));
      set_sized(t, i, value);
      return true;
    }
    case 0b10100: {  // SSHLL, USHLL
      const Value wide = widened(t, read_half(t, i, i.rn()), size, i.bit(29));
      t.set_v(i.rd(), left == 0 ? wide : b.vec(from_16(VecOp::shli_16, size + 1), wide, {}, {}, left));
      return true;
    }
    case 0b10000:  // SHRN
      if (i.bit(29)) return saturating_shift_in_ir(t, i);
      write_half(t, i, narrowed(t, b.vec(from_16(VecOp::shri_16, size + 1), t.v(i.rn()), {}, {}, right), size));
      return true;
    default:
      return saturating_shift_in_ir(t, i);
  }
}

bool two_misc_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool u = i.bit(29);
  const u32 size = i.field(22, 2), opcode = i.field(12, 5);
  const auto result = [&](Value value) {
    set_sized(t, i, value);
    return true;
  };
  switch (opcode) {
    case 0b00000:
    case 0b00001: {  // within containers of 8, 4 or 2 bytes
      const u32 container = opcode == 1 ? 2 : u ? 4 : 8;
      u64 halves[2] = {};
      for (u32 byte = 0; byte < 16; ++byte) {
        const u32 from = byte ^ ((container - 1) & ~((1u << size) - 1));
        halves[byte / 8] |= u64{from} << byte % 8 * 8;
      }
      return result(reordered(t, t.v(i.rn()), halves[0], halves[1]));
    }
    case 0b00101:
      if (u) return size == 0 && result(inverted(t, t.v(i.rn())));
      {  // ones of each half of a byte, by a table
        const Value low_bits = all_of(t, 0x0f0f0f0f0f0f0f0f);
        const Value counts = b.vec_pair(b.i64(0x0302020102010100), b.i64(0x0403030203020201));
        const Value n = t.v(i.rn());
        const Value low = b.vec(VecOp::table, counts, b.and_(n, low_bits));
        const Value high = b.and_(b.vec(VecOp::shri_16, n, {}, {}, 4), low_bits);
        return result(b.vec(VecOp::add_8, low, b.vec(VecOp::table, counts, high)));
      }
    case 0b01000: {
      const Value n = t.v(i.rn());
      const Value zero = all_of(t, 0);
      const VecOp greater = of_size(VecOp::gt_s8, size);
      return result(u ? inverted(t, b.vec(greater, zero, n)) : b.vec(greater, n, zero));
    }
    case 0b01001: {
      const Value n = t.v(i.rn());
      const Value zero = all_of(t, 0);
      if (!u) return result(b.vec(of_size(VecOp::eq_8, size), n, zero));
      return result(inverted(t, b.vec(of_size(VecOp::gt_s8, size), n, zero)));
    }
    case 0b01010:
      return result(b.vec(of_size(VecOp::gt_s8, size), all_of(t, 0), t.v(i.rn())));
    case 0b01011:
      if (u) return result(b.vec(of_size(VecOp::sub_8, size), all_of(t, 0), t.v(i.rn())));
      return size != 3 && result(b.vec(of_size(VecOp::abs_8, size), t.v(i.rn())));
    case 0b10010:
      if (u) return saturating_two_in_ir(t, i);
      write_half(t, i, narrowed(t, t.v(i.rn()), size));
      return true;
    case 0b10011: {  // SHLL
      const Value wide = widened(t, read_half(t, i, i.rn()), size, true);
      t.set_v(i.rd(), b.vec(from_16(VecOp::shli_16, size + 1), wide, {}, {}, 8u << size));
      return true;
    }
    default:
      return saturating_two_in_ir(t, i);
  }
}

bool permute_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const u32 size = i.field(22, 2);
  const bool second = i.bit(14);
  const Value n = t.v(i.rn());
  const Value m = t.v(i.rm());
  if (!i.bit(30)) {  // of halves: the upper one of what zips both
    if (i.field(12, 2) != 3) return false;
    const Value zipped = b.vec(of_size(VecOp::zip_low_8, size), n, m);
    t.set_v(i.rd(), second ? high_half(t, zipped) : low_half(t, zipped));
    return true;
  }
  switch (i.field(12, 2)) {
    case 1: {
      if (size == 3) break;
      if (size == 2) {
        t.set_v(i.rd(), b.vec(VecOp::shuffle2_32, n, m, {}, second ? 0xdd : 0x88));
        return true;
      }
      const u64 mask = size == 0 ? 0x00ff00ff00ff00ff : 0x0000ffff0000ffff;
      const auto ready = [&](Value v) {
        return second ? b.vec(size == 0 ? VecOp::shri_16 : VecOp::shri_32, v, {}, {}, 8u << size)
                      : b.and_(v, all_of(t, mask));
      };
      const Value low = ready(n);
      t.set_v(i.rd(), b.vec(size == 0 ? VecOp::packu_s16 : VecOp::packu_s32, low, ready(m)));
      return true;
    }
    case 2:
      if (size == 3) break;
      return false;
    default:
      break;
  }
  // Zips, and of doublewords all three are the same.
  t.set_v(i.rd(), b.vec(of_size(second ? VecOp::zip_high_8 : VecOp::zip_low_8, size), n, m));
  return true;
}

// Indices less what the registers before have: from 16 on they get their top bit set, which makes zeros.
void simd_table(Translator& t, const Insn& i) {
  auto& b = t.b;
  const u32 count = i.field(13, 2) + 1;
  const bool keeps = i.bit(12);  // TBX: bytes that no index is in reach for
  const Value m = t.v(i.rm());
  Value result;
  for (u32 k = 0; k < count; ++k) {
    const Value own = k == 0 ? m : b.vec(VecOp::sub_8, m, all_of(t, u64{0x1010101010101010} * k));
    const Value indices = b.vec(VecOp::adds_u8, own, all_of(t, 0x7070707070707070));
    const Value bytes = b.vec(VecOp::table, t.v((i.rn() + k) % 32), indices);
    result = k == 0 ? bytes : b.or_(result, bytes);
  }
  if (keeps) {
    const Value outside = b.vec(VecOp::adds_u8, m, all_of(t, u64{0x0101010101010101} * (128 - 16 * count)));
    result = b.vec(VecOp::blendv_8, result, t.v(i.rd()), outside);
  }
  set_sized(t, i, result);
}

// Host rounds add the key last, these first. MixColumns alone is a round whose other parts an inverse one undoes.
void simd_aes(Translator& t, const Insn& i) {
  auto& b = t.b;
  const Value zero = all_of(t, 0);
  const Value n = t.v(i.rn());
  switch (i.field(12, 2)) {
    case 0:
      return t.set_v(i.rd(), b.vec(VecOp::aes_encrypt_last, b.xor_(t.v(i.rd()), n), zero));
    case 1:
      return t.set_v(i.rd(), b.vec(VecOp::aes_decrypt_last, b.xor_(t.v(i.rd()), n), zero));
    case 2:
      return t.set_v(i.rd(), b.vec(VecOp::aes_encrypt, b.vec(VecOp::aes_decrypt_last, n, zero), zero));
    default:
      return t.set_v(i.rd(), b.vec(VecOp::aes_inverse_mix, n));
  }
}

}  // namespace pagoda::arm64::translate
