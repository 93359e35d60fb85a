// SPDX-License-Identifier: MIT
// Vector registers as elements, for the C++ side of the vector instructions (Arm ARM "Elem", "V").
#pragma once

#include <cstring>
#include <type_traits>

#include "base/types.h"
#include "cpu/arm64/cpu.h"
#include "cpu/arm64/decode.h"

namespace pagoda::arm64::simd {

template <class T>
inline T lane(const Vector& v, u32 index) {
  T value;
  std::memcpy(&value, reinterpret_cast<const u8*>(v.half) + index * sizeof(T), sizeof(T));
  return value;
}
template <class T>
inline void set_lane(Vector& v, u32 index, T value) {
  std::memcpy(reinterpret_cast<u8*>(v.half) + index * sizeof(T), &value, sizeof(T));
}

// Scalar forms work on one element of the register and clear the rest.
inline bool is_scalar(const Insn& i) { return i.bit(28); }
template <class T>
inline u32 lanes(const Insn& i) {
  return is_scalar(i) ? 1 : (i.bit(30) ? 16 : 8) / static_cast<u32>(sizeof(T));
}
// The first element of the half that a "2" instruction reads or writes.
template <class T>
inline u32 second_half(const Insn& i) {
  return !is_scalar(i) && i.bit(30) ? 8 / static_cast<u32>(sizeof(T)) : 0;
}

template <class T>
using Signed = std::make_signed_t<T>;
// Holds sums, products and shifts of elements exactly.
template <class T>
using Wide = std::conditional_t<(sizeof(T) >= 4), i128, i64>;
template <class T>
inline constexpr u32 kBits = sizeof(T) * 8;

template <class T>
constexpr Wide<T> widened(T value, bool is_unsigned) {
  return is_unsigned ? Wide<T>{value} : Wide<T>{static_cast<Signed<T>>(value)};
}
// The nearest value that T holds; QC tells that it is another.
template <class T>
T saturated(Cpu& cpu, i128 value, bool is_unsigned);

// Calls `f` with the type of elements of 1 << size bytes.
template <class F>
inline void by_size(u32 size, const F& f) {
  switch (size) {
    case 0:
      return f.template operator()<u8>();
    case 1:
      return f.template operator()<u16>();
    case 2:
      return f.template operator()<u32>();
    default:
      return f.template operator()<u64>();
  }
}
// The same without doublewords.
template <class F>
inline void by_narrow_size(u32 size, const F& f) {
  switch (size) {
    case 0:
      return f.template operator()<u8>();
    case 1:
      return f.template operator()<u16>();
    default:
      return f.template operator()<u32>();
  }
}
template <class T>
struct Double;
template <>
struct Double<u8> {
  using type = u16;
};
template <>
struct Double<u16> {
  using type = u32;
};
template <>
struct Double<u32> {
  using type = u64;
};
// An element of twice the width.
template <class T>
using DoubleOf = typename Double<T>::type;

// A shift by a signed count, as SSHL and its relatives do it.
template <class T>
T shifted(Cpu& cpu, T element, int count, bool is_unsigned, bool rounds, bool saturates);

// --- the instructions, by groups of the manual; each takes the word and works on the vector registers ---------------
void three_same(Cpu& cpu, const Insn& i);
void three_different(Cpu& cpu, const Insn& i);
void by_element(Cpu& cpu, const Insn& i);
void two_misc(Cpu& cpu, const Insn& i);
void across(Cpu& cpu, const Insn& i);
void shift(Cpu& cpu, const Insn& i);
void shift_narrow(Cpu& cpu, const Insn& i);
void shift_long(Cpu& cpu, const Insn& i);
void permute(Cpu& cpu, const Insn& i);
void deinterleave(Cpu& cpu, const Insn& i);
void aes(Cpu& cpu, const Insn& i);
void sha(Cpu& cpu, const Insn& i);
void estimate(Cpu& cpu, const Insn& i);
void fp_three(Cpu& cpu, const Insn& i);
void fp_by_element(Cpu& cpu, const Insn& i);
void fp_two(Cpu& cpu, const Insn& i);
void fp_narrow(Cpu& cpu, const Insn& i);
void fp_long(Cpu& cpu, const Insn& i);
void fp_across(Cpu& cpu, const Insn& i);
void fp_fixed(Cpu& cpu, const Insn& i);

}  // namespace pagoda::arm64::simd
