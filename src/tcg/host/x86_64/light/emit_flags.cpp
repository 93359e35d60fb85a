// SPDX-License-Identifier: MIT
// Condition flags as words (bits numbered as ir::Flag): made by the host's own arithmetic, merged, taken apart.
//
// Making the word leaves the host's flags alone, so that a comparison of the same operands right behind it is made
// already (HostFlags).
#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/ir/fold.h"

namespace pagoda::light {
namespace {

x86::Gp part(x86::Gp reg, u32 width) {
  return width == 0   ? x86::Gp(reg.r8())
         : width == 1 ? x86::Gp(reg.r16())
         : width == 2 ? x86::Gp(reg.r32())
                      : x86::Gp(reg.r64());
}

}  // namespace

// The host's flags, which stay, as a word in rax. AH has all but V, and a one where that belongs. Clobbers rcx.
void Compiler::Work::flags_word() {
  static_assert(ir::kFlagsV == 2 && (ir::kAllFlags & ~ir::kFlagsV) == 0xd5);
  a.lahf();
  a.seto(x86::al);
  a.movzx(x86::ecx, x86::ah);
  a.movzx(x86::eax, x86::al);
  a.lea(x86::eax, x86::ptr(x86::rcx, x86::rax, 1, -2));
}

// From here on the host's flags are those of this comparison, until something is emitted.
void Compiler::Work::note_comparison(u32 width, bool immediate, bool inverted) {
  host_flags = {.end = a.offset(),
                .width = width,
                .a = op->a,
                .b = immediate ? u16{0} : op->b,
                .is_immediate = immediate,
                .is_inverted = inverted,
                .imm = immediate ? op->imm : 0};
}
// The same for Z and N of the value at a place.
void Compiler::Work::note_result(u16 place, u32 width) {
  host_flags = {.end = a.offset(), .width = width, .a = place, .is_result = true};
}

// Compares, unless the host's flags tell it already; the condition under which the operation's answer is 1.
x86::CondCode Compiler::Work::compare_for(Operation operation, u32 width, bool immediate) {
  const x86::CondCode condition = condition_of(operation);
  const HostFlags& f = host_flags;
  const bool equality = operation == Operation::eq || operation == Operation::ne;
  if (f.end == a.offset() && f.width == width) {
    const bool is_signed = operation == Operation::lt_s || operation == Operation::le_s;
    if (f.is_result) {
      const bool with_zero = immediate ? op->imm == 0 : is_zero(op->b);
      if (with_zero && f.a == op->a) {
        if (equality) return condition;
        if (operation == Operation::lt_s) return x86::CondCode::kS;
      }
    } else if (f.is_immediate == immediate && (equality || is_signed || !f.is_inverted)) {
      if (f.a == op->a && (immediate ? f.imm == op->imm : f.b == op->b)) return condition;
      if (!immediate && f.a == op->b && f.b == op->a) return x86::reverseCond(condition);
    }
  }
  width < 2 ? compare_narrow(width, immediate) : compare(width == 3, immediate);
  return condition;
}

// Sets the host's flags for bytes or halfwords.
void Compiler::Work::compare_narrow(u32 width, bool immediate) {
  const x86::Gp* left = pinned(op->a);
  const x86::Gp* right = immediate ? nullptr : pinned(op->b);
  const u32 size = 1u << width;
  const i32 imm = static_cast<i32>(ir::sign_extend(op->imm, 8u << width));
  if (left == nullptr && !is_zero(op->a) && (immediate || right != nullptr)) {
    immediate ? a.cmp(at(op->a, size), imm) : a.cmp(at(op->a, size), part(*right, width));
    return;
  }
  const x86::Gp value = part(read32(op->a, x86::rax), width);
  if (immediate) {
    a.cmp(value, imm);
  } else if (right != nullptr) {
    a.cmp(value, part(*right, width));
  } else {
    a.cmp(value, at(op->b, size));  // the place of zero, too
  }
}

// Whether the threaded op belongs to the guest instruction of the one being emitted.
bool Compiler::Work::is_same_insn(u32 next_index) const {
  return next_index < unit->op_count && (insn + 1 >= unit->guest_insns || unit->insns[insn + 1].first_op > next_index);
}

// The next op is the sum or difference whose flags these are, in the same instruction: true if both were made in one.
bool Compiler::Work::flags_with_result(bool add, bool inverted, u32 width, bool immediate) {
  const u32 next_index = op_index() + 1;
  if (width < 2 || !is_same_insn(next_index) || !is_zero(op->c)) return false;
  const Handler wanted = (add ? Handler::add_i8_rr : Handler::sub_i8_rr) + 2 * width + (immediate ? 1 : 0);
  const ThreadedOp& next = *(op + 1);
  if (handlers[next_index] != wanted || next.a != op->a || next.b != op->b || next.imm != op->imm) return false;
  const bool wide = width == 3;
  const u64 imm = ir::sign_extend(op->imm, 8u << width);
  const x86::Gp to = sized(target(next.d, x86::rax), wide);
  const x86::Gp* right = immediate ? nullptr : pinned(op->b);
  if ((immediate && !fits(imm)) || (right != nullptr && right->id() == to.id())) return false;
  move(to, op->a, wide);
  const auto apply = [&](const auto& operand) { add ? a.add(to, operand) : a.sub(to, operand); };
  if (immediate) {
    apply(static_cast<i32>(imm));
  } else if (right != nullptr) {
    apply(sized(*right, wide));
  } else {
    apply(at(op->b, wide ? 8 : 4));
  }
  done(next.d, to.r64());
  drop_copies(next.d, 8);
  skip_next = true;
  if (inverted) a.cmc();
  flags_word();
  note_result(next.d, width);
  return true;
}

// Flags of op->a and op->b, or the immediate, with the carry op->c, of this width.
void Compiler::Work::flags_of_arithmetic(bool add, bool inverted, u32 width, bool immediate) {
  if (flags_with_result(add, inverted, width, immediate)) return;
  const bool wide = width == 3;
  const u64 imm = ir::sign_extend(op->imm, 8u << width);
  if (!is_zero(op->c)) {
    move(sized(x86::rax, wide), op->a, wide);
    immediate ? constant(x86::rcx, imm) : move(sized(x86::rcx, wide), op->b, wide);
    move(x86::edx, op->c, false);
    a.neg(x86::dl);  // CF if it is not zero
    add ? a.adc(part(x86::rax, width), part(x86::rcx, width)) : a.sbb(part(x86::rax, width), part(x86::rcx, width));
  } else {
    // CMP where it does: an addition needs a register for its sum.
    const x86::Gp* reg = pinned(op->a);
    const bool in_place = !add && reg != nullptr;
    if (!in_place) move(sized(x86::rax, wide), op->a, wide);
    const x86::Gp left = part(in_place ? *reg : x86::Gp(x86::rax), width);
    const auto apply = [&](const auto& right) { add ? a.add(left, right) : a.cmp(left, right); };
    if (immediate && fits(imm)) {
      apply(static_cast<i32>(imm));
    } else if (immediate) {
      constant(x86::rcx, imm);
      apply(part(x86::rcx, width));
    } else if (const x86::Gp* right = pinned(op->b); right != nullptr) {
      apply(part(*right, width));
    } else {
      apply(at(op->b, 1u << width));  // the place of zero, too
    }
  }
  if (inverted) a.cmc();
  flags_word();
  if (!add && is_zero(op->c)) note_comparison(width, immediate, inverted);
}

// The op before is the logical operation whose result op->a is: the host's flags are still its.
bool Compiler::Work::has_flags_of_logic(u32 width) const {
  const u32 index = op_index();
  if (width < 2 || index == 0 || unit->code[index - 1].d != op->a || unit->insns[insn].first_op == index) return false;
  const Handler before = handlers[index - 1];
  for (const Handler logic : {Handler::and__i8_rr, Handler::or__i8_rr, Handler::xor__i8_rr}) {
    if (before == logic + 2 * width || before == logic + 2 * width + 1) return true;
  }
  return false;
}

void Compiler::Work::flags_of_logic(u32 width) {
  if (has_flags_of_logic(width)) {  // A is undefined
    a.lahf();
    a.movzx(x86::eax, x86::ah);
    a.and_(x86::eax, ir::kFlagsNZP);
    return;
  }
  a.cmp(part(read(op->a, width == 3, x86::rax), width), 0);  // C, V and A are 0
  a.lahf();
  a.movzx(x86::eax, x86::ah);
  a.lea(x86::eax, x86::ptr(x86::rax, -2));
  note_comparison(width, true, false);
}

// Flags of op->a plus or minus 1 with the carry of the flags op->b; and the sum itself if the next op is that.
void Compiler::Work::flags_of_step(bool up, u32 width) {
  const u32 next_index = op_index() + 1;
  const ThreadedOp& next = *(op + 1);
  const Handler wanted = (up ? Handler::add_i8_ri : Handler::sub_i8_ri) + 2 * width;
  const bool with_result =
      width >= 2 && is_same_insn(next_index) && handlers[next_index] == wanted && next.a == op->a && next.imm == 1;
  const bool wide = width == 3;
  const x86::Gp to = with_result ? target(next.d, x86::rax) : x86::Gp(x86::rax);
  move(sized(to, wide), op->a, wide);
  a.bt(at(op->b, 4), static_cast<u32>(ir::Flag::c));
  up ? a.inc(part(to, width)) : a.dec(part(to, width));  // the carry stays
  if (with_result) {
    done(next.d, to.r64());
    drop_copies(next.d, 8);
    skip_next = true;
  }
  flags_word();
  if (with_result) note_result(next.d, width);
}

bool Compiler::Work::emit_flags(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  const auto width_in = [&](Handler first) { return number - static_cast<u32>(first); };
  const x86::Gp to = target(op->d, x86::rax);
  host_flags.end = 0;
  if (handler >= Handler::flags_add_i8 && handler <= Handler::flags_add_i64) {
    flags_of_arithmetic(true, false, width_in(Handler::flags_add_i8), false);
  } else if (handler >= Handler::flags_sub_i8 && handler <= Handler::flags_sub_i64) {
    flags_of_arithmetic(false, false, width_in(Handler::flags_sub_i8), false);
  } else if (handler >= Handler::flags_subc_i8 && handler <= Handler::flags_subc_i64) {
    flags_of_arithmetic(false, true, width_in(Handler::flags_subc_i8), false);
  } else if (handler >= Handler::flags_add_imm_i8 && handler <= Handler::flags_add_imm_i64) {
    flags_of_arithmetic(true, false, width_in(Handler::flags_add_imm_i8), true);
  } else if (handler >= Handler::flags_sub_imm_i8 && handler <= Handler::flags_sub_imm_i64) {
    flags_of_arithmetic(false, false, width_in(Handler::flags_sub_imm_i8), true);
  } else if (handler >= Handler::flags_subc_imm_i8 && handler <= Handler::flags_subc_imm_i64) {
    flags_of_arithmetic(false, true, width_in(Handler::flags_subc_imm_i8), true);
  } else if (handler >= Handler::flags_logic_i8 && handler <= Handler::flags_logic_i64) {
    const u32 width = width_in(Handler::flags_logic_i8);
    flags_of_logic(width);
  } else if (handler >= Handler::flags_up_i8 && handler <= Handler::flags_up_i64) {
    flags_of_step(true, width_in(Handler::flags_up_i8));
  } else if (handler >= Handler::flags_down_i8 && handler <= Handler::flags_down_i64) {
    flags_of_step(false, width_in(Handler::flags_down_i8));
  } else if (handler == Handler::flags_merge) {
    move(x86::eax, op->a, false);
    move(x86::ecx, op->b, false);
    a.and_(x86::eax, static_cast<i32>(~op->imm & 0xff));  // nothing above the flags
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
  if (host_flags.end != 0) host_flags.end = a.offset();  // storing has left them alone
  return true;
}

}  // namespace pagoda::light
