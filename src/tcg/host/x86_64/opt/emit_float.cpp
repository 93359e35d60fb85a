// SPDX-License-Identifier: MIT
// Scalar floating point in the guest's mode (tcg/host/x86_64/fp_env.h), by VEX forms. What the host does differently is
// done again, or at once, in C++ (runtime.cpp).
#include "base/check.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {
namespace {

namespace Inst = x86::Inst;

// Of the 4- and 8-byte forms.
struct Forms {
  asmjit::InstId single, wide;
  asmjit::InstId of(u32 size) const { return size == 8 ? wide : single; }
};
constexpr Forms kMove{Inst::kIdVmovss, Inst::kIdVmovsd};
constexpr Forms kCompare{Inst::kIdVucomiss, Inst::kIdVucomisd};

u64 word_of(ir::Op op, const LirInsn& insn) {
  return fp_call_word(static_cast<u32>(op), insn.size, insn.size2, static_cast<u32>(insn.imm));
}

}  // namespace

void Emitter::Work::call_fp(u64 word, std::initializer_list<asmjit::Operand> operands, const asmjit::Operand& result) {
  u32 number = 0;
  for (const asmjit::Operand& operand : operands) {
    const x86::Mem to = frame_at(offsetof(VcpuFrame, call_args) + 8 * number++);
    if (operand.isMem()) {
      a.push(operand.as<x86::Mem>().cloneResized(8));
      a.pop(to);
    } else if (x86::Reg::isXmm(operand)) {
      a.vmovsd(to, operand.as<x86::Xmm>());
    } else {
      a.mov(to, operand.as<x86::Gp>().r64());
    }
  }
  for (u32 half = 0; half < 2; ++half) {
    a.mov(frame_at(offsetof(VcpuFrame, call_args) + 24 + 4 * half, 4), static_cast<i32>(word >> 32 * half));
  }
  call(stubs.fp_call);
  const x86::Mem from = frame_at(offsetof(VcpuFrame, call_args));
  if (result.isMem()) {
    a.push(from);
    a.pop(result.as<x86::Mem>());
  } else if (x86::Reg::isXmm(result)) {
    a.vmovsd(result.as<x86::Xmm>(), from);
  } else {
    a.mov(result.as<x86::Gp>().r64(), from);
  }
}

// A NaN becomes the canonical one.
void Emitter::Work::canonical(x86::Xmm result, bool wide) {
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  a.emit(kCompare.of(wide ? 8 : 4), result, result);
  a.jp(nan);
  a.bind(end);
  cold.push_back([this, nan, end, result, wide] {
    a.bind(nan);
    a.emit(kMove.of(wide ? 8 : 4), result, constant_at());
    reference(wide ? &stubs.narrow->nan64 : &stubs.narrow->nan32);
    a.jmp(end);
  });
}

void Emitter::Work::float_binary() {
  constexpr Forms forms[] = {{Inst::kIdVaddss, Inst::kIdVaddsd},
                             {Inst::kIdVsubss, Inst::kIdVsubsd},
                             {Inst::kIdVmulss, Inst::kIdVmulsd},
                             {Inst::kIdVdivss, Inst::kIdVdivsd}};
  const u32 size = insn->size;
  const x86::Xmm left = xmm(1), result = xmm_result(0);
  a.emit(forms[static_cast<u32>(insn->op) - static_cast<u32>(Lir::fadd)].of(size), result, left, any_xmm(2, size));
  canonical(result, size == 8);
}

// The host raises other flags for a NaN result (inf * 0 + NaN).
void Emitter::Work::fused() {
  const u32 size = insn->size;
  const x86::Xmm one = xmm(1), other = xmm(2), addend = xmm(3), result = xmm_result(0);
  for (const x86::Xmm& each : {one, other, addend}) CHECK(each.id() != result.id());
  a.vmovaps(result, one);
  a.emit(size == 8 ? Inst::kIdVfmadd213sd : Inst::kIdVfmadd213ss, result, other, addend);
  const asmjit::Label nan = a.newLabel(), end = a.newLabel();
  a.emit(kCompare.of(size), result, result);
  a.jp(nan);
  a.bind(end);
  cold.push_back([this, nan, end, one, other, addend, result, word = word_of(ir::Op::fma, *insn)] {
    a.bind(nan);
    call_fp(word, {one, other, addend}, result);
    a.jmp(end);
  });
}

// Less-than asks with the operands exchanged: "above" is false for unordered ones.
x86::CondCode Emitter::Work::float_compare(u32 first, bool* parity) {
  const auto kind = static_cast<ir::FpCompare>(insn->imm);
  const bool signals = kind >= ir::FpCompare::eq_signal;
  const bool equal = kind == ir::FpCompare::eq_quiet || kind == ir::FpCompare::eq_signal;
  const bool or_equal = kind == ir::FpCompare::le_quiet || kind == ir::FpCompare::le_signal;
  const u32 left = equal ? first : first + 1, right = 2 * first + 1 - left;
  const Forms forms = signals ? Forms{Inst::kIdVcomiss, Inst::kIdVcomisd} : kCompare;
  const x86::Xmm reg = xmm(left);
  a.emit(forms.of(insn->size), reg, any_xmm(right, insn->size));
  *parity = equal;
  return equal ? x86::CondCode::kE : or_equal ? x86::CondCode::kAE : x86::CondCode::kA;
}

void Emitter::Work::float_set() {
  const x86::Gp to = gp_result(0);
  const asmjit::Label unordered = a.newLabel();
  a.xor_(to.r32(), to.r32());
  bool parity = false;
  const x86::CondCode cc = float_compare(1, &parity);
  if (parity) a.jp(unordered);
  a.set(cc, to.r8());
  a.bind(unordered);
}

void Emitter::Work::float_branch() {
  bool parity = false;
  const x86::CondCode cc = float_compare(0, &parity);
  release();
  if (parity) a.jp(label_of(code->blocks[order[position]].next[1]));
  branch(cc);
}

// Truncation to an unsigned integer: what lies between 0 and both limits is the host's signed conversion. The rest is
// decided before anything is converted, as that would raise flags.
void Emitter::Work::float_to_unsigned() {
  const u32 size = insn->size, bytes = insn->size2;
  const bool wide = size == 8;
  const x86::Xmm from = xmm(1);
  const x86::Gp to = gp_result(0);
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  const Stubs::Narrow& numbers = *stubs.narrow;
  a.emit(kCompare.of(size), from, constant_at());
  reference(bytes == 8 ? (wide ? &numbers.two63_f64 : &numbers.two63_f32)
                       : (wide ? &numbers.two32_f64 : &numbers.two32_f32));
  a.jp(odd);
  a.jae(odd);
  a.emit(kCompare.of(size), from, constant_at());
  reference(&numbers.zero);
  a.jb(odd);
  a.emit(wide ? Inst::kIdVcvttsd2si : Inst::kIdVcvttss2si, to, from);
  a.bind(end);
  cold.push_back([this, odd, end, from, to, word = word_of(ir::Op::f_to_i, *insn)] {
    a.bind(odd);
    call_fp(word, {from}, to);
    a.jmp(end);
  });
}

// In range the host converts as the guest does; its answer to anything else is the minimum.
void Emitter::Work::float_to_int() {
  const auto round = static_cast<ir::Round>(insn->imm & 15);
  const auto sign = static_cast<ir::Sign>(insn->imm >> 4 & 15);
  const u64 word = word_of(ir::Op::f_to_i, *insn);
  const bool wide = insn->size == 8, truncate = round == ir::Round::to_zero;
  const bool is_hosts = insn->size2 >= 4 && (truncate || (round == ir::Round::mode && sign == ir::Sign::is_signed));
  if (!is_hosts) return call_fp(word, {any_xmm(1, 8)}, is_reg(0) ? asmjit::Operand(gp_result(0)) : home(place(0)));
  if (sign != ir::Sign::is_signed) return float_to_unsigned();
  const x86::Xmm from = xmm(1);
  const x86::Gp result = gp_result(0), to = part(result, insn->size2);
  const Forms forms =
      truncate ? Forms{Inst::kIdVcvttss2si, Inst::kIdVcvttsd2si} : Forms{Inst::kIdVcvtss2si, Inst::kIdVcvtsd2si};
  a.emit(wide ? forms.wide : forms.single, to, from);
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  a.cmp(to, 1);
  a.jo(odd);  // the minimum alone
  a.bind(end);
  cold.push_back([this, odd, end, from, result, word] {
    a.bind(odd);
    call_fp(word, {from}, result);
    a.jmp(end);
  });
}

void Emitter::Work::int_to_float() {
  const auto round = static_cast<ir::Round>(insn->imm & 15);
  const auto sign = static_cast<ir::Sign>(insn->imm >> 4 & 15);
  const u32 bytes = insn->size2;
  const bool wide = insn->size == 8, is_signed = sign == ir::Sign::is_signed;
  const u64 word = word_of(ir::Op::i_to_f, *insn);
  if (round != ir::Round::mode && !(wide && bytes <= 4)) {
    return call_fp(word, {any(1, 8)}, is_reg(0) ? asmjit::Operand(xmm_result(0)) : home(place(0)));
  }
  x86::Gp from = gp(1);
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  const bool may_be_odd = bytes == 8 && !is_signed;  // beyond the host's signed integers
  u32 width = bytes;
  if (bytes < 4 || (bytes == 4 && !is_signed)) {
    const x86::Gp copy = borrow();
    if (bytes == 4) {
      a.mov(copy.r32(), from.r32());
    } else {
      is_signed ? a.movsx(copy, part(from, bytes)) : a.movzx(copy.r32(), part(from, bytes));
    }
    from = copy;
    width = 8;
  }
  const x86::Xmm result = xmm_result(0);
  if (may_be_odd) {
    a.test(from, from);
    a.js(odd);
  }
  a.vxorps(result, result, result);  // what was there must not delay it
  a.emit(wide ? Inst::kIdVcvtsi2sd : Inst::kIdVcvtsi2ss, result, result, part(from, width));
  a.bind(end);
  if (!may_be_odd) return;
  cold.push_back([this, odd, end, from, result, word] {
    a.bind(odd);
    call_fp(word, {from}, result);
    a.jmp(end);
  });
}

bool Emitter::Work::emit_float() {
  const u32 size = insn->size;
  const bool wide = size == 8;
  switch (insn->op) {
    case Lir::fadd:
    case Lir::fsub:
    case Lir::fmul:
    case Lir::fdiv:
      float_binary();
      return true;
    case Lir::fsqrt: {
      const x86::Xmm from = xmm(1), result = xmm_result(0);
      a.emit(wide ? Inst::kIdVsqrtsd : Inst::kIdVsqrtss, result, from, from);
      canonical(result, wide);
      return true;
    }
    case Lir::fma:
      fused();
      return true;
    case Lir::fneg: {
      const x86::Xmm from = xmm(1), result = xmm_result(0);
      a.vxorps(result, from, constant_at());
      reference(wide ? stubs.wide->sign64 : stubs.wide->sign32);
      return true;
    }
    case Lir::fset:
      float_set();
      return true;
    case Lir::fbranch:
      float_branch();
      return true;
    case Lir::f_to_i:
      float_to_int();
      return true;
    case Lir::i_to_f:
      int_to_float();
      return true;
    case Lir::f_to_f: {
      const x86::Xmm from = xmm(1), result = xmm_result(0);
      a.emit(wide ? Inst::kIdVcvtss2sd : Inst::kIdVcvtsd2ss, result, from, from);
      canonical(result, wide);
      return true;
    }
    case Lir::f32_box: {
      const x86::Xmm from = xmm(1), result = xmm_result(0);
      a.vunpcklps(result, from, constant_at());
      reference(stubs.wide->low_ones);
      return true;
    }
    case Lir::f32_unbox: {
      const x86::Xmm from = xmm(1), result = xmm_result(0);
      const asmjit::Label nan = a.newLabel(), end = a.newLabel();
      a.vptest(from, constant_at());  // carry: all bits of the constant are set
      reference(stubs.wide->high_ones);
      a.jnc(nan);
      if (result.id() != from.id()) a.vmovaps(result, from);
      a.bind(end);
      cold.push_back([this, nan, end, result] {
        a.bind(nan);
        a.vmovss(result, constant_at());
        reference(&stubs.narrow->nan32);
        a.jmp(end);
      });
      return true;
    }
    case Lir::fp_call: {
      const u64 word = fp_call_word(static_cast<u32>(insn->imm), size, insn->size2, static_cast<u32>(insn->imm2));
      const asmjit::Operand result = any_xmm(0, 8);
      const u32 last = insn->operands - 2;  // before the temporary
      const auto operand = [&](u32 i) { return any_xmm(i <= last ? i : 1, 8); };
      call_fp(word, {operand(1), operand(2), operand(3)}, result);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace pagoda::opt
