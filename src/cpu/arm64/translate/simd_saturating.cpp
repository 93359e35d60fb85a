// SPDX-License-Identifier: MIT
// Saturating integer vectors and rounding shifts in IR (Arm ARM C3.9): elements that the host saturates, or that bounds
// keep in range. Where a result is not what it would be without a bound, FPSR.QC is set.
#include <bit>

#include "cpu/arm64/translate/elements.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Value;

namespace {

// QC is sticky: the slot collects differences, any bit of which means that it is set.
void collect(Translator& t, Value difference) {
  const u32 saturated = slot(Slot::saturated);
  t.b.put_slot(saturated, t.b.or_(t.b.get_slot(saturated), difference));
}
// Of what is written by Q: the upper half of a short vector does not count.
void set_saturated(Translator& t, const Insn& i, Value result, Value difference) {
  set_sized(t, i, result);
  collect(t, i.bit(30) ? difference : low_half(t, difference));
}

// The doubled product of halfwords, its high half, perhaps rounded: out of range only for -1 times -1, which gives
// 0x8000.
void doubled_product(Translator& t, const Insn& i, Value n, Value m, bool rounds) {
  auto& b = t.b;
  Value product;
  if (rounds) {
    product = b.vec(VecOp::mulr_s16, n, m);
  } else {
    const Value high = b.vec(VecOp::shli_16, b.vec(VecOp::mulh_s16, n, m), {}, {}, 1);
    product = b.or_(high, b.vec(VecOp::shri_16, b.vec(VecOp::mul_16, n, m), {}, {}, 15));
  }
  const Value outside = b.vec(VecOp::eq_16, product, all_of(t, 0x8000800080008000));
  set_saturated(t, i, b.xor_(product, outside), outside);
}

// A narrower element's bounds, in each element of twice its 2^size bytes.
constexpr u64 kOnes[] = {0x0001000100010001, 0x0000000100000001};
enum class Narrowing { to_signed, to_unsigned, of_unsigned };
Value bounded(Translator& t, Value wide, u32 size, Narrowing kind) {
  const u64 width = 8u << size, unit = kOnes[size];
  const auto low = [&](u64 element) { return all_of(t, unit * element); };
  const u64 most = (u64{1} << width) - 1;
  switch (kind) {
    case Narrowing::of_unsigned:
      return t.b.vec(of_size(VecOp::min_u8, size + 1), wide, low(most));
    case Narrowing::to_unsigned: {
      const Value positive = t.b.vec(of_size(VecOp::max_s8, size + 1), wide, all_of(t, 0));
      return t.b.vec(of_size(VecOp::min_s8, size + 1), positive, low(most));
    }
    default: {
      const u64 least = size == 0 ? 0xff80ff80ff80ff80 : 0xffff8000ffff8000;
      const Value above = t.b.vec(of_size(VecOp::max_s8, size + 1), wide, all_of(t, least));
      return t.b.vec(of_size(VecOp::min_s8, size + 1), above, low(most >> 1));
    }
  }
}
void narrow(Translator& t, const Insn& i, Value wide, u32 size, Narrowing kind) {
  const Value inside = bounded(t, wide, size, kind);
  write_half(t, i, narrowed(t, inside, size));
  collect(t, t.b.xor_(wide, inside));
}

constexpr Narrowing narrowing_of(bool from_signed, bool to_signed) {
  return !from_signed ? Narrowing::of_unsigned : to_signed ? Narrowing::to_signed : Narrowing::to_unsigned;
}

}  // namespace

bool saturating_three_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool is_unsigned = i.bit(29);
  const u32 size = i.field(22, 2);
  if (i.bit(28) || size > 1) return false;
  switch (i.field(11, 5)) {
    case 0b00001:
    case 0b00101: {
      const bool adds = i.field(11, 5) == 1;
      const Value n = t.v(i.rn());
      const Value m = t.v(i.rm());
      const VecOp bound =
          adds ? (is_unsigned ? VecOp::adds_u8 : VecOp::adds_s8) : (is_unsigned ? VecOp::subs_u8 : VecOp::subs_s8);
      const Value result = b.vec(of_size(bound, size), n, m);
      set_saturated(t, i, result, b.xor_(result, b.vec(of_size(adds ? VecOp::add_8 : VecOp::sub_8, size), n, m)));
      return true;
    }
    case 0b10110: {
      if (size != 1) return false;
      const Value n = t.v(i.rn());
      doubled_product(t, i, n, t.v(i.rm()), is_unsigned);
      return true;
    }
    default:
      return false;
  }
}

bool saturating_by_element_in_ir(Translator& t, const Insn& i) {
  if (i.bit(28) || i.bit(29) || i.field(22, 2) != 1 || i.field(13, 3) != 0b110) return false;
  Value factor = extracted_element(t, i.field(16, 4), 1, i.bit(11) << 2 | i.bit(21) << 1 | i.bit(20));
  factor = replicated(t, t.b.and_(factor, t.b.i64(element_mask(1))), 1);
  const Value n = t.v(i.rn());
  doubled_product(t, i, n, t.b.vec_pair(factor, factor), i.bit(12));
  return true;
}

bool saturating_two_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool u = i.bit(29);
  const u32 size = i.field(22, 2);
  if (i.bit(28)) return false;
  switch (i.field(12, 5)) {
    case 0b00111: {  // SQABS, SQNEG: only the least number has no opposite
      if (size == 3) return false;
      const Value n = t.v(i.rn());
      constexpr u64 least[] = {0x8080808080808080, 0x8000800080008000, 0x8000000080000000};
      const Value opposite =
          u ? b.vec(of_size(VecOp::sub_8, size), all_of(t, 0), n) : b.vec(of_size(VecOp::abs_8, size), n);
      const Value outside = b.vec(of_size(VecOp::eq_8, size), opposite, all_of(t, least[size]));
      set_saturated(t, i, b.xor_(opposite, outside), outside);
      return true;
    }
    case 0b10010:
    case 0b10100:
      if (size > 1 || (!u && i.field(12, 5) == 0b10010)) return false;
      narrow(t, i, t.v(i.rn()), size, i.field(12, 5) == 0b10010 ? Narrowing::to_unsigned : narrowing_of(!u, true));
      return true;
    default:
      return false;
  }
}

bool saturating_shift_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  if (i.bit(28)) return false;
  const u32 size = 31 - static_cast<u32>(std::countl_zero(i.field(19, 4))), opcode = i.field(11, 5);
  const bool u = i.bit(29);
  const u32 count = (16u << size) - i.field(16, 7);
  // Shifted right with the last bit that goes out added.
  const auto shifted = [&](Value n, u32 log2, bool is_unsigned, bool rounds) {
    const auto by = [&](u32 distance, bool zeros) {
      return b.vec(from_16(zeros ? VecOp::shri_16 : VecOp::sari_16, log2), n, {}, {}, distance);
    };
    const Value value = by(count, is_unsigned);
    if (!rounds) return value;
    constexpr u64 ones[] = {0, 0x0001000100010001, 0x0000000100000001, 1};
    const Value last = b.and_(by(count - 1, true), all_of(t, ones[log2]));
    return b.vec(of_size(VecOp::add_8, log2), value, last);
  };
  switch (opcode) {
    case 0b00100:
    case 0b00110: {  // SRSHR, URSHR and with a sum
      if (size == 0 || (size == 3 && !u)) return false;
      Value value = shifted(t.v(i.rn()), size, u, true);
      if (opcode == 0b00110) value = b.vec(of_size(VecOp::add_8, size), t.v(i.rd()), value);
      set_sized(t, i, value);
      return true;
    }
    case 0b10001:
      if (!u) {  // RSHRN
        write_half(t, i, narrowed(t, shifted(t.v(i.rn()), size + 1, true, true), size));
        return true;
      }
      [[fallthrough]];
    case 0b10000:  // SQSHRUN, SQRSHRUN
      if (!u || size > 1) return false;
      narrow(t, i, shifted(t.v(i.rn()), size + 1, false, (opcode & 1) != 0), size, Narrowing::to_unsigned);
      return true;
    case 0b10010:
    case 0b10011:
      if (size > 1) return false;
      narrow(t, i, shifted(t.v(i.rn()), size + 1, u, (opcode & 1) != 0), size, narrowing_of(!u, true));
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::arm64::translate
