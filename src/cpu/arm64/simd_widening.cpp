// SPDX-License-Identifier: MIT
// Integer vectors: operations that widen or narrow (Arm ARM C4.1, "Advanced SIMD three different").
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {
namespace {

u128 carryless_product(u64 a, u64 b) {
  u128 product = 0;
  for (u32 bit = 0; bit < 64; ++bit) {
    if ((b >> bit & 1) != 0) product ^= u128{a} << bit;
  }
  return product;
}

void polynomial(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()];
  Vector result{};
  if (i.field(22, 2) == 3) {
    const u128 product = carryless_product(n.half[i.bit(30)], m.half[i.bit(30)]);
    result = {{static_cast<u64>(product), static_cast<u64>(product >> 64)}};
  } else {
    const u32 from = second_half<u8>(i);
    for (u32 k = 0; k < 8; ++k) {
      set_lane(result, k, static_cast<u16>(carryless_product(lane<u8>(n, from + k), lane<u8>(m, from + k))));
    }
  }
  cpu.v[i.rd()] = result;
}

// ADDHN, SUBHN: the high halves of doubles.
template <class T>
void narrowing(Cpu& cpu, const Insn& i, bool subtracts) {
  using W = DoubleOf<T>;
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()];
  Vector result = cpu.v[i.rd()];
  const W half = i.bit(29) ? static_cast<W>(W{1} << (kBits<T> - 1)) : W{0};
  const u32 to = second_half<T>(i);
  if (to == 0) result = {};
  for (u32 k = 0; k < 8 / sizeof(T); ++k) {
    const W a = lane<W>(n, k), b = lane<W>(m, k);
    const W sum = static_cast<W>((subtracts ? a - b : a + b) + half);
    set_lane(result, to + k, static_cast<T>(sum >> kBits<T>));
  }
  cpu.v[i.rd()] = result;
}

template <class T>
void widening(Cpu& cpu, const Insn& i, u32 opcode) {
  using W = DoubleOf<T>;
  const bool is_unsigned = i.bit(29);
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()], d = cpu.v[i.rd()];
  Vector result{};
  const u32 from = second_half<T>(i), count = is_scalar(i) ? 1 : 8 / static_cast<u32>(sizeof(T));
  for (u32 k = 0; k < count; ++k) {
    const bool first_is_wide = opcode == 0b0001 || opcode == 0b0011;
    const i128 a = first_is_wide ? i128{lane<W>(n, k)} : i128{widened(lane<T>(n, from + k), is_unsigned)};
    const i128 b = widened(lane<T>(m, from + k), is_unsigned);
    const W old = lane<W>(d, k);
    const i128 difference = a > b ? a - b : b - a;
    W value;
    switch (opcode) {
      case 0b0000:
      case 0b0001:
        value = static_cast<W>(a + b);
        break;
      case 0b0010:
      case 0b0011:
        value = static_cast<W>(a - b);
        break;
      case 0b0101:
        value = static_cast<W>(old + static_cast<W>(difference));
        break;
      case 0b0111:
        value = static_cast<W>(difference);
        break;
      case 0b1000:
        value = static_cast<W>(old + static_cast<W>(a * b));
        break;
      case 0b1010:
        value = static_cast<W>(old - static_cast<W>(a * b));
        break;
      case 0b1100:
        value = static_cast<W>(a * b);
        break;
      default: {  // doubling: 1001 adds, 1011 subtracts, 1101 does neither
        value = saturated<W>(cpu, a * b * 2, false);
        const i128 term = static_cast<Signed<W>>(value), sum = static_cast<Signed<W>>(old);
        if (opcode == 0b1001) value = saturated<W>(cpu, sum + term, false);
        if (opcode == 0b1011) value = saturated<W>(cpu, sum - term, false);
      }
    }
    set_lane(result, k, value);
  }
  cpu.v[i.rd()] = result;
}

}  // namespace

void three_different(Cpu& cpu, const Insn& i) {
  const u32 opcode = i.field(12, 4);
  if (opcode == 0b1110) return polynomial(cpu, i);
  by_narrow_size(i.field(22, 2), [&]<class T>() {
    if (opcode == 0b0100 || opcode == 0b0110) return narrowing<T>(cpu, i, opcode == 0b0110);
    widening<T>(cpu, i, opcode);
  });
}

}  // namespace pagoda::arm64::simd
