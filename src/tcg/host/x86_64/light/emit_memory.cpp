// SPDX-License-Identifier: MIT
// Loads, stores, atomics: the first level of the TLB inline, everything else through the slow-path stubs.
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

constexpr u32 kEntryBits = 5;
static_assert(sizeof(TlbEntry) == 1 << kEntryBits);
constexpr u32 kIndexMask = (kTlbEntries - 1) << kEntryBits;

// The low bytes of a register.
x86::Gp part(x86::Gp reg, u32 size) {
  switch (size) {
    case 1:
      return x86::Gp(reg.r8());
    case 2:
      return x86::Gp(reg.r16());
    case 4:
      return x86::Gp(reg.r32());
    default:
      return x86::Gp(reg.r64());
  }
}

}  // namespace

x86::Gp Compiler::Work::address_of(u16 place, u64 displacement) {
  const x86::Gp* reg = pinned(place);
  if (displacement == 0) return read64(place, x86::rax);
  if (reg != nullptr && fits(displacement)) {
    a.lea(x86::rax, x86::ptr(*reg, static_cast<i32>(displacement)));
    return x86::rax;
  }
  if (fits(displacement)) {
    move(x86::rax, place, true);
    a.add(x86::rax, static_cast<i32>(displacement));
  } else {
    constant(x86::rax, displacement);
    a.add(x86::rax, read64(place, x86::rcx));
  }
  return x86::rax;
}

// Misaligned addresses and pages with anything special never match their tag.
void Compiler::Work::check_tlb(x86::Gp address, u32 size, std::size_t tag, const asmjit::Label& slow,
                               const asmjit::Label& found) {
  constexpr u32 shift = kTlbPageBits - kEntryBits;
  if (has_bmi) {
    a.rorx(x86::rcx, address, shift);
  } else {
    a.mov(x86::rcx, address);
    a.shr(x86::rcx, shift);
  }
  a.and_(x86::ecx, kIndexMask);
  a.mov(x86::rdx, address);
  a.and_(x86::rdx, static_cast<i32>(kTlbPageMask | (size - 1)));
  a.add(x86::rdx,
        at(offsetof(VcpuFrame, contexts) + memory_mode * sizeof(MemoryContext) + offsetof(MemoryContext, tag), 8));
  const i32 table = static_cast<i32>(stubs.layout.tlb_offset[memory_mode]);
  a.cmp(x86::rdx, x86::ptr(kFrame, x86::rcx, 0, table + static_cast<i32>(tag), 8));
  a.jne(slow);
  a.bind(found);
  a.mov(x86::rcx, x86::ptr(kFrame, x86::rcx, 0, table + static_cast<i32>(offsetof(TlbEntry, addend)), 8));
}

// rcx and rdx are as the first level left them; rcx stays, and the address.
void Compiler::Work::probe(std::size_t tag, const asmjit::Label& found) {
  const bool write = tag == offsetof(TlbEntry, write_tag);
  call_stub(stubs.probe[memory_mode][write ? Stubs::for_write : Stubs::for_read]);
  a.je(found);
}

void Compiler::Work::zero_extend(x86::Gp reg, u32 size) {
  if (size < 4) {
    a.movzx(reg.r32(), part(reg, size));
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

// The address is in rax, other operands are arguments; `bits` is the packed MemOp.
void Compiler::Work::call_slow_path(const u8* stub, u32 bits, u32 where) {
  a.mov(x86::ecx, bits);
  a.mov(x86::edx, where);
  call_stub(stub);
  leave_on_fault();
}

// Behind a slow path: a fault leaves as if the guest instruction had not begun.
void Compiler::Work::leave_on_fault() {
  a.cmp(at(offsetof(VcpuFrame, fault), 4), 0);
  a.jne(fault_exit);
  fault_exit_used = true;
}

// Behind a slow path whose result is in place: a request to leave does so behind this guest instruction, whose other
// ops follow.
void Compiler::Work::leave_behind(const ThreadedOp& slow_op, u32 ops) {
  const asmjit::Label rest = a.newLabel();
  a.cmp(at(offsetof(VcpuFrame, leave), 4), 0);
  a.jne(rest);
  const ThreadedOp* next = &slow_op + ops;
  const u32 index = insn;
  cold.push_back([this, rest, next, index] {
    a.bind(rest);
    emit_rest(next, index);
  });
}

void Compiler::Work::load(u32 size, bool sign) {
  const ThreadedOp& slow_op = *op;
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel();
  const x86::Gp address = address_of(op->a, op->imm);
  check_tlb(address, size, offsetof(TlbEntry, read_tag), slow, found);
  const x86::Gp to = target(op->d, x86::rax);
  const x86::Mem from = x86::ptr(address, x86::rcx, 0, 0, size);
  switch (size) {
    case 1:
    case 2:
      sign ? a.movsx(to, from) : a.movzx(to.r32(), from);
      break;
    case 4:
      sign ? a.movsxd(to, from) : a.mov(to.r32(), from);
      break;
    default:
      a.mov(to, from);
  }
  if (pinned(op->d) == nullptr) a.mov(at(op->d, 8), to);
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([this, slow, found, end, address, where, index, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(slow);
    probe(offsetof(TlbEntry, read_tag), found);
    if (address.id() != x86::rax.id()) a.mov(x86::rax, address);
    call_slow_path(stubs.load, slow_op.b, where);
    done(slow_op.d, x86::rax);
    leave_behind(slow_op, 1);
    a.jmp(end);
  });
}

void Compiler::Work::store(u32 size) {
  const ThreadedOp& slow_op = *op;
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel();
  const x86::Gp address = address_of(op->a, op->imm);
  check_tlb(address, size, offsetof(TlbEntry, write_tag), slow, found);
  const x86::Mem to = x86::ptr(address, x86::rcx, 0, 0, size);
  const x86::Gp* reg = pinned(op->b);
  if (is_zero(op->b)) {
    a.mov(to, 0);
  } else {
    if (reg == nullptr) a.mov(x86::rdx, at(op->b, 8));
    const x86::Gp value = reg != nullptr ? *reg : x86::rdx;
    a.mov(to, part(value, size));
  }
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([this, slow, found, end, address, where, index, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(slow);
    probe(offsetof(TlbEntry, write_tag), found);
    if (address.id() != x86::rax.id()) a.mov(x86::rax, address);
    a.mov(at(offsetof(VcpuFrame, call_args), 8), read64(slow_op.b, x86::rcx));
    call_slow_path(stubs.store, slow_op.d, where);
    leave_behind(slow_op, 1);
    a.jmp(end);
  });
}

void Compiler::Work::read_modify_write(ir::Rmw kind, u32 width) {
  const ThreadedOp& slow_op = *op;
  const bool wide = width == 3;
  const u32 size = 1u << width;
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel();
  move(x86::rax, op->a, true);
  check_tlb(x86::rax, size, offsetof(TlbEntry, write_tag), slow, found);
  a.add(x86::rcx, x86::rax);  // host address
  const x86::Mem memory = x86::ptr(x86::rcx, 0, size);
  const x86::Gp old = part(x86::rax, size), now = part(x86::rdx, size);
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
      apply(part(*reg, size), sized(*reg, wide));
    } else {
      apply(at(op->b, size), at(op->b, wide ? 8 : 4));  // the place of zero too: temps[0] is in the frame
    }
    a.lock().cmpxchg(memory, now);
    a.jne(again);
    zero_extend(x86::rax, size);
    done(op->d, x86::rax);
  }
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([this, slow, found, end, where, index, kind, size, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(slow);
    probe(offsetof(TlbEntry, write_tag), found);
    argument(0, slow_op.b, size);
    a.mov(at(offsetof(VcpuFrame, call_args) + 8, 8), static_cast<i32>(kind));
    call_slow_path(stubs.rmw, static_cast<u32>(slow_op.imm), where);
    done(slow_op.d, x86::rax);
    leave_behind(slow_op, 1);
    a.jmp(end);
  });
}

// Two ops: the second's a is the place of the desired value, its d that of the reserved address.
void Compiler::Work::store_conditional(u32 size) {
  const ThreadedOp& slow_op = *op;
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel(), lost = a.newLabel();
  move(x86::rax, op->a, true);
  const x86::Gp* reserved = pinned(op[1].d);
  if (reserved != nullptr) {
    a.cmp(x86::rax, *reserved);
  } else {
    a.cmp(x86::rax, at(op[1].d, 8));
  }
  a.jne(lost);
  check_tlb(x86::rax, size, offsetof(TlbEntry, write_tag), slow, found);
  a.add(x86::rcx, x86::rax);
  move(x86::rax, op->b, size == 8);
  const x86::Gp desired = read(op[1].a, size == 8, x86::rdx);
  a.lock().cmpxchg(x86::ptr(x86::rcx, 0, size), part(desired, size));
  a.sete(x86::al);
  a.movzx(x86::eax, x86::al);
  done(op->d, x86::rax);
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([this, slow, found, end, lost, where, index, size, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(lost);
    a.xor_(x86::eax, x86::eax);
    done(slow_op.d, x86::rax);
    a.jmp(end);
    a.bind(slow);
    probe(offsetof(TlbEntry, write_tag), found);
    argument(0, slow_op.b, size);
    argument(1, (&slow_op)[1].a, size);
    call_slow_path(stubs.cas, static_cast<u32>(slow_op.imm), where);
    const x86::Gp expected = read(slow_op.b, size == 8, x86::rcx);
    a.cmp(part(x86::rax, size), part(expected, size));
    a.sete(x86::al);
    a.movzx(x86::eax, x86::al);
    done(slow_op.d, x86::rax);
    leave_behind(slow_op, 2);
    a.jmp(end);
  });
}

// Two ops: the second's a is the place of the desired value.
void Compiler::Work::compare_and_swap(u32 size) {
  const ThreadedOp& slow_op = *op;
  const asmjit::Label slow = a.newLabel(), found = a.newLabel(), end = a.newLabel();
  move(x86::rax, op->a, true);
  check_tlb(x86::rax, size, offsetof(TlbEntry, write_tag), slow, found);
  a.add(x86::rcx, x86::rax);
  move(x86::rax, op->b, size == 8);
  const x86::Gp desired = read(op[1].a, size == 8, x86::rdx);
  a.lock().cmpxchg(x86::ptr(x86::rcx, 0, size), part(desired, size));
  zero_extend(x86::rax, size);
  done(op->d, x86::rax);
  a.bind(end);
  const u32 where = site(), index = insn;
  cold.push_back([this, slow, found, end, where, index, size, &slow_op] {
    op = &slow_op;
    insn = index;
    a.bind(slow);
    probe(offsetof(TlbEntry, write_tag), found);
    argument(0, slow_op.b, size);
    argument(1, (&slow_op)[1].a, size);
    call_slow_path(stubs.cas, static_cast<u32>(slow_op.imm), where);
    done(slow_op.d, x86::rax);
    leave_behind(slow_op, 2);
    a.jmp(end);
  });
}

bool Compiler::Work::emit_memory(Handler handler) {
  switch (handler) {
    case Handler::load_u8:
    case Handler::load_u16:
    case Handler::load_u32:
    case Handler::load_s8:
    case Handler::load_s16:
    case Handler::load_s32:
    case Handler::load_u64: {
      const u32 index = static_cast<u32>(handler) - static_cast<u32>(Handler::load_u8);
      load(1u << index / 2, (index & 1) != 0 && handler != Handler::load_u64);
      return true;
    }
    case Handler::store_8:
    case Handler::store_16:
    case Handler::store_32:
    case Handler::store_64:
      store(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::store_8)));
      return true;
    case Handler::store_cond_8:
    case Handler::store_cond_16:
    case Handler::store_cond_32:
    case Handler::store_cond_64:
      store_conditional(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::store_cond_8)));
      return true;
    case Handler::cas_8:
    case Handler::cas_16:
    case Handler::cas_32:
    case Handler::cas_64:
      compare_and_swap(1u << (static_cast<u32>(handler) - static_cast<u32>(Handler::cas_8)));
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
