// SPDX-License-Identifier: MIT
// Atomics and fences.
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {

void Compiler::Work::zero_extend(x86::Gp reg, u32 size) {
  if (size < 4) {
    a.movzx(reg.r32(), low_part(reg, size));
  } else if (size == 4) {
    a.mov(reg.r32(), reg.r32());
  }
}

// An operand of a slow path, without what may lie above it in its place. Clobbers rcx and rdx.
void Compiler::Work::argument(u32 number, u16 place, u32 size) {
  const x86::Gp value = read64(place, x86::rdx);
  a.mov(x86::rcx, value);
  zero_extend(x86::rcx, size);
  a.mov(at(offsetof(VcpuFrame, call_args) + 8 * number, 8), x86::rcx);
}

// Cold: where an atomic whose address is in rax misses the first level. `arguments` puts its other operands where the
// stub wants them; `result` makes its result of the old value, which the stub leaves in rax.
template <class Arguments, class Result>
void Compiler::Work::slow_atomic(const AtomicLabels& labels, const u8* stub, Arguments arguments, Result result) {
  const ThreadedOp& slow_op = *op;
  const u32 where = site(), index = insn;
  cold.push_back([this, labels, stub, arguments, result, where, index, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(labels.slow);
    probe(offsetof(TlbEntry, write_tag), labels.found);
    arguments();
    a.mov(x86::ecx, static_cast<u32>(slow_op.imm));  // the packed MemOp
    a.mov(x86::edx, where);
    call_stub(stub);
    const asmjit::Label special = a.newLabel();
    a.jne(special);
    result();
    done(slow_op.d, x86::rax);
    a.jmp(labels.end);
    a.bind(special);
    result();
    finish_insn(slow_op);
  });
}

void Compiler::Work::read_modify_write(ir::Rmw kind, u32 width) {
  const bool wide = width == 3;
  const u32 size = 1u << width;
  const AtomicLabels labels = atomic_labels();
  move(x86::rax, op->a, true);
  check_tlb(x86::rax, size, offsetof(TlbEntry, write_tag), labels.slow, labels.found);
  a.add(x86::rcx, x86::rax);  // host address
  const x86::Mem memory = x86::ptr(x86::rcx, 0, size);
  const x86::Gp old = low_part(x86::rax, size), now = low_part(x86::rdx, size);
  if (kind == ir::Rmw::swap || kind == ir::Rmw::add) {
    move(x86::rdx, op->b, wide);
    if (kind == ir::Rmw::swap) {
      a.xchg(memory, now);
    } else {
      a.lock().xadd(memory, now);
    }
    zero_extend(x86::rdx, size);
    done(op->d, x86::rdx);
  } else {
    const asmjit::Label again = a.newLabel();
    const auto apply = [&](const auto& operand, const auto& operand32) {
      switch (kind) {
        case ir::Rmw::and_:
          return a.and_(now, operand);
        case ir::Rmw::or_:
          return a.or_(now, operand);
        case ir::Rmw::xor_:
          return a.xor_(now, operand);
        case ir::Rmw::min_s:
          a.cmp(now, operand);
          return a.cmovg(sized(now, wide), operand32);
        case ir::Rmw::max_s:
          a.cmp(now, operand);
          return a.cmovl(sized(now, wide), operand32);
        case ir::Rmw::min_u:
          a.cmp(now, operand);
          return a.cmova(sized(now, wide), operand32);
        default:
          a.cmp(now, operand);
          return a.cmovb(sized(now, wide), operand32);
      }
    };
    if (size < 4) {
      a.movzx(x86::eax, memory);
    } else {
      a.mov(old, memory);
    }
    a.bind(again);
    a.mov(sized(x86::rdx, wide), sized(x86::rax, wide));
    const x86::Gp* reg = pinned(op->b);
    if (reg != nullptr) {
      apply(low_part(*reg, size), sized(*reg, wide));
    } else {
      apply(at(op->b, size), at(op->b, wide ? 8 : 4));  // the place of zero too: temps[0] is in the frame
    }
    a.lock().cmpxchg(memory, now);
    a.jne(again);
    zero_extend(x86::rax, size);
    done(op->d, x86::rax);
  }
  a.bind(labels.end);
  const auto arguments = [this, kind, size] {
    argument(0, op->b, size);
    a.mov(at(offsetof(VcpuFrame, call_args) + 8, 8), static_cast<i32>(kind));
  };
  slow_atomic(labels, stubs.rmw, arguments, [] {});
}

// Two ops: the second's a is the place of the desired value; if `conditional` its d is that of the reserved address,
// and the result is whether the store was done.
void Compiler::Work::compare_exchange(u32 size, bool conditional) {
  const AtomicLabels labels = atomic_labels();
  move(x86::rax, op->a, true);
  if (conditional) {
    const asmjit::Label lost = a.newLabel();
    const x86::Gp* reserved = pinned(op[1].d);
    if (reserved != nullptr) {
      a.cmp(x86::rax, *reserved);
    } else {
      a.cmp(x86::rax, at(op[1].d, 8));
    }
    a.jne(lost);
    cold.push_back([this, lost, labels, d = op->d] {
      a.bind(lost);
      a.xor_(x86::eax, x86::eax);
      done(d, x86::rax);
      a.jmp(labels.end);
    });
  }
  check_tlb(x86::rax, size, offsetof(TlbEntry, write_tag), labels.slow, labels.found);
  a.add(x86::rcx, x86::rax);
  move(x86::rax, op->b, size == 8);
  const x86::Gp desired = read(op[1].a, size == 8, x86::rdx);
  a.lock().cmpxchg(x86::ptr(x86::rcx, 0, size), low_part(desired, size));
  if (conditional) {
    a.sete(x86::al);
    a.movzx(x86::eax, x86::al);
  } else {
    zero_extend(x86::rax, size);
  }
  done(op->d, x86::rax);
  a.bind(labels.end);
  const auto arguments = [this, size] {
    argument(0, op->b, size);
    argument(1, op[1].a, size);
  };
  const auto result = [this, size, conditional] {
    if (!conditional) return;
    const x86::Gp expected = read(op->b, size == 8, x86::rcx);
    a.cmp(low_part(x86::rax, size), low_part(expected, size));
    a.sete(x86::al);
    a.movzx(x86::eax, x86::al);
  };
  slow_atomic(labels, stubs.cas, arguments, result);
}

bool Compiler::Work::emit_atomic(Handler handler) {
  switch (handler) {
    case Handler::store_cond_8:
    case Handler::store_cond_16:
    case Handler::store_cond_32:
    case Handler::store_cond_64:
      compare_exchange(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::store_cond_8)), true);
      return true;
    case Handler::cas_8:
    case Handler::cas_16:
    case Handler::cas_32:
    case Handler::cas_64:
      compare_exchange(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::cas_8)), false);
      return true;
    case Handler::fence_none:
      return true;
    case Handler::fence_full:
      a.lock().or_(x86::dword_ptr(x86::rsp), 0);  // orders like mfence, for less
      return true;
#define RMW(name)                                                                                             \
  case Handler::rmw_##name##_i8:                                                                              \
  case Handler::rmw_##name##_i16:                                                                             \
  case Handler::rmw_##name##_i32:                                                                             \
  case Handler::rmw_##name##_i64:                                                                             \
    read_modify_write(ir::Rmw::name, static_cast<u32>(handler) - static_cast<u32>(Handler::rmw_##name##_i8)); \
    return true;
#include "tcg/interp/handlers.def"
    default:
      return false;
  }
}

}  // namespace pagoda::light
