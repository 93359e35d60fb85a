// SPDX-License-Identifier: MIT
// Integer vectors: one register, reductions, shifts by immediates (Arm ARM C4.1, "Advanced SIMD two-register
// miscellaneous", "across lanes", "shift by immediate").
#include <bit>

#include "cpu/arm64/fp_estimate.h"
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {
namespace {

// Elements of T in reverse order within containers of `bytes`.
template <class T>
Vector reversed(const Vector& v, u32 bytes) {
  Vector result;
  const u32 per = bytes / static_cast<u32>(sizeof(T));
  for (u32 k = 0; k < 16 / sizeof(T); ++k) set_lane(result, k, lane<T>(v, k / per * per + (per - 1 - k % per)));
  return result;
}

u8 reversed_bits(u8 byte) {
  u32 result = 0;
  for (u32 bit = 0; bit < 8; ++bit) result |= (u32{byte} >> bit & 1) << (7 - bit);
  return static_cast<u8>(result);
}

template <class T>
T misc_element(Cpu& cpu, const Insn& i, T a, T d) {
  const bool u = i.bit(29);
  const Wide<T> x = widened(a, false);
  const auto all_ones = [](bool holds) { return holds ? static_cast<T>(~T{0}) : T{0}; };
  switch (i.field(12, 5)) {
    case 0b00011:  // SUQADD, USQADD: one operand each way
      return u ? saturated<T>(cpu, i128{d} + widened(a, false), true)
               : saturated<T>(cpu, i128{widened(d, false)} + a, false);
    case 0b00100:
      if (u) return static_cast<T>(std::countl_zero(a));
      return static_cast<T>(std::countl_zero(static_cast<T>(a ^ static_cast<T>(x >> 1))) - 1);
    case 0b00101:
      if (!u) return static_cast<T>(std::popcount(a));
      return i.field(22, 2) == 0 ? static_cast<T>(~a) : static_cast<T>(reversed_bits(static_cast<u8>(a)));
    case 0b00111:
      return saturated<T>(cpu, u || x < 0 ? -i128{x} : i128{x}, false);
    case 0b01000:
      return all_ones(u ? x >= 0 : x > 0);
    case 0b01001:
      return all_ones(u ? x <= 0 : x == 0);
    case 0b01010:
      return all_ones(x < 0);
    default:
      return static_cast<T>(u || x < 0 ? T{0} - a : a);
  }
}

// SADDLP, SADALP and the unsigned ones.
template <class T>
void add_pairs(Cpu& cpu, const Insn& i) {
  using W = DoubleOf<T>;
  const bool is_unsigned = i.bit(29), accumulates = i.bit(14);
  const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
  Vector result{};
  for (u32 k = 0; k < lanes<W>(i); ++k) {
    const auto sum = widened(lane<T>(n, 2 * k), is_unsigned) + widened(lane<T>(n, 2 * k + 1), is_unsigned);
    set_lane(result, k, static_cast<W>((accumulates ? lane<W>(d, k) : W{0}) + static_cast<W>(sum)));
  }
  cpu.v[i.rd()] = result;
}

template <class T>
void narrow(Cpu& cpu, const Insn& i, u32 opcode) {
  using W = DoubleOf<T>;
  const bool u = i.bit(29);
  const Vector n = cpu.v[i.rn()];
  Vector result = cpu.v[i.rd()];
  const u32 to = second_half<T>(i);
  if (to == 0) result = {};
  for (u32 k = 0; k < (is_scalar(i) ? 1 : 8 / sizeof(T)); ++k) {
    const W a = lane<W>(n, k);
    T value;
    if (opcode == 0b10010 && !u) {
      value = static_cast<T>(a);
    } else {  // SQXTUN reads signed and gives unsigned
      const bool from_unsigned = opcode == 0b10100 && u;
      value = saturated<T>(cpu, widened(a, from_unsigned), u);
    }
    set_lane(result, to + k, value);
  }
  cpu.v[i.rd()] = result;
}

template <class T>
void widen(Cpu& cpu, const Insn& i, u32 left, bool is_unsigned) {
  using W = DoubleOf<T>;
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  const u32 from = second_half<T>(i);
  for (u32 k = 0; k < 8 / sizeof(T); ++k) {
    set_lane(result, k, static_cast<W>(static_cast<W>(widened(lane<T>(n, from + k), is_unsigned)) << left));
  }
  cpu.v[i.rd()] = result;
}

}  // namespace

void two_misc(Cpu& cpu, const Insn& i) {
  const u32 opcode = i.field(12, 5), size = i.field(22, 2);
  const auto cleared = [&](Vector v) {
    if (!i.bit(30)) v.half[1] = 0;
    cpu.v[i.rd()] = v;
  };
  switch (opcode) {
    case 0b00000:
    case 0b00001: {
      const u32 container = opcode == 1 ? 2 : i.bit(29) ? 4 : 8;
      return by_narrow_size(size, [&]<class T>() { cleared(reversed<T>(cpu.v[i.rn()], container)); });
    }
    case 0b00010:
    case 0b00110:
      return by_narrow_size(size, [&]<class T>() { add_pairs<T>(cpu, i); });
    case 0b10010:
    case 0b10100:
      return by_narrow_size(size, [&]<class T>() { narrow<T>(cpu, i, opcode); });
    case 0b10011:
      return by_narrow_size(size, [&]<class T>() { widen<T>(cpu, i, kBits<T>, true); });
    default:
      break;
  }
  const bool on_bits = opcode == 0b00101 && i.bit(29);  // NOT, RBIT: bytes, whatever the size field
  by_size(on_bits ? 0 : size, [&]<class T>() {
    const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
    Vector result{};
    for (u32 k = 0; k < lanes<T>(i); ++k) set_lane(result, k, misc_element(cpu, i, lane<T>(n, k), lane<T>(d, k)));
    cpu.v[i.rd()] = result;
  });
}

void across(Cpu& cpu, const Insn& i) {
  const bool is_unsigned = i.bit(29);
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  if (is_scalar(i)) {  // ADDP of two doublewords
    result.half[0] = n.half[0] + n.half[1];
    cpu.v[i.rd()] = result;
    return;
  }
  by_narrow_size(i.field(22, 2), [&]<class T>() {
    Wide<T> value = widened(lane<T>(n, 0), is_unsigned);
    for (u32 k = 1; k < lanes<T>(i); ++k) {
      const Wide<T> next = widened(lane<T>(n, k), is_unsigned);
      switch (i.field(12, 5)) {
        case 0b01010:
          value = next > value ? next : value;
          break;
        case 0b11010:
          value = next < value ? next : value;
          break;
        default:
          value += next;
      }
    }
    if (i.field(12, 5) == 0b00011) {
      set_lane(result, 0, static_cast<DoubleOf<T>>(value));
    } else {
      set_lane(result, 0, static_cast<T>(value));
    }
  });
  cpu.v[i.rd()] = result;
}

namespace {

// immh:immb
u32 shift_field(const Insn& i) { return i.field(16, 7); }
u32 shift_size(const Insn& i) { return 31 - static_cast<u32>(std::countl_zero(i.field(19, 4))); }

template <class T>
T shift_element(Cpu& cpu, const Insn& i, T a, T d) {
  const bool u = i.bit(29);
  const int left = static_cast<int>(shift_field(i)) - static_cast<int>(kBits<T>);
  const int right = static_cast<int>(2 * kBits<T>) - static_cast<int>(shift_field(i));  // 1 .. width
  const u32 opcode = i.field(11, 5);
  switch (opcode) {
    case 0b00000:
    case 0b00010:
    case 0b00100:
    case 0b00110: {
      const T value = shifted(cpu, a, -right, u, (opcode & 4) != 0, false);
      return static_cast<T>((opcode & 2) != 0 ? d + value : value);
    }
    case 0b01000: {  // SRI
      const T mask = right == static_cast<int>(kBits<T>) ? T{0} : static_cast<T>(static_cast<T>(~T{0}) >> right);
      const T value = right == static_cast<int>(kBits<T>) ? T{0} : static_cast<T>(a >> right);
      return static_cast<T>((d & static_cast<T>(~mask)) | value);
    }
    case 0b01010: {
      const T mask = static_cast<T>(static_cast<T>(~T{0}) << left);
      const T value = static_cast<T>(a << left);
      return u ? static_cast<T>((d & static_cast<T>(~mask)) | value) : value;
    }
    case 0b01100: {  // SQSHLU: signed to unsigned
      const i128 x = widened(a, false);
      return saturated<T>(cpu, static_cast<i128>(static_cast<u128>(x) << left), true);
    }
    default:
      return shifted(cpu, a, left, u, false, true);
  }
}

}  // namespace

void shift(Cpu& cpu, const Insn& i) {
  by_size(shift_size(i), [&]<class T>() {
    const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
    Vector result{};
    for (u32 k = 0; k < lanes<T>(i); ++k) set_lane(result, k, shift_element(cpu, i, lane<T>(n, k), lane<T>(d, k)));
    cpu.v[i.rd()] = result;
  });
}

// U and opcode: 10000 plain (U: signed to unsigned), 1001x saturating (U: unsigned); bit 0 rounds.
void shift_narrow(Cpu& cpu, const Insn& i) {
  by_narrow_size(shift_size(i), [&]<class T>() {
    using W = DoubleOf<T>;
    const bool u = i.bit(29), rounds = i.bit(11), keeps_sign = i.bit(12);
    const u32 right = 2 * kBits<T> - shift_field(i);
    const Vector n = cpu.v[i.rn()];
    Vector result = cpu.v[i.rd()];
    const u32 to = second_half<T>(i);
    if (to == 0) result = {};
    for (u32 k = 0; k < (is_scalar(i) ? 1 : 8 / sizeof(T)); ++k) {
      const i128 x = widened(lane<W>(n, k), keeps_sign && u);
      const i128 value = (x + (rounds ? i128{1} << (right - 1) : i128{0})) >> right;
      set_lane(result, to + k, keeps_sign || u ? saturated<T>(cpu, value, u) : static_cast<T>(value));
    }
    cpu.v[i.rd()] = result;
  });
}

void shift_long(Cpu& cpu, const Insn& i) {
  by_narrow_size(shift_size(i), [&]<class T>() { widen<T>(cpu, i, shift_field(i) - kBits<T>, i.bit(29)); });
}

// URECPE, URSQRTE: numbers from 0.5 and 0.25 up to 1, by their nine highest bits.
void estimate(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  for (u32 k = 0; k < lanes<u32>(i); ++k) {
    const u32 a = lane<u32>(n, k);
    u32 value = ~u32{0};
    if (i.bit(29)) {
      if (a >> 30 != 0) value = reciprocal_root_of(a >> 23) << 23;
    } else if (a >> 31 != 0) {
      value = reciprocal_of(a >> 23) << 23;
    }
    set_lane(result, k, value);
  }
  cpu.v[i.rd()] = result;
}

}  // namespace pagoda::arm64::simd
