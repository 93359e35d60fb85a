// SPDX-License-Identifier: MIT
// Vectors of floating-point numbers (Arm ARM C4.1, the floating-point halves of the Advanced SIMD groups). Each element
// is one operation of FpMath, in order, so that flags and NaNs are the architecture's.
#include <bit>

#include "cpu/arm64/fp_math.h"
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::simd {
namespace {

using Pick = FpMath::Pick;
using Order = FpMath::Order;

// Half precision has encodings of its own; elsewhere bit 22 tells doubles from singles.
template <class F>
void by_precision(bool half, bool wide, const F& f) {
  if (half) return f.template operator()<u16>();
  wide ? f.template operator()<u64>() : f.template operator()<u32>();
}

template <class T>
T all_ones(bool holds) {
  return holds ? static_cast<T>(~T{0}) : T{0};
}

// U, bit 23 and opcode as one number.
constexpr u32 key(u32 u, u32 a, u32 opcode) { return u << 6 | a << 5 | opcode; }

template <class T>
T three_element(FpMath& math, u32 which, T a, T b, T d) {
  switch (which) {
    case key(0, 0, 0b11000):
    case key(1, 0, 0b11000):
      return math.pick_number(Pick::max, a, b);
    case key(0, 1, 0b11000):
    case key(1, 1, 0b11000):
      return math.pick_number(Pick::min, a, b);
    case key(0, 0, 0b11001):
      return math.fma(d, a, b);
    case key(0, 1, 0b11001):
      return math.fma(d, fp::fneg(a), b);
    case key(0, 0, 0b11010):
    case key(1, 0, 0b11010):
      return math.add(a, b);
    case key(0, 1, 0b11010):
      return math.sub(a, b);
    case key(1, 1, 0b11010):
      return fp::magnitude(math.sub(a, b));
    case key(0, 0, 0b11011):
      return math.mulx(a, b);
    case key(1, 0, 0b11011):
      return math.mul(a, b);
    case key(0, 0, 0b11100):
      return all_ones<T>(math.compare(a, b, false) == Order::equal);
    case key(1, 0, 0b11100):
    case key(1, 0, 0b11101): {
      const bool absolute = which == key(1, 0, 0b11101);
      const Order order = absolute ? math.compare(fp::magnitude(a), fp::magnitude(b), true) : math.compare(a, b, true);
      return all_ones<T>(order == Order::greater || order == Order::equal);
    }
    case key(1, 1, 0b11100):
      return all_ones<T>(math.compare(a, b, true) == Order::greater);
    case key(1, 1, 0b11101):
      return all_ones<T>(math.compare(fp::magnitude(a), fp::magnitude(b), true) == Order::greater);
    case key(0, 0, 0b11110):
    case key(1, 0, 0b11110):
      return math.pick(Pick::max, a, b);
    case key(0, 1, 0b11110):
    case key(1, 1, 0b11110):
      return math.pick(Pick::min, a, b);
    case key(0, 0, 0b11111):
      return math.reciprocal_step(a, b);
    case key(0, 1, 0b11111):
      return math.root_step(a, b);
    default:
      return math.div(a, b);
  }
}

constexpr bool is_pairwise(u32 which) {
  return which == key(1, 0, 0b11000) || which == key(1, 1, 0b11000) || which == key(1, 0, 0b11010) ||
         which == key(1, 0, 0b11110) || which == key(1, 1, 0b11110);
}

}  // namespace

void fp_three(Cpu& cpu, const Insn& i) {
  const bool half = !i.bit(21);
  const u32 which = key(i.bit(29), i.bit(23), half ? 0b11000 | i.field(11, 3) : i.field(11, 5));
  const Vector n = cpu.v[i.rn()], m = cpu.v[i.rm()], d = cpu.v[i.rd()];
  Vector result{};
  FpMath math(cpu);
  by_precision(half, i.bit(22), [&]<class T>() {
    const u32 count = lanes<T>(i);
    for (u32 k = 0; k < count; ++k) {
      T a = lane<T>(n, k), b = lane<T>(m, k);
      if (is_pairwise(which)) {
        const auto of_both = [&](u32 at) { return at < count ? lane<T>(n, at) : lane<T>(m, at - count); };
        a = of_both(2 * k);
        b = of_both(2 * k + 1);
      }
      set_lane(result, k, three_element(math, which, a, b, lane<T>(d, k)));
    }
  });
  cpu.v[i.rd()] = result;
}

// Opcode, bits 15-12: 0001 FMLA, 0101 FMLS, 1001 FMUL or (U) FMULX. The index is H:L:M, H:L or H.
void fp_by_element(Cpu& cpu, const Insn& i) {
  const bool half = i.field(22, 2) == 0, wide = i.bit(22);
  const u32 h = i.bit(11), l = i.bit(21), m = i.bit(20);
  const Vector n = cpu.v[i.rn()], d = cpu.v[i.rd()];
  const Vector from = cpu.v[half ? i.field(16, 4) : i.rm()];
  const u32 index = half ? h << 2 | l << 1 | m : wide ? h : h << 1 | l;
  Vector result{};
  FpMath math(cpu);
  by_precision(half, wide, [&]<class T>() {
    const T b = lane<T>(from, index);
    for (u32 k = 0; k < lanes<T>(i); ++k) {
      const T a = lane<T>(n, k), old = lane<T>(d, k);
      T value;
      switch (i.field(12, 4)) {
        case 0b0001:
          value = math.fma(old, a, b);
          break;
        case 0b0101:
          value = math.fma(old, fp::fneg(a), b);
          break;
        default:
          value = i.bit(29) ? math.mulx(a, b) : math.mul(a, b);
      }
      set_lane(result, k, value);
    }
  });
  cpu.v[i.rd()] = result;
}

namespace {

template <class T>
T two_element(FpMath& math, u32 which, T a) {
  constexpr u32 bits = kBits<T>;
  const auto to_integer = [&](ir::Sign sign, Round round) {
    return static_cast<T>(math.to_fixed(a, bits, sign, round));
  };
  const auto against_zero = [&](bool signals) { return math.compare(a, T{0}, signals); };
  constexpr auto is_signed = ir::Sign::is_signed, is_unsigned = ir::Sign::is_unsigned;
  switch (which) {
    case key(0, 0, 0b11000):
      return math.round_integral(a, Round::nearest_even, false);
    case key(1, 0, 0b11000):
      return math.round_integral(a, Round::nearest_away, false);
    case key(0, 0, 0b11001):
      return math.round_integral(a, Round::down, false);
    case key(1, 0, 0b11001):
      return math.round_integral(a, math.round(), true);
    case key(0, 1, 0b11000):
      return math.round_integral(a, Round::up, false);
    case key(0, 1, 0b11001):
      return math.round_integral(a, Round::to_zero, false);
    case key(1, 1, 0b11001):
      return math.round_integral(a, math.round(), false);
    case key(0, 0, 0b11010):
      return to_integer(is_signed, Round::nearest_even);
    case key(1, 0, 0b11010):
      return to_integer(is_unsigned, Round::nearest_even);
    case key(0, 0, 0b11011):
      return to_integer(is_signed, Round::down);
    case key(1, 0, 0b11011):
      return to_integer(is_unsigned, Round::down);
    case key(0, 0, 0b11100):
      return to_integer(is_signed, Round::nearest_away);
    case key(1, 0, 0b11100):
      return to_integer(is_unsigned, Round::nearest_away);
    case key(0, 1, 0b11010):
      return to_integer(is_signed, Round::up);
    case key(1, 1, 0b11010):
      return to_integer(is_unsigned, Round::up);
    case key(0, 1, 0b11011):
      return to_integer(is_signed, Round::to_zero);
    case key(1, 1, 0b11011):
      return to_integer(is_unsigned, Round::to_zero);
    case key(0, 0, 0b11101):
      return math.from_fixed<T>(static_cast<u64>(i64{static_cast<Signed<T>>(a)}), is_signed);
    case key(1, 0, 0b11101):
      return math.from_fixed<T>(a, is_unsigned);
    case key(0, 1, 0b11101):
      return math.reciprocal_estimate(a);
    case key(1, 1, 0b11101):
      return math.root_estimate(a);
    case key(0, 1, 0b01100):
      return all_ones<T>(against_zero(true) == Order::greater);
    case key(1, 1, 0b01100): {
      const Order order = against_zero(true);
      return all_ones<T>(order == Order::greater || order == Order::equal);
    }
    case key(0, 1, 0b01101):
      return all_ones<T>(against_zero(false) == Order::equal);
    case key(1, 1, 0b01101): {
      const Order order = against_zero(true);
      return all_ones<T>(order == Order::less || order == Order::equal);
    }
    case key(0, 1, 0b01110):
      return all_ones<T>(against_zero(true) == Order::less);
    case key(0, 1, 0b01111):
      return fp::magnitude(a);
    case key(1, 1, 0b01111):
      return fp::fneg(a);
    case key(0, 1, 0b11111):
      return math.reciprocal_exponent(a);
    default:
      return math.sqrt(a);
  }
}

}  // namespace

void fp_two(Cpu& cpu, const Insn& i) {
  const u32 which = key(i.bit(29), i.bit(23), i.field(12, 5));
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  FpMath math(cpu);
  by_precision(i.field(17, 5) == 0b11100, i.bit(22), [&]<class T>() {
    for (u32 k = 0; k < lanes<T>(i); ++k) set_lane(result, k, two_element(math, which, lane<T>(n, k)));
  });
  cpu.v[i.rd()] = result;
}

// FCVTN, FCVTXN
void fp_narrow(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()];
  Vector result = cpu.v[i.rd()];
  FpMath math(cpu);
  const auto narrowed = [&]<class T, class W>() {
    const u32 to = second_half<T>(i);
    if (to == 0) result = {};
    for (u32 k = 0; k < (is_scalar(i) ? 1 : 8 / sizeof(T)); ++k) {
      const W a = lane<W>(n, k);
      if constexpr (sizeof(T) == 4) {
        set_lane(result, to + k, i.bit(29) ? math.narrow_to_odd(a) : math.convert<T>(a));
      } else {
        set_lane(result, to + k, math.convert<T>(a));
      }
    }
  };
  i.bit(22) ? narrowed.template operator()<u32, u64>() : narrowed.template operator()<u16, u32>();
  cpu.v[i.rd()] = result;
}

void fp_long(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  FpMath math(cpu);
  const auto widened_lanes = [&]<class T, class W>() {
    const u32 from = second_half<T>(i);
    for (u32 k = 0; k < 8 / sizeof(T); ++k) set_lane(result, k, math.convert<W>(lane<T>(n, from + k)));
  };
  i.bit(22) ? widened_lanes.template operator()<u32, u64>() : widened_lanes.template operator()<u16, u32>();
  cpu.v[i.rd()] = result;
}

namespace {

// By halves: which NaN comes through depends on the order (Arm ARM, Reduce).
template <class T>
T reduced(FpMath& math, const Insn& i, const Vector& n, u32 from, u32 count) {
  if (count == 1) return lane<T>(n, from);
  const T low = reduced<T>(math, i, n, from, count / 2);
  const T high = reduced<T>(math, i, n, from + count / 2, count / 2);
  const Pick pick = i.bit(23) ? Pick::min : Pick::max;
  switch (i.field(12, 5)) {
    case 0b01100:
      return math.pick_number(pick, low, high);
    case 0b01101:
      return math.add(low, high);
    default:
      return math.pick(pick, low, high);
  }
}

}  // namespace

// Across a vector, or of a pair; U is 0 for half precision.
void fp_across(Cpu& cpu, const Insn& i) {
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  FpMath math(cpu);
  by_precision(!i.bit(29), i.bit(22), [&]<class T>() {
    const u32 count = is_scalar(i) ? 2 : (i.bit(30) ? 16 : 8) / static_cast<u32>(sizeof(T));
    set_lane(result, 0, reduced<T>(math, i, n, 0, count));
  });
  cpu.v[i.rd()] = result;
}

// immh:immb is the element's width twice less the fraction bits.
void fp_fixed(Cpu& cpu, const Insn& i) {
  const u32 size = 31 - static_cast<u32>(std::countl_zero(i.field(19, 4)));
  const ir::Sign sign = i.bit(29) ? ir::Sign::is_unsigned : ir::Sign::is_signed;
  const bool to_integer = i.field(11, 5) == 0b11111;
  const Vector n = cpu.v[i.rn()];
  Vector result{};
  FpMath math(cpu);
  by_precision(size == 1, size == 3, [&]<class T>() {
    const u32 fraction_bits = 2 * kBits<T> - i.field(16, 7);
    for (u32 k = 0; k < lanes<T>(i); ++k) {
      const T a = lane<T>(n, k);
      const u64 extended = i.bit(29) ? u64{a} : static_cast<u64>(i64{static_cast<Signed<T>>(a)});
      set_lane(result, k,
               to_integer ? static_cast<T>(math.to_fixed(a, kBits<T>, sign, Round::to_zero, fraction_bits))
                          : math.from_fixed<T>(extended, sign, fraction_bits));
    }
  });
  cpu.v[i.rd()] = result;
}

}  // namespace pagoda::arm64::simd
