// SPDX-License-Identifier: MIT
// Helpers of floating-point and vector instructions: they take the instruction's word and scalar operands apart. They
// run in guest mode of the host's FP state.
#include "cpu/arm64/helpers_fp.h"

#include "cpu/arm64/fp_math.h"
#include "cpu/arm64/lanes.h"

namespace pagoda::arm64::helper {
namespace {

Cpu& cpu_of(VcpuFrame* frame) { return *static_cast<Cpu*>(frame); }
Insn insn_of(u64 imm) { return {nullptr, static_cast<u32>(imm)}; }

// Calls `f` with the type of a precision field: 0 single, 1 double, 3 half.
template <class F>
u64 by_precision(u32 field, const F& f) {
  switch (field) {
    case 0:
      return f.template operator()<u32>();
    case 1:
      return f.template operator()<u64>();
    default:
      return f.template operator()<u16>();
  }
}

// NZCV as ir::Flag numbers bits.
u64 flags_of(FpMath::Order order) {
  constexpr auto bit = [](ir::Flag flag) { return u64{1} << static_cast<u32>(flag); };
  switch (order) {
    case FpMath::Order::less:
      return bit(ir::Flag::n);
    case FpMath::Order::equal:
      return bit(ir::Flag::z) | bit(ir::Flag::c);
    case FpMath::Order::greater:
      return bit(ir::Flag::c);
    default:
      return bit(ir::Flag::c) | bit(ir::Flag::v);
  }
}

template <class From>
u64 converted(FpMath& math, From a, u32 to) {
  if constexpr (sizeof(From) != 4) {
    if (to == 0) return math.convert<u32>(a);
  }
  if constexpr (sizeof(From) != 8) {
    if (to == 1) return math.convert<u64>(a);
  }
  if constexpr (sizeof(From) != 2) {
    if (to == 3) return math.convert<u16>(a);
  }
  return 0;
}

}  // namespace

u64 fp_one(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  const Insn i = insn_of(imm);
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 {
    const T x = static_cast<T>(a);
    switch (const u32 opcode = i.field(15, 6)) {
      case 0b000011:
        return math.sqrt(x);
      case 0b000100:
      case 0b000101:
      case 0b000111:
        return converted(math, x, opcode & 3);
      case 0b001000:
        return math.round_integral(x, Round::nearest_even, false);
      case 0b001001:
        return math.round_integral(x, Round::up, false);
      case 0b001010:
        return math.round_integral(x, Round::down, false);
      case 0b001011:
        return math.round_integral(x, Round::to_zero, false);
      case 0b001100:
        return math.round_integral(x, Round::nearest_away, false);
      default:
        return math.round_integral(x, math.round(), opcode == 0b001110);
    }
  });
}

u64 fp_two(VcpuFrame* frame, u64 a, u64 b, u64, u64 imm) {
  const Insn i = insn_of(imm);
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 {
    const T x = static_cast<T>(a), y = static_cast<T>(b);
    switch (i.field(12, 4)) {
      case 0b0000:
        return math.mul(x, y);
      case 0b0001:
        return math.div(x, y);
      case 0b0010:
        return math.add(x, y);
      case 0b0011:
        return math.sub(x, y);
      case 0b0100:
        return math.pick(FpMath::Pick::max, x, y);
      case 0b0101:
        return math.pick(FpMath::Pick::min, x, y);
      case 0b0110:
        return math.pick_number(FpMath::Pick::max, x, y);
      case 0b0111:
        return math.pick_number(FpMath::Pick::min, x, y);
      default:
        return fp::fneg(math.mul(x, y));
    }
  });
}

// o1 negates the sum's operands, o0 the product.
u64 fp_three(VcpuFrame* frame, u64 a, u64 b, u64 addend, u64 imm) {
  const Insn i = insn_of(imm);
  const bool o1 = i.bit(21), o0 = i.bit(15);
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 {
    const T x = static_cast<T>(a), z = static_cast<T>(addend);
    return math.fma(o1 ? fp::fneg(z) : z, o1 != o0 ? fp::fneg(x) : x, static_cast<T>(b));
  });
}

u64 fp_compare(VcpuFrame* frame, u64 a, u64 b, u64, u64 imm) {
  const Insn i = insn_of(imm);
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 {
    return flags_of(math.compare(static_cast<T>(a), static_cast<T>(b), i.bit(4)));
  });
}

// Bits 20-19 the rounding, 18-16 the opcode, bit 21 clear: with fraction bits.
u64 fp_to_integer(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  const Insn i = insn_of(imm);
  constexpr Round rounds[] = {Round::nearest_even, Round::up, Round::down, Round::to_zero};
  const Round round = i.bit(18) ? Round::nearest_away : rounds[i.field(19, 2)];
  const ir::Sign sign = i.bit(16) ? ir::Sign::is_unsigned : ir::Sign::is_signed;
  const u32 fraction_bits = i.bit(21) ? 0 : 64 - i.field(10, 6);
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 {
    return math.to_fixed(static_cast<T>(a), i.is_64() ? 64 : 32, sign, round, fraction_bits);
  });
}

u64 fp_from_integer(VcpuFrame* frame, u64 a, u64, u64, u64 imm) {
  const Insn i = insn_of(imm);
  const ir::Sign sign = i.bit(16) ? ir::Sign::is_unsigned : ir::Sign::is_signed;
  const u32 fraction_bits = i.bit(21) ? 0 : 64 - i.field(10, 6);
  u64 value = a;
  if (!i.is_64()) value = i.bit(16) ? static_cast<u32>(a) : static_cast<u64>(i64{static_cast<i32>(a)});
  FpMath math(cpu_of(frame));
  return by_precision(i.field(22, 2), [&]<class T>() -> u64 { return math.from_fixed<T>(value, sign, fraction_bits); });
}

u64 set_fpcr(VcpuFrame* frame, u64 value, u64, u64, u64) {
  Cpu& cpu = cpu_of(frame);
  cpu.fpcr = static_cast<u32>(value) & kFpcrWritable;
  fp::set_round(fpcr_round(cpu.fpcr));
  cpu.mode = fpcr_mode(cpu.fpcr);
  return 0;
}
u64 get_fpcr(VcpuFrame* frame, u64, u64, u64, u64) { return cpu_of(frame).fpcr; }
u64 set_fpsr(VcpuFrame* frame, u64 value, u64, u64, u64) {
  Cpu& cpu = cpu_of(frame);
  cpu.fpsr = static_cast<u32>(value) & kFpsrHeld;
  cpu.saturated = {};
  fp::write_flags(flags_of_fpsr(static_cast<u32>(value)));
  return 0;
}
u64 get_fpsr(VcpuFrame* frame, u64, u64, u64, u64) {
  const Cpu& cpu = cpu_of(frame);
  return held_fpsr(cpu) | fpsr_bits(fp::read_flags());
}

#define VECTOR(helper_name, function)                         \
  u64 helper_name(VcpuFrame* frame, u64, u64, u64, u64 imm) { \
    simd::function(cpu_of(frame), insn_of(imm));              \
    return 0;                                                 \
  }
VECTOR(simd_three_same, three_same)
VECTOR(simd_three_different, three_different)
VECTOR(simd_by_element, by_element)
VECTOR(simd_two_misc, two_misc)
VECTOR(simd_across, across)
VECTOR(simd_shift, shift)
VECTOR(simd_shift_narrow, shift_narrow)
VECTOR(simd_shift_long, shift_long)
VECTOR(simd_permute, permute)
VECTOR(simd_deinterleave, deinterleave)
VECTOR(simd_aes, aes)
VECTOR(simd_sha, sha)
VECTOR(simd_estimate, estimate)
VECTOR(simd_fp_three, fp_three)
VECTOR(simd_fp_by_element, fp_by_element)
VECTOR(simd_fp_two, fp_two)
VECTOR(simd_fp_narrow, fp_narrow)
VECTOR(simd_fp_long, fp_long)
VECTOR(simd_fp_across, fp_across)
VECTOR(simd_fp_fixed, fp_fixed)
#undef VECTOR

}  // namespace pagoda::arm64::helper
