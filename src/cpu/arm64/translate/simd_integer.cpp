// SPDX-License-Identifier: MIT
// Integer vectors in IR: three registers of one width, widening operations, an element of a vector (Arm ARM C3.9).
// What saturates: simd_saturating.cpp.
#include "cpu/arm64/translate/elements.h"
#include "cpu/arm64/translate/vectors.h"

namespace pagoda::arm64::translate {

using ir::Type;
using ir::Value;

namespace {

// a >= b
Value at_least(Translator& t, Value a, Value b, u32 size, bool is_unsigned) {
  if (!is_unsigned) return inverted(t, t.b.vec(of_size(VecOp::gt_s8, size), b, a));
  return t.b.vec(of_size(VecOp::eq_8, size), t.b.vec(of_size(VecOp::max_u8, size), a, b), a);
}

Value distance(Translator& t, Value a, Value b, u32 size, bool is_unsigned) {
  const Value most = t.b.vec(of_size(is_unsigned ? VecOp::max_u8 : VecOp::max_s8, size), a, b);
  const Value least = t.b.vec(of_size(is_unsigned ? VecOp::min_u8 : VecOp::min_s8, size), a, b);
  return t.b.vec(of_size(VecOp::sub_8, size), most, least);
}

// Sums of four products of bytes: widened, products of 16 bits summed in twos, these again.
Value dot_product(Translator& t, Value a, Value b, bool is_unsigned) {
  const auto half = [&](bool high) {
    const Value x = widened(t, high ? high_half(t, a) : a, 0, is_unsigned);
    const Value y = widened(t, high ? high_half(t, b) : b, 0, is_unsigned);
    return t.b.vec(VecOp::madd_s16, x, y);
  };
  const Value low = half(false);
  return t.b.vec(VecOp::hadd_32, low, half(true));
}

}  // namespace

bool three_same_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool is_unsigned = i.bit(29);
  const u32 size = i.field(22, 2), opcode = i.field(11, 5);
  if (!i.bit(21)) {
    if (i.field(11, 4) != 0b0010) return false;
    const Value n = t.v(i.rn());
    const Value m = t.v(i.rm());
    set_sized(t, i, b.vec(VecOp::add_32, t.v(i.rd()), dot_product(t, n, m, is_unsigned)));
    return true;
  }
  const bool is_doubleword = size == 3;
  const auto operands = [&](auto&& of) {
    const Value n = t.v(i.rn());
    const Value m = t.v(i.rm());
    set_sized(t, i, of(n, m));
    return true;
  };
  switch (opcode) {
    case 0b00010:
      if (!is_unsigned || size > 1) return false;
      return operands([&](Value n, Value m) { return b.vec(of_size(VecOp::avg_u8, size), n, m); });
    case 0b00110:
      if (!is_unsigned) return operands([&](Value n, Value m) { return b.vec(of_size(VecOp::gt_s8, size), n, m); });
      if (is_doubleword) return false;
      return operands([&](Value n, Value m) { return inverted(t, at_least(t, m, n, size, true)); });
    case 0b00111:
      if (is_unsigned && is_doubleword) return false;
      return operands([&](Value n, Value m) { return at_least(t, n, m, size, is_unsigned); });
    case 0b01100:
      return operands(
          [&](Value n, Value m) { return b.vec(of_size(is_unsigned ? VecOp::max_u8 : VecOp::max_s8, size), n, m); });
    case 0b01101:
      return operands(
          [&](Value n, Value m) { return b.vec(of_size(is_unsigned ? VecOp::min_u8 : VecOp::min_s8, size), n, m); });
    case 0b01110:
      return operands([&](Value n, Value m) { return distance(t, n, m, size, is_unsigned); });
    case 0b01111:
      return operands([&](Value n, Value m) {
        return b.vec(of_size(VecOp::add_8, size), t.v(i.rd()), distance(t, n, m, size, is_unsigned));
      });
    case 0b10000:
      return operands(
          [&](Value n, Value m) { return b.vec(of_size(is_unsigned ? VecOp::sub_8 : VecOp::add_8, size), n, m); });
    case 0b10001:
      return operands([&](Value n, Value m) {
        if (is_unsigned) return b.vec(of_size(VecOp::eq_8, size), n, m);
        return inverted(t, b.vec(of_size(VecOp::eq_8, size), b.and_(n, m), all_of(t, 0)));
      });
    case 0b10010:
    case 0b10011:
      if (size == 0 || (opcode == 0b10011 && is_unsigned)) return false;
      return operands([&](Value n, Value m) {
        const Value product = b.vec(from_16(VecOp::mul_16, size), n, m);
        if (opcode == 0b10011) return product;
        return b.vec(of_size(is_unsigned ? VecOp::sub_8 : VecOp::add_8, size), t.v(i.rd()), product);
      });
    case 0b10111:
      if (!i.bit(30) || (size != 1 && size != 2)) return false;
      return operands([&](Value n, Value m) { return b.vec(from_16(VecOp::hadd_16, size), n, m); });
    default:
      return saturating_three_in_ir(t, i);
  }
}

namespace {

// The product of low elements of 2^size bytes, twice as wide. Those of bytes and halves fit in what they are widened
// to.
Value long_product(Translator& t, Value a, Value b, u32 size, bool is_unsigned) {
  const Value x = widened(t, a, size, is_unsigned);
  const Value y = widened(t, b, size, is_unsigned);
  if (size < 2) return t.b.vec(size == 0 ? VecOp::mul_16 : VecOp::mul_32, x, y);
  return t.b.vec(is_unsigned ? VecOp::mulw_u32 : VecOp::mulw_s32, x, y);
}

}  // namespace

bool three_different_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool is_unsigned = i.bit(29);
  const u32 size = i.field(22, 2), opcode = i.field(12, 4);
  if (i.bit(28)) return false;
  if (opcode == 0b1110) {
    if (size != 3) return false;
    const Value n = t.v(i.rn());
    t.set_v(i.rd(), b.vec(VecOp::clmul_64, n, t.v(i.rm()), {}, i.bit(30) ? 0x11 : 0));
    return true;
  }
  const VecOp add = of_size(VecOp::add_8, size + 1), sub = of_size(VecOp::sub_8, size + 1);
  const auto second = [&] { return read_half(t, i, i.rm()); };
  switch (opcode) {
    case 0b0000:
    case 0b0010: {
      const Value x = widened(t, read_half(t, i, i.rn()), size, is_unsigned);
      t.set_v(i.rd(), b.vec(opcode == 0 ? add : sub, x, widened(t, second(), size, is_unsigned)));
      return true;
    }
    case 0b0001:
    case 0b0011: {
      const Value n = t.v(i.rn());
      t.set_v(i.rd(), b.vec(opcode == 1 ? add : sub, n, widened(t, second(), size, is_unsigned)));
      return true;
    }
    case 0b1000:
    case 0b1010:
    case 0b1100: {
      const Value n = read_half(t, i, i.rn());
      const Value product = long_product(t, n, second(), size, is_unsigned);
      t.set_v(i.rd(), opcode == 0b1100 ? product : b.vec(opcode == 0b1000 ? add : sub, t.v(i.rd()), product));
      return true;
    }
    default:
      return false;
  }
}

bool by_element_in_ir(Translator& t, const Insn& i) {
  auto& b = t.b;
  const bool is_unsigned = i.bit(29);
  const u32 size = i.field(22, 2), opcode = i.field(12, 4);
  if (i.bit(28)) return false;
  const u32 h = i.bit(11), l = i.bit(21), m = i.bit(20);
  const auto element = [&](u32 reg, u32 log2, u32 index) {
    Value value = extracted_element(t, reg, log2, index);
    value = replicated(t, b.and_(value, b.i64(element_mask(log2))), log2);
    return b.vec_pair(value, value);
  };
  if (opcode == 0b1110) {
    const Value bytes = element(i.rm(), 2, h << 1 | l);
    const Value n = t.v(i.rn());
    set_sized(t, i, b.vec(VecOp::add_32, t.v(i.rd()), dot_product(t, n, bytes, is_unsigned)));
    return true;
  }
  const auto factor = [&] {
    return size == 1 ? element(i.field(16, 4), 1, h << 2 | l << 1 | m) : element(i.rm(), 2, h << 1 | l);
  };
  switch (opcode) {
    case 0b0000:
    case 0b0100:
    case 0b1000: {
      const Value product = b.vec(from_16(VecOp::mul_16, size), t.v(i.rn()), factor());
      const VecOp kind = of_size(opcode == 0 ? VecOp::add_8 : VecOp::sub_8, size);
      set_sized(t, i, opcode == 0b1000 ? product : b.vec(kind, t.v(i.rd()), product));
      return true;
    }
    case 0b0010:
    case 0b0110:
    case 0b1010: {
      const Value n = read_half(t, i, i.rn());
      const Value product = long_product(t, n, factor(), size, is_unsigned);
      const VecOp kind = of_size(opcode == 0b0010 ? VecOp::add_8 : VecOp::sub_8, size + 1);
      t.set_v(i.rd(), opcode == 0b1010 ? product : b.vec(kind, t.v(i.rd()), product));
      return true;
    }
    default:
      return saturating_by_element_in_ir(t, i);
  }
}

}  // namespace pagoda::arm64::translate
