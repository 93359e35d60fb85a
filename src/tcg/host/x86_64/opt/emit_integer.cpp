// SPDX-License-Identifier: MIT
// Moves, integer arithmetic, comparisons into values.
#include <bit>

#include "base/check.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {

x86::CondCode condition_code(Condition condition) {
  switch (condition) {
    case Condition::eq:
      return x86::CondCode::kE;
    case Condition::ne:
      return x86::CondCode::kNE;
    case Condition::lt_s:
      return x86::CondCode::kL;
    case Condition::le_s:
      return x86::CondCode::kLE;
    case Condition::gt_s:
      return x86::CondCode::kG;
    case Condition::ge_s:
      return x86::CondCode::kGE;
    case Condition::lt_u:
      return x86::CondCode::kB;
    case Condition::le_u:
      return x86::CondCode::kBE;
    case Condition::gt_u:
      return x86::CondCode::kA;
    case Condition::ge_u:
      return x86::CondCode::kAE;
  }
  CHECK(false);
}

// --- comparisons ----------------------------------------------------------------------------------------------------

x86::CondCode Emitter::Work::compare(u32 first, bool immediate) {
  const u32 size = insn->size;
  const auto sign_cut = [&](i64 value) {
    return size == 1 ? i64{static_cast<i8>(value)} : size == 2 ? i64{static_cast<i16>(value)} : value;
  };
  const x86::CondCode cc = condition_code(insn->cc);
  if (immediate) {
    const i64 imm = sign_cut(size == 4 ? i64{static_cast<i32>(insn->imm)} : insn->imm);
    CHECK(fits(imm));
    const asmjit::Operand left = any(first, size);
    if (insn->test) {
      // Bits of the low byte alone; its sign is not the operation's.
      const bool low = imm >= 0 && imm <= 0x7f;
      const u32 width = low ? 1 : imm >= 0 && size == 8 ? 4 : size;
      a.emit(x86::Inst::kIdTest, any(first, width), asmjit::Imm(imm));
    } else if (imm == 0 && is_reg(first)) {
      a.emit(x86::Inst::kIdTest, left, left);
    } else {
      a.emit(x86::Inst::kIdCmp, left, asmjit::Imm(imm));
    }
    return cc;
  }
  // One operand may be memory; of a test that is the first.
  const bool swap = insn->test && is_reg(first) && !is_reg(first + 1);
  const u32 left = swap ? first + 1 : first, right = swap ? first : first + 1;
  const asmjit::Operand with = insn->test || !is_reg(left) ? part(gp(right), size) : any(right, size);
  a.emit(insn->test ? x86::Inst::kIdTest : x86::Inst::kIdCmp, any(left, size), with);
  return cc;
}

void Emitter::Work::set() {
  const bool immediate = insn->operands == 2;
  const x86::Gp to = gp_result(0);
  const bool is_apart = !same(0, 1) && (immediate || !same(0, 2));
  if (is_apart) a.xor_(to.r32(), to.r32());
  a.set(compare(1, immediate), to.r8());
  if (!is_apart) a.movzx(to.r32(), to.r8());
}

void Emitter::Work::select() {
  const bool immediate = insn->operands == 4;
  const u32 yes = immediate ? 2 : 3, no = yes + 1;
  const u32 size = insn->size2;
  // What is borrowed is loaded before the flags are set.
  const x86::Gp to = gp_result(0);
  const x86::CondCode cc = compare(1, immediate);
  const auto take = [&](x86::CondCode condition, u32 from) {
    a.emit(x86::Inst::cmovccFromCond(condition), part(to, size), any(from, size));
  };
  if (is_reg(0) && same(0, no)) return take(cc, yes);
  if (is_reg(0) && same(0, yes)) return take(x86::negateCond(cc), no);
  a.emit(x86::Inst::kIdMov, part(to, size), any(no, size));
  if (!same(yes, no)) take(cc, yes);
}

// --- arithmetic -----------------------------------------------------------------------------------------------------

void Emitter::Work::alu_op(Alu operation, x86::Gp to, const asmjit::Operand& from) {
  constexpr asmjit::InstId ids[] = {x86::Inst::kIdAdd, x86::Inst::kIdSub, x86::Inst::kIdAnd,
                                    x86::Inst::kIdOr,  x86::Inst::kIdXor, x86::Inst::kIdImul};
  a.emit(ids[static_cast<u32>(operation)], to, from);
}

void Emitter::Work::add_immediate() {
  const u32 size = insn->size;
  const i64 imm = insn->op == Lir::sub ? -insn->imm : insn->imm;
  const x86::Gp to = gp_result(0);
  if (is_reg(1) && !same(0, 1)) {
    if (imm == 0) {
      a.mov(part(to, size), part(gp(1), size));
    } else {
      a.lea(part(to, size), x86::ptr(gp(1), static_cast<i32>(imm)));
    }
    return;
  }
  if (!is_reg(1)) a.emit(x86::Inst::kIdMov, part(to, size), any(1, size));
  if (imm == 128) {  // fits in a byte the other way round
    a.sub(part(to, size), -128);
  } else {
    a.add(part(to, size), static_cast<i32>(imm));
  }
}

void Emitter::Work::alu(Alu operation) {
  const u32 size = insn->size;
  const bool commutes = operation != Alu::sub;
  if (insn->operands == 2) {
    const i64 imm = size == 4 ? i64{static_cast<i32>(insn->imm)} : insn->imm;
    CHECK(fits(imm));
    if (operation == Alu::add || (operation == Alu::sub && fits(-imm))) return add_immediate();
    const x86::Gp to = gp_result(0);
    if (operation == Alu::mul) {
      a.emit(x86::Inst::kIdImul, part(to, size), any(1, size), asmjit::Imm(imm));
      return;
    }
    if (operation == Alu::and_ && (imm == 0xff || imm == 0xffff)) {
      a.emit(x86::Inst::kIdMovzx, to.r32(), any(1, imm == 0xff ? 1 : 2));
      return;
    }
    // The low half does where the rest of the result is 0.
    const u32 width = operation == Alu::and_ && imm >= 0 ? 4 : size;
    if (!is_reg(0) || !same(0, 1)) a.emit(x86::Inst::kIdMov, part(to, width), any(1, width));
    return alu_op(operation, part(to, width), asmjit::Imm(imm));
  }
  const x86::Gp to = gp_result(0);
  const x86::Gp low = part(to, size);
  if (is_reg(0) && same(0, 1)) return alu_op(operation, low, any(2, size));
  if (is_reg(0) && same(0, 2)) {
    if (operation == Alu::sub) {
      a.neg(low);
      operation = Alu::add;
    }
    return alu_op(operation, low, any(1, size));
  }
  if (operation == Alu::add && is_reg(1) && is_reg(2)) {
    a.lea(low, x86::ptr(gp(1), gp(2)));
    return;
  }
  const u32 first = commutes && !is_reg(1) ? 2 : 1;
  a.emit(x86::Inst::kIdMov, low, any(first, size));
  alu_op(operation, low, any(3 - first, size));
}

void Emitter::Work::lea() {
  const x86::Gp to = part(gp_result(0), insn->size);
  const u32 shift = static_cast<u32>(std::countr_zero(insn->scale));
  const i32 displacement = static_cast<i32>(insn->imm);
  const x86::Gp base = gp(1);
  if (insn->operands == 3) {
    a.lea(to, x86::ptr(base, gp(2), shift, displacement));
  } else if (shift == 0) {
    a.lea(to, x86::ptr(base, displacement));
  } else if (shift == 1) {  // shorter than without a base
    a.lea(to, x86::ptr(base, base, 0, displacement));
  } else {
    a.lea(to, x86::ptr(static_cast<u64>(i64{displacement}), base, shift));
  }
}

void Emitter::Work::shift() {
  const u32 size = insn->size;
  const x86::Gp to = part(gp_result(0), size);
  if (insn->operands == 2) {
    const u32 count = static_cast<u32>(insn->imm) & (8 * size - 1);
    if (insn->op == Lir::shl && count == 1 && is_reg(1) && !same(0, 1)) {
      a.lea(to, x86::ptr(gp(1), gp(1)));
      return;
    }
    if (!is_reg(0) || !same(0, 1) || (count == 0 && size == 4)) a.emit(x86::Inst::kIdMov, to, any(1, size));
    if (count == 0) return;
    a.emit(insn->op == Lir::shl   ? x86::Inst::kIdShl
           : insn->op == Lir::shr ? x86::Inst::kIdShr
                                  : x86::Inst::kIdSar,
           to, asmjit::Imm(count));
    return;
  }
  a.emit(insn->op == Lir::shl   ? x86::Inst::kIdShlx
         : insn->op == Lir::shr ? x86::Inst::kIdShrx
                                : x86::Inst::kIdSarx,
         to, any(1, size), part(gp(2), size));
}

void Emitter::Work::rotate() {
  const u32 size = insn->size, width = 8 * size;
  const bool left = insn->op == Lir::rotl;
  if (insn->operands == 2) {
    const u32 count = static_cast<u32>(insn->imm) & (width - 1);
    a.emit(x86::Inst::kIdRorx, part(gp_result(0), size), any(1, size),
           asmjit::Imm(left ? (width - count) % width : count));
    return;
  }
  CHECK(place(2).kind == Place::reg && place(2).reg_number == x86::rcx.id());
  const bool in_count = is_reg(0) && place(0).reg_number == x86::rcx.id();
  const x86::Gp to = part(in_count ? borrow() : gp_result(0), size);
  if (in_count || !is_reg(0) || !same(0, 1)) a.emit(x86::Inst::kIdMov, to, any(1, size));
  a.emit(left ? x86::Inst::kIdRol : x86::Inst::kIdRor, to, x86::cl);
  if (in_count) a.mov(part(x86::rcx, size), to);
}

void Emitter::Work::unary() {
  const u32 size = insn->size;
  const x86::Gp to = part(gp_result(0), size);
  const auto copy = [&] {
    if (!is_reg(0) || !same(0, 1)) a.emit(x86::Inst::kIdMov, to, any(1, size));
  };
  switch (insn->op) {
    case Lir::neg:
      copy();
      a.neg(to);
      break;
    case Lir::not_:
      copy();
      a.not_(to);
      break;
    case Lir::bswap:
      if (size == 2) {
        a.emit(x86::Inst::kIdMovzx, to.r32(), any(1, 2));
        a.rol(to, 8);
        break;
      }
      copy();
      a.bswap(to);
      break;
    case Lir::lzcnt:
      a.emit(x86::Inst::kIdLzcnt, to, any(1, size));
      break;
    case Lir::tzcnt:
      a.emit(x86::Inst::kIdTzcnt, to, any(1, size));
      break;
    default:
      a.emit(x86::Inst::kIdPopcnt, to, any(1, size));
  }
}

void Emitter::Work::extend() {
  const u32 size = insn->size;
  const x86::Gp to = gp_result(0);
  if (insn->op == Lir::zext) {
    a.emit(size == 4 ? x86::Inst::kIdMov : x86::Inst::kIdMovzx, to.r32(), any(1, size));
    return;
  }
  const u32 width = insn->size2;
  if (size == width) {
    a.emit(size == 8 || size == 4 ? x86::Inst::kIdMov : x86::Inst::kIdMovzx, size == 8 ? to : x86::Gp(to.r32()),
           any(1, size));
    return;
  }
  a.emit(size == 4 ? x86::Inst::kIdMovsxd : x86::Inst::kIdMovsx, width == 8 ? to : x86::Gp(to.r32()), any(1, size));
  if (width == 2) a.movzx(to.r32(), to.r16());
}

// In rax and rdx; the other factor may be anywhere.
void Emitter::Work::multiply_high() {
  a.emit(insn->op == Lir::mulh_u ? x86::Inst::kIdMul : x86::Inst::kIdImul, any(2, insn->size));
}

// Divisors that the host does not divide by are looked for first.
void Emitter::Work::divide() {
  const u32 size = insn->size;
  const bool is_signed = insn->op == Lir::div_s || insn->op == Lir::rem_s;
  const bool quotient = insn->op == Lir::div_s || insn->op == Lir::div_u;
  x86::Gp by = is_reg(2) ? gp(2) : x86::Gp();
  if (!is_reg(2) || by.id() == x86::rdx.id() || by.id() == x86::rax.id()) {
    const x86::Gp copy = borrow();
    a.emit(x86::Inst::kIdMov, part(copy, size), any(2, size));
    by = copy;
  }
  by = part(by, size);
  const x86::Gp rax = part(x86::rax, size), rdx = part(x86::rdx, size);
  const asmjit::Label odd = a.newLabel(), end = a.newLabel();
  if (is_signed) {  // -1 and 0
    a.lea(rdx, x86::ptr(by.r64(), 1));
    a.cmp(rdx, 1);
    a.jbe(odd);
    size == 8 ? a.cqo() : a.cdq();
    a.idiv(by);
  } else {
    a.test(by, by);
    a.jz(odd);
    a.xor_(x86::edx, x86::edx);
    a.div(by);
  }
  a.bind(end);
  cold.push_back([this, odd, end, by, rax, rdx, is_signed, quotient] {
    const asmjit::Label zero = a.newLabel();
    a.bind(odd);
    if (is_signed) {
      a.test(by, by);
      a.jz(zero);
      quotient ? a.neg(rax) : a.xor_(x86::edx, x86::edx);
      a.jmp(end);
      a.bind(zero);
    }
    quotient ? a.mov(rax, -1) : a.mov(rdx, rax);
    a.jmp(end);
  });
}

// --- moves ----------------------------------------------------------------------------------------------------------

namespace {

bool is_vector(const LirCode& code, const LirInsn& insn) {
  return code.vregs[code.operands[insn.first].reg].of == RegClass::xmm;
}

}  // namespace

bool Emitter::Work::emit_integer() {
  const u32 size = insn->size;
  switch (insn->op) {
    case Lir::move:
      move(is_vector(*code, *insn) ? RegClass::xmm : RegClass::gpr, place(0), place(1));
      return true;
    case Lir::imm:
      if (place(0).kind != Place::none) constant(place(0), static_cast<u64>(insn->imm));
      return true;
    case Lir::gpr_to_xmm: {
      const x86::Xmm to = xmm_result(0);
      a.emit(size == 8 ? x86::Inst::kIdVmovq : x86::Inst::kIdVmovd, to, any(1, size));
      return true;
    }
    case Lir::xmm_to_gpr:
      if (!is_reg(1)) {
        a.emit(x86::Inst::kIdMov, part(gp_result(0), size), home(place(1), size));
      } else {
        a.emit(size == 8 ? x86::Inst::kIdVmovq : x86::Inst::kIdVmovd, part(gp_result(0), size), xmm(1));
      }
      return true;
    case Lir::in_frame:
      return true;
    case Lir::frame_load: {
      const x86::Mem from = frame_at(static_cast<std::size_t>(insn->imm), size);
      if (is_vector(*code, *insn)) {
        const x86::Xmm to = xmm_result(0);
        size == 8 ? a.vmovsd(to, from) : a.vmovss(to, from);
      } else {
        const x86::Gp to = gp_result(0);
        a.emit(size < 4 ? x86::Inst::kIdMovzx : x86::Inst::kIdMov, size == 8 ? to : x86::Gp(to.r32()), from);
      }
      return true;
    }
    case Lir::frame_store: {
      const x86::Mem to = frame_at(static_cast<std::size_t>(insn->imm), size);
      if (insn->operands == 0) {
        a.emit(x86::Inst::kIdMov, to,
               asmjit::Imm(size == 1 ? i64{static_cast<i8>(insn->imm2)} : i64{static_cast<i32>(insn->imm2)}));
      } else if (!is_reg(0) && size == 8) {
        if (home(place(0)) == to) return true;  // it is where it belongs
        a.vmovsd(kMoving, home(place(0)));
        a.vmovsd(to, kMoving);
      } else if (is_reg(0) && is_vector(*code, *insn)) {
        size == 8 ? a.vmovsd(to, xmm(0)) : a.vmovss(to, xmm(0));
      } else {
        a.mov(to, part(gp(0), size));
      }
      return true;
    }
    case Lir::add:
      alu(Alu::add);
      return true;
    case Lir::sub:
      alu(Alu::sub);
      return true;
    case Lir::and_:
      alu(Alu::and_);
      return true;
    case Lir::or_:
      alu(Alu::or_);
      return true;
    case Lir::xor_:
      alu(Alu::xor_);
      return true;
    case Lir::mul:
      alu(Alu::mul);
      return true;
    case Lir::andn:
      a.emit(x86::Inst::kIdAndn, part(gp_result(0), size), part(gp(1), size), any(2, size));
      return true;
    case Lir::lea:
      lea();
      return true;
    case Lir::shl:
    case Lir::shr:
    case Lir::sar:
      shift();
      return true;
    case Lir::rotl:
    case Lir::rotr:
      rotate();
      return true;
    case Lir::neg:
    case Lir::not_:
    case Lir::bswap:
    case Lir::lzcnt:
    case Lir::tzcnt:
    case Lir::popcnt:
      unary();
      return true;
    case Lir::zext:
    case Lir::sext:
      extend();
      return true;
    case Lir::mulh_u:
    case Lir::mulh_s:
      multiply_high();
      return true;
    case Lir::div_u:
    case Lir::div_s:
    case Lir::rem_u:
    case Lir::rem_s:
      divide();
      return true;
    case Lir::set:
      set();
      return true;
    case Lir::select:
      select();
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::opt
