// SPDX-License-Identifier: MIT
// Condition flags as words (bits numbered as ir::Flag): made by the host's own arithmetic, merged, taken apart.
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

x86::Gp part(x86::Gp reg, u32 width) {
  return width == 0   ? x86::Gp(reg.r8())
         : width == 1 ? x86::Gp(reg.r16())
         : width == 2 ? x86::Gp(reg.r32())
                      : x86::Gp(reg.r64());
}

}  // namespace

// The host's flags as a word in rax; what lies above its eight bits is nobody's. Clobbers rcx.
void Compiler::Work::flags_word() {
  a.sets(x86::al);
  a.setz(x86::cl);
  a.movzx(x86::eax, x86::al);
  a.movzx(x86::ecx, x86::cl);
  a.lea(x86::eax, x86::ptr(x86::rax, x86::rcx, 1));
  a.setc(x86::cl);
  a.lea(x86::eax, x86::ptr(x86::rax, x86::rcx, 2));
  a.seto(x86::cl);
  a.lea(x86::eax, x86::ptr(x86::rax, x86::rcx, 3));
  a.setp(x86::cl);
  a.lahf();  // ah, where nothing was
  a.shl(x86::ecx, static_cast<u32>(ir::Flag::p));
  a.or_(x86::ecx, x86::eax);
  a.shr(x86::eax, 8);
  a.and_(x86::eax, 1 << static_cast<u32>(ir::Flag::a));  // its place is AF's in ah
  a.or_(x86::eax, x86::ecx);
}

// Flags of op->a and op->b with the carry op->c, of this width.
void Compiler::Work::flags_of_arithmetic(bool add, bool inverted, u32 width) {
  static_assert(static_cast<u32>(ir::Flag::a) == 4);
  const bool wide = width == 3;
  move(sized(x86::rax, wide), op->a, wide);
  move(sized(x86::rcx, wide), op->b, wide);
  const x86::Gp left = part(x86::rax, width), right = part(x86::rcx, width);
  if (is_zero(op->c)) {
    add ? a.add(left, right) : a.sub(left, right);
  } else {
    move(x86::edx, op->c, false);
    a.neg(x86::dl);  // CF if it is not zero
    add ? a.adc(left, right) : a.sbb(left, right);
  }
  flags_word();
  if (inverted) a.xor_(x86::eax, 1 << static_cast<u32>(ir::Flag::c));
}

bool Compiler::Work::emit_flags(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  const auto width_in = [&](Handler first) { return number - static_cast<u32>(first); };
  const x86::Gp to = target(op->d, x86::rax);
  if (handler >= Handler::flags_add_i8 && handler <= Handler::flags_add_i64) {
    flags_of_arithmetic(true, false, width_in(Handler::flags_add_i8));
  } else if (handler >= Handler::flags_sub_i8 && handler <= Handler::flags_sub_i64) {
    flags_of_arithmetic(false, false, width_in(Handler::flags_sub_i8));
  } else if (handler >= Handler::flags_subc_i8 && handler <= Handler::flags_subc_i64) {
    flags_of_arithmetic(false, true, width_in(Handler::flags_subc_i8));
  } else if (handler >= Handler::flags_logic_i8 && handler <= Handler::flags_logic_i64) {
    const u32 width = width_in(Handler::flags_logic_i8);
    move(sized(x86::rax, width == 3), op->a, width == 3);
    a.test(part(x86::rax, width), part(x86::rax, width));
    flags_word();
    a.and_(x86::eax, ~(1 << static_cast<u32>(ir::Flag::a)));  // test leaves AF undefined
  } else if (handler == Handler::flags_merge) {
    move(x86::eax, op->a, false);
    move(x86::ecx, op->b, false);
    a.and_(x86::eax, static_cast<i32>(~op->imm & 0xff));
    a.and_(x86::ecx, static_cast<i32>(op->imm));
    a.or_(x86::eax, x86::ecx);
  } else if (handler == Handler::flag) {
    move(x86::eax, op->a, false);
    if (op->imm != 0) a.shr(x86::eax, static_cast<u32>(op->imm));
    a.and_(x86::eax, 1);
    if (to.id() != x86::rax.id()) a.mov(to.r32(), x86::eax);
    done(op->d, to);
    return true;
  } else if (handler == Handler::mov_1 && pinned(op->d) == nullptr) {
    move(x86::eax, op->a, false);
    a.mov(at(op->d, 1), x86::al);
    return true;
  } else {
    return false;
  }
  done(op->d, x86::rax);
  return true;
}

}  // namespace pagoda::light
