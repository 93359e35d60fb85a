// SPDX-License-Identifier: MIT
// Scalar floating point on the host's SSE unit, which runs in the guest's mode (tcg/host/x86_64/fp_env.h). What needs
// more than one instruction and a look at the result is left to tier 0's handlers.
#include "tcg/host/fp_format.h"
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

x86::Xmm first() { return x86::xmm0; }
x86::Xmm second() { return x86::xmm1; }

}  // namespace

void Compiler::Work::read_float(x86::Xmm to, u16 place, bool wide) {
  const x86::Gp* reg = pinned(place);
  if (reg != nullptr) {
    wide ? a.movq(to, *reg) : a.movd(to, reg->r32());
  } else {
    wide ? a.movsd(to, at(place, 8)) : a.movss(to, at(place, 4));
  }
}

void Compiler::Work::write_float(u16 place, x86::Xmm from, bool wide) {
  const x86::Gp* reg = pinned(place);
  if (reg != nullptr) {
    wide ? a.movq(*reg, from) : a.movd(reg->r32(), from);
  } else {
    wide ? a.movsd(at(place, 8), from) : a.movss(at(place, 4), from);
  }
}

// Stores a result whose NaNs must be the canonical one.
void Compiler::Work::finish_float(x86::Xmm result, bool wide) {
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  wide ? a.ucomisd(result, result) : a.ucomiss(result, result);
  a.jp(nan);
  write_float(op->d, result, wide);
  a.bind(end);
  const u16 d = op->d;
  cold.push_back([this, nan, end, d, wide] {
    a.bind(nan);
    constant(x86::rax, wide ? fp::Format<u64>::kNan : fp::Format<u32>::kNan);
    const x86::Gp* reg = pinned(d);
    if (reg != nullptr) {
      a.mov(*reg, x86::rax);
    } else {
      a.mov(at(d, wide ? 8 : 4), wide ? x86::Gp(x86::rax) : x86::Gp(x86::eax));
    }
    a.jmp(end);
  });
}

bool Compiler::Work::float_arithmetic(Handler base, bool wide) {
  if (op->imm != 0) return false;  // a rounding of its own
  read_float(first(), op->a, wide);
  read_float(second(), op->b, wide);
  switch (base) {
    case Handler::fadd_f32:
      wide ? a.addsd(first(), second()) : a.addss(first(), second());
      break;
    case Handler::fsub_f32:
      wide ? a.subsd(first(), second()) : a.subss(first(), second());
      break;
    case Handler::fmul_f32:
      wide ? a.mulsd(first(), second()) : a.mulss(first(), second());
      break;
    default:
      wide ? a.divsd(first(), second()) : a.divss(first(), second());
  }
  finish_float(first(), wide);
  return true;
}

bool Compiler::Work::fused_multiply_add(bool wide) {
  if (op->imm != 0 || !has_fma) return false;
  read_float(first(), op->a, wide);
  read_float(second(), op->b, wide);
  read_float(x86::xmm2, op->c, wide);
  wide ? a.vfmadd213sd(first(), second(), x86::xmm2) : a.vfmadd213ss(first(), second(), x86::xmm2);
  // The flags of a NaN result are not the host's (inf * 0 + NaN): done again by the handler.
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  wide ? a.ucomisd(first(), first()) : a.ucomiss(first(), first());
  a.jp(nan);
  write_float(op->d, first(), wide);
  a.bind(end);
  cold_step(nan, end);
  return true;
}

bool Compiler::Work::float_compare(bool wide) {
  const auto compare = static_cast<ir::FpCompare>(op->imm);
  const bool signals = compare >= ir::FpCompare::eq_signal;
  const bool equal = compare == ir::FpCompare::eq_quiet || compare == ir::FpCompare::eq_signal;
  const bool or_equal = compare == ir::FpCompare::le_quiet || compare == ir::FpCompare::le_signal;
  read_float(first(), op->a, wide);
  read_float(second(), op->b, wide);
  // Less-than asks with the operands exchanged: "above" is false for unordered ones.
  const x86::Xmm left = equal ? first() : second(), right = equal ? second() : first();
  if (signals) {
    wide ? a.comisd(left, right) : a.comiss(left, right);
  } else {
    wide ? a.ucomisd(left, right) : a.ucomiss(left, right);
  }
  if (equal) {
    a.sete(x86::al);
    a.setnp(x86::cl);
    a.and_(x86::al, x86::cl);
  } else if (or_equal) {
    a.setae(x86::al);
  } else {
    a.seta(x86::al);
  }
  const x86::Gp to = target(op->d, x86::rax);
  a.movzx(to.r32(), x86::al);
  done(op->d, to);
  return true;
}

// Truncation to an unsigned integer, as in C: what lies between 0 and both limits is the host's signed conversion. The
// rest is decided before anything is converted, as that would raise flags.
bool Compiler::Work::float_to_unsigned(bool wide, u32 bits) {
  const u64 limit = bits == 64 ? (wide ? 0x43e0'0000'0000'0000 : 0x5f00'0000)   // 2^63
                               : (wide ? 0x41f0'0000'0000'0000 : 0x4f80'0000);  // 2^32
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  read_float(first(), op->a, wide);
  constant(x86::rax, limit);
  a.movq(second(), x86::rax);
  wide ? a.ucomisd(first(), second()) : a.ucomiss(first(), second());
  a.jp(odd);
  a.jae(odd);
  a.xorps(second(), second());
  wide ? a.ucomisd(first(), second()) : a.ucomiss(first(), second());
  a.jb(odd);
  wide ? a.cvttsd2si(x86::rax, first()) : a.cvttss2si(x86::rax, first());
  done(op->d, x86::rax);
  a.bind(end);
  cold_step(odd, end);
  return true;
}

// In range the host converts as the guest does; its answer to anything else is the minimum.
bool Compiler::Work::float_to_int(bool wide) {
  const auto round = static_cast<ir::Round>(op->imm & 15);
  const auto sign = static_cast<ir::Sign>(op->imm >> 4 & 15);
  const u32 bits = static_cast<u32>(op->imm >> 8);
  if (bits < 32) return false;
  if (sign != ir::Sign::is_signed) return round == ir::Round::to_zero && float_to_unsigned(wide, bits);
  if (round != ir::Round::mode && round != ir::Round::to_zero) return false;
  const bool truncate = round == ir::Round::to_zero;
  const bool to64 = bits == 64;
  read_float(first(), op->a, wide);
  const x86::Gp to = to64 ? x86::Gp(x86::rax) : x86::Gp(x86::eax);
  if (wide) {
    truncate ? a.cvttsd2si(to, first()) : a.cvtsd2si(to, first());
  } else {
    truncate ? a.cvttss2si(to, first()) : a.cvtss2si(to, first());
  }
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  if (to64) {
    a.mov(x86::rcx, u64{1} << 63);
    a.cmp(x86::rax, x86::rcx);
  } else {
    a.cmp(x86::eax, static_cast<i32>(0x80000000));
  }
  a.je(odd);
  done(op->d, x86::rax);
  a.bind(end);
  cold_step(odd, end);
  return true;
}

bool Compiler::Work::int_to_float(bool wide) {
  const auto round = static_cast<ir::Round>(op->imm & 15);
  const auto sign = static_cast<ir::Sign>(op->imm >> 4 & 15);
  const u32 bits = static_cast<u32>(op->imm >> 8);
  const bool exact = wide && bits <= 32;
  if (bits < 32) return false;
  if (round != ir::Round::mode && !exact) return false;
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  const bool may_be_odd = bits == 64 && sign != ir::Sign::is_signed;
  if (bits == 64) {
    move(x86::rax, op->a, true);
    if (may_be_odd) {  // beyond the host's signed integers
      a.test(x86::rax, x86::rax);
      a.js(odd);
    }
  } else if (sign == ir::Sign::is_signed) {
    const x86::Gp value = read32(op->a, x86::rax);
    a.movsxd(x86::rax, value);
  } else {
    a.mov(x86::eax, read32(op->a, x86::rax));
  }
  a.xorps(first(), first());  // the old upper half must not delay it
  wide ? a.cvtsi2sd(first(), x86::rax) : a.cvtsi2ss(first(), x86::rax);
  write_float(op->d, first(), wide);
  a.bind(end);
  if (may_be_odd) cold_step(odd, end);
  return true;
}

bool Compiler::Work::emit_float(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  const u32 group = static_cast<u32>(Handler::fadd_f32);
  if (handler == Handler::f32_box) {
    constant(x86::rcx, ~u64{0} << 32);
    a.mov(x86::eax, read32(op->a, x86::rax));
    a.or_(x86::rax, x86::rcx);
    done(op->d, x86::rax);
    return true;
  }
  if (handler == Handler::f32_unbox) {
    move(x86::rax, op->a, true);
    a.mov(x86::rcx, x86::rax);
    a.shr(x86::rcx, 32);
    a.mov(x86::edx, fp::Format<u32>::kNan);
    a.cmp(x86::ecx, -1);
    a.cmovne(x86::eax, x86::edx);
    const x86::Gp* reg = pinned(op->d);
    if (reg != nullptr) {
      a.mov(reg->r32(), x86::eax);
    } else {
      a.mov(at(op->d, 4), x86::eax);
    }
    return true;
  }
  if (number < group || number > static_cast<u32>(Handler::f_to_f_f64)) return false;
  const bool wide = ((number - group) & 1) != 0;
  const auto base = static_cast<Handler>(number - (wide ? 1 : 0));
  switch (base) {
    case Handler::fadd_f32:
    case Handler::fsub_f32:
    case Handler::fmul_f32:
    case Handler::fdiv_f32:
      return float_arithmetic(base, wide);
    case Handler::fsqrt_f32:
      if (op->imm != 0) return false;
      read_float(second(), op->a, wide);
      wide ? a.sqrtsd(first(), second()) : a.sqrtss(first(), second());
      finish_float(first(), wide);
      return true;
    case Handler::fma_f32:
      return fused_multiply_add(wide);
    case Handler::fcmp_f32:
      return float_compare(wide);
    case Handler::fneg_f32: {
      const x86::Gp rax = wide ? x86::Gp(x86::rax) : x86::Gp(x86::eax);
      move(rax, op->a, wide);
      a.btc(rax, wide ? 63 : 31);
      if (pinned(op->d) != nullptr || wide) {
        done(op->d, x86::rax);
      } else {
        a.mov(at(op->d, 4), x86::eax);
      }
      return true;
    }
    case Handler::f_to_i_f32:
      return float_to_int(wide);
    case Handler::i_to_f_f32:
      return int_to_float(wide);
    case Handler::f_to_f_f32:
      if (!wide && op->imm != 0) return false;
      read_float(second(), op->a, !wide);
      a.xorps(first(), first());
      wide ? a.cvtss2sd(first(), second()) : a.cvtsd2ss(first(), second());
      finish_float(first(), wide);
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::light
