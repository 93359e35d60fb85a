// SPDX-License-Identifier: MIT
// Scalar floating point on the host's SSE unit, which runs in the guest's mode (tcg/host/x86_64/fp_env.h). What needs
// more than one instruction and a look at the result is left to tier 0's handlers.
#include "tcg/host/fp_format.h"
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
u32 Compiler::Work::find_copy(u16 place, bool wide) const {
  if (!has_floats) return FloatCopies::kCount;
  for (u32 i = 0; i < FloatCopies::kCount; ++i) {
    if (copies.place[i] == place && (!wide || (copies.is_wide >> i & 1) != 0)) return i;
  }
  return FloatCopies::kCount;
}

x86::Xmm Compiler::Work::new_float() {
  do {
    next_copy = (next_copy + 1) % FloatCopies::kCount;
  } while ((busy_copies >> next_copy & 1) != 0);
  busy_copies |= 1u << next_copy;
  copies.place[next_copy] = 0;
  return copy_register(next_copy);
}

void Compiler::Work::load_float(x86::Xmm to, u16 place, bool wide) {
  const x86::Gp* reg = pinned(place);
  if (reg != nullptr) {
    wide ? a.movq(to, *reg) : a.movd(to, reg->r32());
  } else {
    wide ? a.movsd(to, at(place, 8)) : a.movss(to, at(place, 4));
  }
}

x86::Xmm Compiler::Work::float_source(u16 place, bool wide) {
  u32 number = find_copy(place, wide);
  if (number == FloatCopies::kCount) {
    const x86::Xmm reg = new_float();
    load_float(reg, place, wide);
    number = reg.id() - FloatCopies::kFirst;
    is_copy_of(reg, place, wide);
  }
  busy_copies |= 1u << number;
  return copy_register(number);
}

void Compiler::Work::is_copy_of(x86::Xmm reg, u16 place, bool wide) {
  const u32 bit = 1u << (reg.id() - FloatCopies::kFirst);
  drop_copies(place, 8);
  copies.place[reg.id() - FloatCopies::kFirst] = place;
  copies.is_wide = static_cast<u16>((copies.is_wide & ~bit) | (wide ? bit : 0));
  copies.is_boxed = static_cast<u16>(copies.is_boxed & ~bit);
}

void Compiler::Work::drop_copies(u16 place, u32 bytes) {
  for (u16& copy : copies.place) {
    if (copy < place + bytes && copy + 8 > place) copy = 0;
  }
}

void Compiler::Work::load_copies(const FloatCopies& from) {
  for (u32 i = 0; i < FloatCopies::kCount; ++i) {
    if (from.place[i] != 0) load_float(copy_register(i), from.place[i], (from.is_wide >> i & 1) != 0);
  }
}

// What an op wrote, or may have written, is not in copies any more.
void Compiler::Work::after_op(Handler handler) {
  if (!has_floats) return;
  busy_copies = 0;
  if (has_float_result) {
    has_float_result = false;
  } else if (interp::is_plain(handler) || interp::is_select(handler) ||
             (handler >= Handler::load_u8 && handler <= Handler::store_64)) {
    drop_copies(op->d, 32);  // no result is longer
  } else {
    copies = {};
  }
}

void Compiler::Work::write_float(u16 place, x86::Xmm from, bool wide) {
  const x86::Gp* reg = pinned(place);
  if (reg != nullptr) {
    wide ? a.movq(*reg, from) : a.movd(reg->r32(), from);
  } else {
    wide ? a.movsd(at(place, 8), from) : a.movss(at(place, 4), from);
  }
  is_copy_of(from, place, wide);
  has_float_result = true;
}

// Stores a result whose NaNs must be the canonical one.
void Compiler::Work::finish_float(x86::Xmm result, bool wide) {
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  wide ? a.ucomisd(result, result) : a.ucomiss(result, result);
  a.jp(nan);
  write_float(op->d, result, wide);
  a.bind(end);
  const u16 d = op->d;
  cold.push_back([this, nan, end, d, result, wide] {
    a.bind(nan);
    constant(x86::rax, wide ? fp::Format<u64>::kNan : fp::Format<u32>::kNan);
    const x86::Gp* reg = pinned(d);
    if (reg != nullptr) {
      a.mov(*reg, x86::rax);
    } else {
      a.mov(at(d, wide ? 8 : 4), wide ? x86::Gp(x86::rax) : x86::Gp(x86::eax));
    }
    a.movq(result, x86::rax);
    a.jmp(end);
  });
}

bool Compiler::Work::float_arithmetic(Handler base, bool wide) {
  if (op->imm != 0) return false;  // a rounding of its own
  const x86::Xmm left = float_source(op->a, wide), right = float_source(op->b, wide), result = new_float();
  a.movaps(result, left);
  switch (base) {
    case Handler::fadd_f32:
      wide ? a.addsd(result, right) : a.addss(result, right);
      break;
    case Handler::fsub_f32:
      wide ? a.subsd(result, right) : a.subss(result, right);
      break;
    case Handler::fmul_f32:
      wide ? a.mulsd(result, right) : a.mulss(result, right);
      break;
    default:
      wide ? a.divsd(result, right) : a.divss(result, right);
  }
  finish_float(result, wide);
  return true;
}

bool Compiler::Work::fused_multiply_add(bool wide) {
  if (op->imm != 0 || !has_fma) return false;
  const x86::Xmm left = float_source(op->a, wide), right = float_source(op->b, wide),
                 addend = float_source(op->c, wide), result = new_float();
  a.movaps(result, left);
  wide ? a.vfmadd213sd(result, right, addend) : a.vfmadd213ss(result, right, addend);
  // The flags of a NaN result are not the host's (inf * 0 + NaN): done again by the handler.
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  wide ? a.ucomisd(result, result) : a.ucomiss(result, result);
  a.jp(nan);
  write_float(op->d, result, wide);
  a.bind(end);
  cold_step(nan, end);
  return true;
}

bool Compiler::Work::float_compare(bool wide) {
  const auto compare = static_cast<ir::FpCompare>(op->imm);
  const bool signals = compare >= ir::FpCompare::eq_signal;
  const bool equal = compare == ir::FpCompare::eq_quiet || compare == ir::FpCompare::eq_signal;
  const bool or_equal = compare == ir::FpCompare::le_quiet || compare == ir::FpCompare::le_signal;
  const x86::Xmm first = float_source(op->a, wide), second = float_source(op->b, wide);
  // Less-than asks with the operands exchanged: "above" is false for unordered ones.
  const x86::Xmm left = equal ? first : second, right = equal ? second : first;
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
  const x86::Xmm from = float_source(op->a, wide), bound = x86::xmm0;
  constant(x86::rax, limit);
  a.movq(bound, x86::rax);
  wide ? a.ucomisd(from, bound) : a.ucomiss(from, bound);
  a.jp(odd);
  a.jae(odd);
  a.xorps(bound, bound);
  wide ? a.ucomisd(from, bound) : a.ucomiss(from, bound);
  a.jb(odd);
  wide ? a.cvttsd2si(x86::rax, from) : a.cvttss2si(x86::rax, from);
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
  const x86::Xmm from = float_source(op->a, wide);
  const x86::Gp to = to64 ? x86::Gp(x86::rax) : x86::Gp(x86::eax);
  if (wide) {
    truncate ? a.cvttsd2si(to, from) : a.cvtsd2si(to, from);
  } else {
    truncate ? a.cvttss2si(to, from) : a.cvtss2si(to, from);
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
  const x86::Xmm result = new_float();
  a.xorps(result, result);  // the old upper half must not delay it
  wide ? a.cvtsi2sd(result, x86::rax) : a.cvtsi2ss(result, x86::rax);
  write_float(op->d, result, wide);
  a.bind(end);
  if (may_be_odd) cold_step(odd, end);
  return true;
}

bool Compiler::Work::emit_float(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  const u32 group = static_cast<u32>(Handler::fadd_f32);
  if (handler == Handler::f32_box) {
    if (const u32 copy = find_copy(op->a, false); copy != FloatCopies::kCount && pinned(op->d) == nullptr) {
      busy_copies |= 1u << copy;
      const x86::Xmm result = new_float();
      a.pcmpeqd(x86::xmm0, x86::xmm0);
      a.movaps(result, copy_register(copy));
      a.punpckldq(result, x86::xmm0);
      write_float(op->d, result, true);
      copies.is_boxed |= static_cast<u16>(1u << (result.id() - FloatCopies::kFirst));
      return true;
    }
    constant(x86::rcx, ~u64{0} << 32);
    a.mov(x86::eax, read32(op->a, x86::rax));
    a.or_(x86::rax, x86::rcx);
    done(op->d, x86::rax);
    return true;
  }
  if (handler == Handler::f32_unbox) {
    if (const u32 copy = find_copy(op->a, false); copy != FloatCopies::kCount && (copies.is_boxed >> copy & 1) != 0) {
      busy_copies |= 1u << copy;
      const x86::Xmm result = new_float();
      a.movaps(result, copy_register(copy));
      write_float(op->d, result, false);
      return true;
    }
    const asmjit::Label nan = a.newLabel(), end = a.newLabel();
    const x86::Gp* reg = pinned(op->a);
    if (reg != nullptr) {
      a.mov(x86::rax, *reg);
      a.shr(x86::rax, 32);
      a.cmp(x86::eax, -1);
    } else {
      a.cmp(at(op->a + 4u, 4), -1);
    }
    a.jne(nan);
    const x86::Xmm from = float_source(op->a, false), result = new_float();
    a.movaps(result, from);
    write_float(op->d, result, false);
    a.bind(end);
    cold_step(nan, end);
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
    case Handler::fsqrt_f32: {
      if (op->imm != 0) return false;
      const x86::Xmm from = float_source(op->a, wide), result = new_float();
      a.xorps(result, result);
      wide ? a.sqrtsd(result, from) : a.sqrtss(result, from);
      finish_float(result, wide);
      return true;
    }
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
    case Handler::f_to_f_f32: {
      if (!wide && op->imm != 0) return false;
      const x86::Xmm from = float_source(op->a, !wide), result = new_float();
      a.xorps(result, result);
      wide ? a.cvtss2sd(result, from) : a.cvtsd2ss(result, from);
      finish_float(result, wide);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace pagoda::light
