// SPDX-License-Identifier: MIT
// IR value types and the small enumerations that ops carry.
#pragma once

#include "base/types.h"

namespace pagoda::ir {

// Order matters: integers by width first. `flags` is one condition-flag word, a lazily computed set of NZCVAP bits.
enum class Type : u8 { none, i1, i8, i16, i32, i64, i128, f32, f64, v128, v256, flags };
inline constexpr u32 kTypeCount = 12;

const char* type_name(Type type);
// Bits that a value takes; flags are held in a doubleword.
constexpr u32 type_bits(Type type) {
  constexpr u16 bits[kTypeCount] = {0, 1, 8, 16, 32, 64, 128, 32, 64, 128, 256, 64};
  return bits[static_cast<u32>(type)];
}
// Bytes a value takes in a slot or in memory.
constexpr u32 type_bytes(Type type) { return (type_bits(type) + 7) / 8; }
constexpr bool is_integer(Type type) { return type >= Type::i1 && type <= Type::i128; }
constexpr bool is_float(Type type) { return type == Type::f32 || type == Type::f64; }
constexpr bool is_vector(Type type) { return type == Type::v128 || type == Type::v256; }
// All ones in the width of an integer type of at most 64 bits.
constexpr u64 type_mask(Type type) { return type_bits(type) >= 64 ? ~u64{0} : (u64{1} << type_bits(type)) - 1; }

// Index of the instruction that defines a value; 0 is never a value (it is the block's first marker).
using ValueId = u16;
inline constexpr ValueId kNoValue = 0;

// Rounding of a floating-point op. `mode` is the vcpu's current rounding mode.
enum class Round : u8 { mode, nearest_even, to_zero, down, up, nearest_away };

// Ordering of a memory access relative to the others of the same vcpu. `tso`: as x86 orders plain accesses.
enum class Order : u8 { plain, tso, acquire, release, acq_rel, seq_cst };

enum class Rmw : u8 { swap, add, and_, or_, xor_, min_s, max_s, min_u, max_u };

// Floating-point comparisons. A quiet one raises invalid for signalling NaNs only, a signalling one for any NaN.
enum class FpCompare : u8 { eq_quiet, lt_quiet, le_quiet, eq_signal, lt_signal, le_signal };

// How float-to-integer treats the sign of the integer.
enum class Sign : u8 { is_signed, is_unsigned };

// One condition flag; also the bit number in a materialised flags value, whose other bits are 0. They lie where x86 has
// them in AH after LAHF, V in a bit that is free there: a host instruction gets at five of them.
enum class Flag : u8 { c = 0, v = 1, p = 2, a = 4, z = 6, n = 7 };
constexpr u8 flag_mask(Flag flag) { return static_cast<u8>(1u << static_cast<u32>(flag)); }
// Flag groups that are updated together (bit masks over Flag).
inline constexpr u8 kFlagsC = flag_mask(Flag::c);
inline constexpr u8 kFlagsV = flag_mask(Flag::v);
inline constexpr u8 kFlagsA = flag_mask(Flag::a);
inline constexpr u8 kFlagsNZ = flag_mask(Flag::n) | flag_mask(Flag::z);
inline constexpr u8 kFlagsNZP = kFlagsNZ | flag_mask(Flag::p);
inline constexpr u8 kAllFlags = kFlagsNZP | kFlagsC | kFlagsV | kFlagsA;

// A memory access: everything but address and value.
struct MemOp {
  u8 size_log2 = 3;    // 0..5: 1..32 bytes
  bool sign = false;   // loads: sign-extend into the result type, else zero-extend
  bool align = false;  // a misaligned address faults (else it is split where needed)
  bool big_endian = false;
  Order order = Order::plain;
  u8 mode = 0;  // 0: the vcpu's current memory mode; n: the guest's memory mode n - 1
  constexpr u32 size() const { return 1u << size_log2; }
  constexpr u32 pack() const {
    return size_log2 | u32{sign} << 3 | u32{align} << 4 | u32{big_endian} << 5 | static_cast<u32>(order) << 6 |
           u32{mode} << 9;
  }
  static constexpr MemOp unpack(u32 bits) {
    return {static_cast<u8>(bits & 7),
            (bits & 8) != 0,
            (bits & 16) != 0,
            (bits & 32) != 0,
            static_cast<Order>(bits >> 6 & 7),
            static_cast<u8>(bits >> 9 & 15)};
  }
  constexpr bool operator==(const MemOp&) const = default;
};

}  // namespace pagoda::ir
