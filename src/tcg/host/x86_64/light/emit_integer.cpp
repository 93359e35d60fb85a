// SPDX-License-Identifier: MIT
// Integer arithmetic, comparisons, conversions and moves.
#include <bit>

#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/ir/fold.h"

namespace pagoda::light {
namespace {

bool is_compare(Operation operation) { return operation >= Operation::eq && operation <= Operation::le_u; }

}  // namespace

x86::CondCode condition_of(Operation operation) {
  switch (operation) {
    case Operation::eq:
      return x86::CondCode::kE;
    case Operation::ne:
      return x86::CondCode::kNE;
    case Operation::lt_s:
    case Operation::min_s:
      return x86::CondCode::kL;
    case Operation::le_s:
      return x86::CondCode::kLE;
    case Operation::lt_u:
    case Operation::min_u:
      return x86::CondCode::kB;
    case Operation::le_u:
      return x86::CondCode::kBE;
    case Operation::max_s:
      return x86::CondCode::kG;
    default:  // max_u
      return x86::CondCode::kA;
  }
}

// The result of a 32- or 64-bit operation goes to op->d: as it is, or sign-extended from 32 bits.
void Compiler::Work::finish(x86::Gp result, bool extend) {
  if (!extend) return done(op->d, result.r64());
  const x86::Gp to = target(op->d, x86::rax);
  a.movsxd(to, result.r32());
  done(op->d, to);
}

void Compiler::Work::arithmetic(Operation operation, bool wide, bool immediate, bool extend) {
  const x86::Gp to = sized(extend ? x86::Gp(x86::rax) : target(op->d, x86::rax), wide);
  const u64 imm = wide ? op->imm : static_cast<u64>(static_cast<i64>(static_cast<i32>(op->imm)));
  const auto apply = [&](const auto& operand) {
    switch (operation) {
      case Operation::add:
        return a.add(to, operand);
      case Operation::sub:
        return a.sub(to, operand);
      case Operation::and_:
        return a.and_(to, operand);
      case Operation::or_:
        return a.or_(to, operand);
      default:
        return a.xor_(to, operand);
    }
  };
  if (immediate) {
    if (operation == Operation::mul) {
      const x86::Gp left = read(op->a, wide, x86::rax);
      if (fits(imm)) {
        a.imul(to, left, static_cast<i32>(imm));
      } else {
        constant(x86::rcx, imm);
        if (to.id() != left.id()) a.mov(to, left);
        a.imul(to, sized(x86::rcx, wide));
      }
      return finish(to, extend);
    }
    const x86::Gp* left = pinned(op->a);
    const u64 addend = operation == Operation::sub ? u64{0} - imm : imm;
    if ((operation == Operation::add || operation == Operation::sub) && left != nullptr && fits(addend) &&
        to.id() != left->id()) {
      a.lea(to, x86::ptr(*left, static_cast<i32>(addend)));
      return finish(to, extend);
    }
    move(to, op->a, wide);
    if (fits(imm)) {
      apply(static_cast<i32>(imm));
    } else {
      constant(x86::rcx, imm);
      apply(sized(x86::rcx, wide));
    }
    return finish(to, extend);
  }
  const bool commutes = operation != Operation::sub;
  const x86::Gp* left = pinned(op->a);
  const x86::Gp* right = pinned(op->b);
  if (operation == Operation::add && left != nullptr && right != nullptr && to.id() != left->id() &&
      to.id() != right->id()) {
    a.lea(to, x86::ptr(*left, *right));
    return finish(to, extend);
  }
  u16 first = op->a, second = op->b;
  if (right != nullptr && to.id() == right->id() && !(left != nullptr && left->id() == right->id())) {
    if (!commutes) {  // the result would overwrite the second operand too early
      move(sized(x86::rax, wide), op->a, wide);
      a.sub(sized(x86::rax, wide), sized(*right, wide));
      return finish(x86::rax, extend);
    }
    std::swap(first, second);
  }
  move(to, first, wide);
  const x86::Gp* operand = pinned(second);
  if (operation == Operation::mul) {
    if (operand != nullptr) {
      a.imul(to, sized(*operand, wide));
    } else if (is_zero(second)) {
      a.mov(to, 0);
    } else {
      a.imul(to, at(second, wide ? 8 : 4));
    }
  } else if (operand != nullptr) {
    apply(sized(*operand, wide));
  } else if (is_zero(second)) {
    apply(0);
  } else {
    apply(at(second, wide ? 8 : 4));
  }
  finish(to, extend);
}

void Compiler::Work::multiply_high(Operation operation, bool wide, bool immediate, bool extend) {
  if (immediate) {
    constant(x86::rcx, op->imm);
  } else {
    move(sized(x86::rcx, wide), op->b, wide);
  }
  move(sized(x86::rax, wide), op->a, wide);
  if (operation == Operation::mulh_s) {
    a.imul(sized(x86::rcx, wide));
  } else {
    a.mul(sized(x86::rcx, wide));
  }
  finish(x86::rdx, extend);
}

// The host traps on division by zero and on the one overflow; both have results of their own.
void Compiler::Work::divide(Operation operation, bool wide, bool immediate, bool extend) {
  const bool is_signed = operation == Operation::div_s || operation == Operation::rem_s;
  const bool quotient = operation == Operation::div_s || operation == Operation::div_u;
  const x86::Gp rax = sized(x86::rax, wide), rdx = sized(x86::rdx, wide);
  if (immediate) constant(x86::rcx, wide ? op->imm : static_cast<u32>(op->imm));
  const x86::Gp divisor = immediate ? sized(x86::rcx, wide) : read(op->b, wide, x86::rcx);
  move(rax, op->a, wide);
  const asmjit::Label zero = a.newLabel(), minus_one = a.newLabel(), end = a.newLabel();
  a.test(divisor, divisor);
  a.jz(zero);
  if (is_signed) {
    a.cmp(divisor, -1);
    a.je(minus_one);
    if (wide) {
      a.cqo();
    } else {
      a.cdq();
    }
    a.idiv(divisor);
  } else {
    a.xor_(x86::edx, x86::edx);
    a.div(divisor);
  }
  a.bind(end);
  finish(quotient ? rax : rdx, extend);
  cold.push_back([this, zero, minus_one, end, rax, rdx, quotient, is_signed, wide] {
    a.bind(zero);
    a.mov(rdx, rax);
    a.mov(x86::rax, wide ? u64{0} - 1 : u64{0xffffffff});
    a.jmp(end);
    if (!is_signed) return;
    a.bind(minus_one);  // -a, which is what the overflow wants too
    if (quotient) a.neg(rax);
    a.xor_(x86::edx, x86::edx);
    a.jmp(end);
  });
}

void Compiler::Work::shift(Operation operation, bool wide, bool immediate, bool extend) {
  const x86::Gp to = sized(extend ? x86::Gp(x86::rax) : target(op->d, x86::rax), wide);
  if (immediate) {
    const u32 count = static_cast<u32>(op->imm) & (wide ? 63 : 31);
    move(to, op->a, wide);
    if (operation == Operation::shl) {
      a.shl(to, count);
    } else if (operation == Operation::shr) {
      a.shr(to, count);
    } else {
      a.sar(to, count);
    }
    return finish(to, extend);
  }
  if (has_bmi) {
    const x86::Gp count = read(op->b, wide, x86::rcx);
    const x86::Gp value = read(op->a, wide, x86::rax);
    if (operation == Operation::shl) {
      a.shlx(to, value, count);
    } else if (operation == Operation::shr) {
      a.shrx(to, value, count);
    } else {
      a.sarx(to, value, count);
    }
    return finish(to, extend);
  }
  const x86::Gp rax = sized(x86::rax, wide);
  move(x86::ecx, op->b, false);
  move(rax, op->a, wide);
  if (operation == Operation::shl) {
    a.shl(rax, x86::cl);
  } else if (operation == Operation::shr) {
    a.shr(rax, x86::cl);
  } else {
    a.sar(rax, x86::cl);
  }
  finish(rax, extend);
}

void Compiler::Work::rotate(Operation operation, bool wide, bool immediate, bool extend) {
  const x86::Gp rax = sized(x86::rax, wide);
  if (!immediate) move(x86::ecx, op->b, false);
  move(rax, op->a, wide);
  const u32 count = static_cast<u32>(op->imm) & (wide ? 63 : 31);
  if (operation == Operation::rotl) {
    immediate ? a.rol(rax, count) : a.rol(rax, x86::cl);
  } else {
    immediate ? a.ror(rax, count) : a.ror(rax, x86::cl);
  }
  finish(rax, extend);
}

void Compiler::Work::min_max(Operation operation, bool wide, bool immediate, bool extend) {
  const x86::Gp rax = sized(x86::rax, wide);
  if (immediate) constant(x86::rcx, op->imm);
  const x86::Gp right = immediate ? sized(x86::rcx, wide) : read(op->b, wide, x86::rcx);
  move(rax, op->a, wide);
  a.cmp(right, rax);
  a.cmov(condition_of(operation), rax, right);
  finish(rax, extend);
}

// Sets the host's flags for op->a against op->b or the immediate.
void Compiler::Work::compare(bool wide, bool immediate) {
  if (immediate) {
    const u64 imm = wide ? op->imm : static_cast<u64>(static_cast<i64>(static_cast<i32>(op->imm)));
    const x86::Gp* left = pinned(op->a);
    if (!fits(imm)) {
      constant(x86::rcx, imm);
      const x86::Gp value = read(op->a, wide, x86::rax);
      a.cmp(value, sized(x86::rcx, wide));
    } else if (left == nullptr && !is_zero(op->a)) {
      a.cmp(at(op->a, wide ? 8 : 4), static_cast<i32>(imm));
    } else {
      const x86::Gp value = read(op->a, wide, x86::rax);
      if (imm == 0) {
        a.test(value, value);
      } else {
        a.cmp(value, static_cast<i32>(imm));
      }
    }
    return;
  }
  const x86::Gp left = read(op->a, wide, x86::rax);
  const x86::Gp* right = pinned(op->b);
  if (right != nullptr) {
    a.cmp(left, sized(*right, wide));
  } else if (is_zero(op->b)) {
    a.test(left, left);
  } else {
    a.cmp(left, at(op->b, wide ? 8 : 4));
  }
}

bool Compiler::Work::emit_two_operand(Operation operation, u32 width, bool immediate, bool extend) {
  if (is_compare(operation)) {
    a.set(compare_for(operation, width, immediate), x86::al);
    const x86::Gp to = target(op->d, x86::rax);
    a.movzx(to.r32(), x86::al);
    done(op->d, to);
    return true;
  }
  if (width < 2) {  // bytes and halfwords; what is not here is rare, tier 0's handlers do it
    // The low bits of a 32-bit result do not depend on what lies above the operands.
    const bool low_bits = operation == Operation::add || operation == Operation::sub || operation == Operation::and_ ||
                          operation == Operation::or_ || operation == Operation::xor_ || operation == Operation::mul;
    if (low_bits) arithmetic(operation, false, immediate, extend);
    return low_bits;
  }
  const bool wide = width == 3;
  switch (operation) {
    case Operation::add:
    case Operation::sub:
    case Operation::mul:
    case Operation::and_:
    case Operation::or_:
    case Operation::xor_:
      arithmetic(operation, wide, immediate, extend);
      return true;
    case Operation::mulh_s:
    case Operation::mulh_u:
      multiply_high(operation, wide, immediate, extend);
      return true;
    case Operation::div_s:
    case Operation::div_u:
    case Operation::rem_s:
    case Operation::rem_u:
      divide(operation, wide, immediate, extend);
      return true;
    case Operation::shl:
    case Operation::shr:
    case Operation::sar:
      shift(operation, wide, immediate, extend);
      return true;
    case Operation::rotl:
    case Operation::rotr:
      rotate(operation, wide, immediate, extend);
      return true;
    case Operation::min_s:
    case Operation::max_s:
    case Operation::min_u:
    case Operation::max_u:
      min_max(operation, wide, immediate, extend);
      return true;
    default:
      return false;
  }
}

bool Compiler::Work::emit_unary(u32 first, u32 width) {
  if (width < 2) return false;
  const bool wide = width == 3;
  const x86::Gp to = sized(target(op->d, x86::rax), wide);
  switch (static_cast<Handler>(first)) {
    case Handler::not__i8:
      move(to, op->a, wide);
      a.not_(to);
      break;
    case Handler::clz_i8:
      if (!has_lzcnt) return false;
      a.lzcnt(to, read(op->a, wide, x86::rax));
      break;
    case Handler::ctz_i8:
      if (!has_bmi) return false;
      a.tzcnt(to, read(op->a, wide, x86::rax));
      break;
    case Handler::popcnt_i8:
      if (!has_popcnt) return false;
      a.popcnt(to, read(op->a, wide, x86::rax));
      break;
    case Handler::bswap_i8:
      move(to, op->a, wide);
      a.bswap(to);
      break;
    default:
      return false;
  }
  done(op->d, to.r64());
  return true;
}

// The place of `yes` if the host's flags say so, else that of `no`, becomes the op's result. Moves leave flags alone,
// and 32-bit ones clear the upper half, whether they move or not.
void Compiler::Work::take(x86::CondCode condition, u16 yes, u16 no, bool wide) {
  const x86::Gp to = sized(target(op->d, x86::rax), wide);
  const x86::Gp* known = pinned(yes);
  if (known != nullptr && known->id() == to.id()) {
    std::swap(yes, no);
    condition = x86::negateCond(condition);
    known = pinned(yes);
  }
  move(to, no, wide);
  if (known != nullptr) {
    a.cmov(condition, to, sized(*known, wide));
  } else {
    a.cmov(condition, to, at(yes, wide ? 8 : 4));
  }
  done(op->d, to.r64());
}

bool Compiler::Work::emit_move(Handler handler) {
  const x86::Gp to = target(op->d, x86::rax);
  const x86::Gp* from = pinned(op->a);
  // A place's low bits, from its register or from memory, in `to`.
  const auto narrow = [&](u32 bytes, bool sign) {
    if (is_zero(op->a)) {
      a.xor_(to.r32(), to.r32());
    } else if (bytes == 4) {
      if (sign) {
        from != nullptr ? a.movsxd(to, from->r32()) : a.movsxd(to, at(op->a, 4));
      } else {
        from != nullptr ? a.mov(to.r32(), from->r32()) : a.mov(to.r32(), at(op->a, 4));
      }
    } else if (from != nullptr) {
      const x86::Gp part = bytes == 1 ? x86::Gp(from->r8()) : x86::Gp(from->r16());
      sign ? a.movsx(to, part) : a.movzx(to.r32(), part);
    } else {
      sign ? a.movsx(to, at(op->a, bytes)) : a.movzx(to.r32(), at(op->a, bytes));
    }
    done(op->d, to);
    return true;
  };
  switch (handler) {
    case Handler::mov_8: {
      if (const u32 copy = find_copy(op->a, true); copy != FloatCopies::kCount && pinned(op->d) == nullptr) {
        busy_copies |= 1u << copy;
        const x86::Xmm result = new_float();
        a.movaps(result, copy_register(copy));
        write_float(op->d, result, true);
        return true;
      }
      if (pinned(op->d) != nullptr) {
        move(*pinned(op->d), op->a, true);
      } else {
        a.mov(at(op->d, 8), read64(op->a, x86::rax));
      }
      return true;
    }
    case Handler::mov_4:
      if (pinned(op->d) != nullptr) return false;
      a.mov(at(op->d, 4), read32(op->a, x86::rax));
      return true;
    case Handler::constant:
      if (pinned(op->d) == nullptr && fits(op->imm)) {
        a.mov(at(op->d, 8), static_cast<i32>(op->imm));
        return true;
      }
      constant(to, op->imm);
      done(op->d, to);
      return true;
    case Handler::pc:
      a.mov(to, at(offsetof(VcpuFrame, pc_page), 8));
      a.add(to, static_cast<i32>(page_offset() + op->imm));
      done(op->d, to);
      return fits(page_offset() + op->imm);
    case Handler::zext_1:
    case Handler::sext_1:
      move(to.r32(), op->a, false);
      a.and_(to.r32(), 1);
      if (handler == Handler::sext_1) a.neg(to);
      done(op->d, to);
      return true;
    case Handler::zext_8:
      return narrow(1, false);
    case Handler::zext_16:
      return narrow(2, false);
    case Handler::zext_32:
      return narrow(4, false);
    case Handler::sext_8:
      return narrow(1, true);
    case Handler::sext_16:
      return narrow(2, true);
    case Handler::sext_32:
      return narrow(4, true);
    case Handler::select_4:
    case Handler::select_8: {
      const bool wide = handler == Handler::select_8;
      const x86::Gp condition = read32(op->a, x86::rdx);
      a.test(condition.r8(), condition.r8());
      take(x86::CondCode::kNE, op->b, op->c, wide);
      return true;
    }
    case Handler::shift_add: {
      const u32 count = static_cast<u32>(op->imm);
      const x86::Gp addend = read64(op->b, x86::rcx);
      const x86::Gp shifted = read64(op->a, x86::rax);
      if (count <= 3) {
        a.lea(to, x86::ptr(addend, shifted, count));
      } else {
        a.mov(x86::rax, shifted);
        a.shl(x86::rax, count);
        a.add(x86::rax, addend);
        done(op->d, x86::rax);
        return true;
      }
      done(op->d, to);
      return true;
    }
    default:
      return false;
  }
}

bool Compiler::Work::emit_integer(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  constexpr u32 first = static_cast<u32>(Handler::add_i8_rr);
  if (number >= first && number < first + 8 * static_cast<u32>(Operation::count)) {
    const u32 index = number - first;
    return emit_two_operand(static_cast<Operation>(index / 8), index % 8 / 2, (index & 1) != 0, false);
  }
  switch (handler) {
#define SEXT32(name)                                          \
  case Handler::sx_##name##_rr:                               \
    return emit_two_operand(Operation::name, 2, false, true); \
  case Handler::sx_##name##_ri:                               \
    return emit_two_operand(Operation::name, 2, true, true);
#define SELECT(name)                                                                                         \
  case Handler::sel_##name##_i32_rr:                                                                         \
  case Handler::sel_##name##_i32_ri:                                                                         \
  case Handler::sel_##name##_i64_rr:                                                                         \
  case Handler::sel_##name##_i64_ri: {                                                                       \
    const u32 form = number - static_cast<u32>(Handler::sel_##name##_i32_rr);                                \
    take(compare_for(Operation::name, 2 + form / 2, (form & 1) != 0), op->c, (op + 1)->a, (op + 1)->d == 0); \
    return true;                                                                                             \
  }
#define UNARY(name)         \
  case Handler::name##_i8:  \
  case Handler::name##_i16: \
  case Handler::name##_i32: \
  case Handler::name##_i64: \
    return emit_unary(static_cast<u32>(Handler::name##_i8), number - static_cast<u32>(Handler::name##_i8));
#include "tcg/interp/handlers.def"
    default:
      return emit_move(handler);
  }
}

}  // namespace pagoda::light
