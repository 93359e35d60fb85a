// SPDX-License-Identifier: MIT
// Integer vectors: three registers of one width (Arm ARM C4.1, "Advanced SIMD three same" and its scalar and extra
// forms).
#include <algorithm>
#include <limits>

#include "cpu/arm64/fp_math.h"
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {

template <class T>
T saturated(Cpu& cpu, i128 value, bool is_unsigned) {
  const i128 least = is_unsigned ? i128{0} : i128{std::numeric_limits<Signed<T>>::min()};
  const i128 most = is_unsigned ? i128{std::numeric_limits<T>::max()} : i128{std::numeric_limits<Signed<T>>::max()};
  if (value >= least && value <= most) return static_cast<T>(value);
  cpu.fpsr |= kFpsrQ;
  return static_cast<T>(value < least ? least : most);
}
template u8 saturated(Cpu&, i128, bool);
template u16 saturated(Cpu&, i128, bool);
template u32 saturated(Cpu&, i128, bool);
template u64 saturated(Cpu&, i128, bool);

template <class T>
T shifted(Cpu& cpu, T element, int count, bool is_unsigned, bool rounds, bool saturates) {
  constexpr int bits = kBits<T>;
  const i128 x = widened(element, is_unsigned);
  if (count < 0) {
    // Beyond the width, and the bit that rounds, nothing changes any more.
    const int right = std::min(-count, bits + 1);
    const i128 half = rounds ? i128{1} << (right - 1) : i128{0};
    return static_cast<T>((x + half) >> right);
  }
  if (count >= bits) {
    if (!saturates || element == 0) return 0;
    return saturated<T>(cpu, x < 0 ? -(i128{1} << 100) : i128{1} << 100, is_unsigned);
  }
  const i128 result = static_cast<i128>(static_cast<u128>(x) << count);
  return saturates ? saturated<T>(cpu, result, is_unsigned) : static_cast<T>(result);
}
template u8 shifted(Cpu&, u8, int, bool, bool, bool);
template u16 shifted(Cpu&, u16, int, bool, bool, bool);
template u32 shifted(Cpu&, u32, int, bool, bool, bool);
template u64 shifted(Cpu&, u64, int, bool, bool, bool);

namespace {

u8 carryless_product(u8 a, u8 b) {
  u32 product = 0;
  for (u32 bit = 0; bit < 8; ++bit) {
    if ((b >> bit & 1) != 0) product ^= u32{a} << bit;
  }
  return static_cast<u8>(product);
}

// U, size and opcode, bits 15-11, of one element; `d` is what the destination held.
template <class T>
T element_of(Cpu& cpu, const Insn& i, T a, T b, T d) {
  const bool is_unsigned = i.bit(29);
  const Wide<T> x = widened(a, is_unsigned), y = widened(b, is_unsigned);
  const auto all_ones = [](bool holds) { return holds ? static_cast<T>(~T{0}) : T{0}; };
  switch (i.field(11, 5)) {
    case 0b00000:
      return static_cast<T>((x + y) >> 1);
    case 0b00001:
      return saturated<T>(cpu, x + y, is_unsigned);
    case 0b00010:
      return static_cast<T>((x + y + 1) >> 1);
    case 0b00100:
      return static_cast<T>((x - y) >> 1);
    case 0b00101:
      return saturated<T>(cpu, x - y, is_unsigned);
    case 0b00110:
      return all_ones(x > y);
    case 0b00111:
      return all_ones(x >= y);
    case 0b01000:
      return shifted(cpu, a, static_cast<i8>(b), is_unsigned, false, false);
    case 0b01001:
      return shifted(cpu, a, static_cast<i8>(b), is_unsigned, false, true);
    case 0b01010:
      return shifted(cpu, a, static_cast<i8>(b), is_unsigned, true, false);
    case 0b01011:
      return shifted(cpu, a, static_cast<i8>(b), is_unsigned, true, true);
    case 0b01100:
    case 0b10100:
      return static_cast<T>(x > y ? x : y);
    case 0b01101:
    case 0b10101:
      return static_cast<T>(x < y ? x : y);
    case 0b01110:
      return static_cast<T>(x > y ? x - y : y - x);
    case 0b01111:
      return static_cast<T>(d + static_cast<T>(x > y ? x - y : y - x));
    case 0b10000:
      return static_cast<T>(is_unsigned ? a - b : a + b);
    case 0b10001:
      return all_ones(is_unsigned ? a == b : (a & b) != 0);
    case 0b10010: {
      const T product = static_cast<T>(u64{a} * b);
      return static_cast<T>(is_unsigned ? d - product : d + product);
    }
    case 0b10011:
      return is_unsigned ? static_cast<T>(carryless_product(static_cast<u8>(a), static_cast<u8>(b)))
                         : static_cast<T>(u64{a} * b);
    case 0b10111:
      return static_cast<T>(a + b);
    default: {  // SQDMULH, SQRDMULH
      const i128 product = i128{static_cast<Signed<T>>(a)} * static_cast<Signed<T>>(b) * 2;
      const i128 half = is_unsigned ? i128{1} << (kBits<T> - 1) : i128{0};
      return saturated<T>(cpu, (product + half) >> kBits<T>, false);
    }
  }
}

bool is_pairwise(u32 opcode) { return opcode == 0b10100 || opcode == 0b10101 || opcode == 0b10111; }

// SQRDMLAH, SQRDMLSH
template <class T>
T multiply_accumulate_high(Cpu& cpu, T a, T b, T d, bool subtracts) {
  const i128 product = i128{static_cast<Signed<T>>(a)} * static_cast<Signed<T>>(b) * 2;
  const i128 sum = (i128{static_cast<Signed<T>>(d)} << kBits<T>)+(subtracts ? -product : product);
  return saturated<T>(cpu, (sum + (i128{1} << (kBits<T> - 1))) >> kBits<T>, false);
}

u32 dot_product(u32 a, u32 b, u32 d, bool is_unsigned) {
  for (u32 byte = 0; byte < 32; byte += 8) {
    const u8 x = static_cast<u8>(a >> byte), y = static_cast<u8>(b >> byte);
    d += is_unsigned ? u32{x} * y : static_cast<u32>(i32{static_cast<i8>(x)} * static_cast<i8>(y));
  }
  return d;
}

}  // namespace

void three_same(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()], d = cpu.v[i.rd()];
  Vector result{};
  if (!i.bit(21)) {  // extra: dot products, rounding doubling multiply-accumulate
    const u32 opcode = i.field(11, 4);
    if (opcode == 0b0010) {
      for (u32 k = 0; k < lanes<u32>(i); ++k) {
        set_lane(result, k, dot_product(lane<u32>(n, k), lane<u32>(m, k), lane<u32>(d, k), i.bit(29)));
      }
    } else {
      by_narrow_size(i.field(22, 2), [&]<class T>() {
        for (u32 k = 0; k < lanes<T>(i); ++k) {
          set_lane(result, k, multiply_accumulate_high(cpu, lane<T>(n, k), lane<T>(m, k), lane<T>(d, k), i.bit(11)));
        }
      });
    }
  } else {
    by_size(i.field(22, 2), [&]<class T>() {
      const u32 count = lanes<T>(i);
      for (u32 k = 0; k < count; ++k) {
        T a, b;
        if (is_pairwise(i.field(11, 5))) {
          const auto of_both = [&](u32 at) { return at < count ? lane<T>(n, at) : lane<T>(m, at - count); };
          a = of_both(2 * k);
          b = of_both(2 * k + 1);
        } else {
          a = lane<T>(n, k);
          b = lane<T>(m, k);
        }
        set_lane(result, k, element_of(cpu, i, a, b, lane<T>(d, k)));
      }
    });
  }
  cpu.v[i.rd()] = result;
}

namespace {

u64 element_bits(const Vector& m, const Insn& i, u32* size) {
  *size = i.field(22, 2);
  const u32 h = i.bit(11), l = i.bit(21), mm = i.bit(20);
  const u32 index = *size == 1 ? h << 2 | l << 1 | mm : h << 1 | l;
  return *size == 1 ? lane<u16>(m, index) : lane<u32>(m, index);
}

}  // namespace

// U and opcode, bits 15-12, as in the other groups' tables.
void by_element(Cpu& cpu, const Insn& i) {
  u32 size;
  const u32 reg = i.field(22, 2) == 1 ? i.field(16, 4) : i.rm();
  const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
  const u64 element = element_bits(cpu.v[reg], i, &size);
  const u32 opcode = i.field(12, 4);
  const bool is_unsigned = i.bit(29);
  Vector result{};
  const auto same = [&]<class T>() {
    const T b = static_cast<T>(element);
    for (u32 k = 0; k < lanes<T>(i); ++k) {
      const T a = lane<T>(n, k), old = lane<T>(d, k);
      const T product = static_cast<T>(u64{a} * b);
      T value;
      switch (opcode) {
        case 0b0000:
          value = static_cast<T>(old + product);
          break;
        case 0b0100:
          value = static_cast<T>(old - product);
          break;
        case 0b1000:
          value = product;
          break;
        case 0b1101:
        case 0b1111:
          if (is_unsigned) {
            value = multiply_accumulate_high(cpu, a, b, old, opcode == 0b1111);
            break;
          }
          [[fallthrough]];
        default: {
          const i128 doubled = i128{static_cast<Signed<T>>(a)} * static_cast<Signed<T>>(b) * 2;
          const i128 half = opcode == 0b1101 ? i128{1} << (kBits<T> - 1) : i128{0};
          value = saturated<T>(cpu, (doubled + half) >> kBits<T>, false);
        }
      }
      set_lane(result, k, value);
    }
  };
  const auto longer = [&]<class T>() {
    using W = DoubleOf<T>;
    const T b = static_cast<T>(element);
    const u32 from = second_half<T>(i), count = is_scalar(i) ? 1 : 8 / static_cast<u32>(sizeof(T));
    for (u32 k = 0; k < count; ++k) {
      const i128 product = i128{widened(lane<T>(n, from + k), is_unsigned)} * widened(b, is_unsigned);
      const W old = lane<W>(d, k);
      const auto signed_old = static_cast<Signed<W>>(old);
      W value;
      switch (opcode) {
        case 0b0010:
          value = static_cast<W>(old + static_cast<W>(product));
          break;
        case 0b0110:
          value = static_cast<W>(old - static_cast<W>(product));
          break;
        case 0b1010:
          value = static_cast<W>(product);
          break;
        default: {  // doubling: 0011 adds, 0111 subtracts, 1011 does neither
          const W doubled = saturated<W>(cpu, product * 2, false);
          const i128 term = static_cast<Signed<W>>(doubled);
          value = opcode == 0b1011 ? doubled
                                   : saturated<W>(cpu, opcode == 0b0011 ? signed_old + term : signed_old - term, false);
        }
      }
      set_lane(result, k, value);
    }
  };
  if (opcode == 0b1110) {
    for (u32 k = 0; k < lanes<u32>(i); ++k) {
      const u32 index = u32{i.bit(11)} << 1 | u32{i.bit(21)};
      set_lane(result, k, dot_product(lane<u32>(n, k), lane<u32>(cpu.v[i.rm()], index), lane<u32>(d, k), is_unsigned));
    }
  } else if ((opcode & 3) == 2 || (opcode & 3) == 3) {
    if (opcode == 0b1111) {
      size == 1 ? same.template operator()<u16>() : same.template operator()<u32>();
    } else {
      size == 1 ? longer.template operator()<u16>() : longer.template operator()<u32>();
    }
  } else {
    size == 1 ? same.template operator()<u16>() : same.template operator()<u32>();
  }
  cpu.v[i.rd()] = result;
}

}  // namespace pagoda::arm64::simd
