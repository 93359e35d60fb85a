// SPDX-License-Identifier: MIT
// Block entry, block ends, links, helper calls, traps.
#include <bit>

#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/host/x86_64/lookup.h"

namespace pagoda::light {

// Every unit starts with the poll and the budget; who comes here has set pc_page.
void Compiler::Work::prologue() {
  a.bind(entry);
  const asmjit::Label poll = a.newLabel(), budget = a.newLabel();
  const bool with_poll = polls();
  if (with_poll) {
    a.cmp(at(offsetof(VcpuFrame, poll), 4), 0);
    a.jne(poll);
  }
  a.sub(kBudget, unit->guest_insns);
  a.js(budget);
  cold.push_back([this, poll, budget, with_poll] {
    a.bind(budget);
    a.add(kBudget, unit->guest_insns);
    exit_to(Left::budget, 0);
    if (!with_poll) return;
    a.bind(poll);
    exit_to(Left::poll, 0);
  });
}

// In a loop's code not where control comes only from units that do.
bool Compiler::Work::polls() const {
  return loop.empty() || parts[position].polls || is_own_start(0) || is_own_start(1);
}

// Leaves with the pc at an offset from the unit's start.
void Compiler::Work::exit_to(Left left, i64 pc_offset) {
  a.mov(x86::ecx, static_cast<i32>(static_cast<i64>(page_offset()) + pc_offset));
  a.mov(x86::rdx, x86::ptr(x86::rip, 0));
  data_reference(offsetof(HostData, unit));
  a.mov(x86::eax, static_cast<u32>(left));
  jump_to(stubs.leave_at);
}

// A loop of one unit needs no link: its entry polls, and who takes a unit's code away makes all vcpus poll.
bool Compiler::Work::is_own_start(u32 side) const {
  return unit->exit_offset[side] == 0 && !unit->exit_is_far[side] && unit->linkable;
}

const asmjit::Label* Compiler::Work::inside(u32 side) const {
  if (is_own_start(side)) return &entry;
  if (loop.empty() || loop[position].next[side] < 0) return nullptr;
  return &parts[static_cast<u8>(loop[position].next[side])].entry;
}

bool Compiler::Work::is_next(u32 side) const {
  return !loop.empty() && !is_own_start(side) && loop[position].next[side] == static_cast<i8>(position + 1);
}

// Exits that go back inside the page are what loops of several units are found by.
bool Compiler::Work::counts_turns(u32 side) const {
  return loop.empty() && unit->exit_offset[side] < 0 && !unit->exit_is_far[side] && unit->linkable &&
         stubs.layout.loop_threshold != 0;
}

void Compiler::Work::branch(x86::CondCode taken) {
  const asmjit::Label* to[] = {inside(0), inside(1)};
  // The way to itself is gone by chain(), which counts.
  for (const u32 side : {0u, 1u}) {
    if (to[side] == nullptr || !counts_own(side)) continue;
    const asmjit::Label other = a.newLabel();
    a.j(side == 0 ? x86::negateCond(taken) : taken, other);
    chain(side);
    a.bind(other);
    return chain(1 - side);
  }
  const auto jump_if = [&](u32 side, const asmjit::Label& label) {
    a.j(side == 0 ? taken : x86::negateCond(taken), label);
  };
  if (to[0] == nullptr && to[1] == nullptr) {
    const asmjit::Label yes = a.newLabel();
    a.j(taken, yes);
    chain(1);
    a.bind(yes);
    return chain(0);
  }
  if (to[0] != nullptr && to[1] != nullptr) {
    const u32 first = is_next(0) ? 1 : 0;
    jump_if(first, *to[first]);
    if (!is_next(1 - first)) a.jmp(*to[1 - first]);
    return;
  }
  const u32 in = to[0] != nullptr ? 0 : 1;
  if (!is_next(in)) {
    jump_if(in, *to[in]);
    return chain(1 - in);
  }
  const asmjit::Label out = a.newLabel();
  jump_if(1 - in, out);
  cold.push_back([this, out, in] {
    a.bind(out);
    chain(1 - in);
  });
}

bool Compiler::Work::counts_own(u32 side) const {
  return loop.empty() && is_own_start(side) && stubs.layout.counts_own_turns && stubs.layout.loop_threshold != 0;
}

void Compiler::Work::count_turn(u32 side, u32 again) {
  const asmjit::Label often = a.newLabel();
  a.dec(x86::dword_ptr(x86::rip, 0));
  data_reference(offsetof(HostData, turns));
  a.js(often);
  cold.push_back([this, often, side, again] {
    a.bind(often);
    a.mov(x86::eax, again);
    a.mov(x86::dword_ptr(x86::rip, 0), x86::eax);
    data_reference(offsetof(HostData, turns));
    exit_to(side == 0 ? Left::often_link0 : Left::often_link1, unit->exit_offset[side]);
  });
}

void Compiler::Work::chain(u32 side) {
  if (const asmjit::Label* to = inside(side)) {
    if (counts_own(side)) count_turn(side, kOwnTurnsAgain);
    if (!is_next(side)) a.jmp(*to);
    return;
  }
  if (counts_turns(side)) count_turn(side, stubs.layout.turns_again);
  if (unit->exit_is_far[side]) return chain_far(side);
  a.jmp(x86::qword_ptr(x86::rip, 0));
  data_reference(static_cast<u32>(offsetof(HostData, links) + side * sizeof(HostLink) + offsetof(HostLink, jump)));
}

void Compiler::Work::probe_page() {
  a.xchg(x86::rax, x86::rdx);
  call_stub(stubs.probe[memory_mode][Stubs::for_fetch]);
  a.mov(x86::rdx, x86::rax);
}

// Into another page: only while the TLB maps the target's page to the one the target was made from.
void Compiler::Work::chain_far(u32 side) {
  const asmjit::Label ask = a.newLabel(), look = a.newLabel(), found = a.newLabel();
  const i64 to_offset = static_cast<i64>(page_offset()) + unit->exit_offset[side];
  const i64 pages = to_offset & ~i64{0xfff};
  const std::size_t link = offsetof(HostData, links) + side * sizeof(HostLink);
  a.mov(x86::rax, at(offsetof(VcpuFrame, pc_page), 8));
  a.add(x86::rax, static_cast<i32>(pages));
  a.mov(x86::rdx, x86::ptr(x86::rip, 0));
  data_reference(static_cast<u32>(link + offsetof(HostLink, unit)));
  a.mov(at(offsetof(VcpuFrame, pc_page), 8), x86::rax);
  a.test(x86::rdx, x86::rdx);
  a.jz(ask);
  compare_exec_tag(a, stubs.layout, memory_mode);
  a.jne(look);
  a.bind(found);
  load_host_page(a, stubs.layout, memory_mode);
  a.cmp(x86::rax, x86::ptr(x86::rdx, offsetof(Unit, host_page), 8));
  a.jne(ask);
  a.jmp(x86::ptr(x86::rdx, static_cast<i32>(offsetof(Unit, host) + offsetof(HostCode, entry)), 8));
  cold.push_back([this, ask, look, found, side, to_offset] {
    a.bind(look);
    probe_page();
    a.je(found);
    a.bind(ask);
    // pc_page is the target's already.
    a.mov(x86::rax, at(offsetof(VcpuFrame, pc_page), 8));
    a.add(x86::rax, static_cast<i32>(to_offset & 0xfff));
    a.mov(at(offsetof(VcpuFrame, pc), 8), x86::rax);
    a.mov(x86::rdx, x86::ptr(x86::rip, 0));
    data_reference(offsetof(HostData, unit));
    a.mov(x86::eax, static_cast<u32>(side == 0 ? Left::lookup_link0 : Left::lookup_link1));
    jump_to(stubs.leave);
  });
}

// By the per-vcpu jump cache. An entry whose key is not the frame's, or which there is not, is a stub's matter.
void Compiler::Work::jump_indirect() {
  move(x86::rax, op->a, true);
  if (op->imm != ~u64{0}) a.and_(x86::rax, static_cast<i32>(op->imm));
  find_jump_cache_entry(a);
  a.cmp(x86::rax, x86::ptr(x86::rcx, offsetof(JumpCacheEntry, pc), 8));
  jump_if_not_equal(stubs.jump_miss);
  a.cmp(x86::rdx, x86::ptr(x86::rcx, offsetof(JumpCacheEntry, key), 8));
  jump_if_not_equal(stubs.jump_check[memory_mode]);
  a.and_(x86::rax, -4096);
  a.mov(at(offsetof(VcpuFrame, pc_page), 8), x86::rax);
  a.jmp(x86::ptr(x86::rcx, offsetof(JumpCacheEntry, entry), 8));
}

// At the start of an instruction that straddles two pages: the second part is still where it was read.
void Compiler::Work::check_next_page() {
  constexpr i32 kNext = 1 << kTlbPageBits;
  const asmjit::Label miss = a.newLabel(), look = a.newLabel(), found = a.newLabel();
  a.mov(x86::rax, at(offsetof(VcpuFrame, pc_page), 8));
  a.add(x86::rax, kNext);
  compare_exec_tag(a, stubs.layout, memory_mode);
  a.jne(look);
  a.bind(found);
  load_host_page(a, stubs.layout, memory_mode, kNext);
  constant(x86::rdx, op->imm);
  a.cmp(x86::rax, x86::rdx);
  a.jne(miss);
  cold.push_back([this, miss, look, found] {
    a.bind(look);
    probe_page();
    a.je(found);
    a.bind(miss);
    a.add(kBudget, unit->guest_insns);
    exit_to(Left::lookup, 0);
  });
}

// Two ops: the second holds the helper's address, the instruction's index, and whether it wants the host's FP mode.
void Compiler::Work::call_helper(const ThreadedOp& step) {
  const ThreadedOp& second = (&step)[1];
  const HelperTable& helpers = stubs.layout.helpers;
  u32 number = 0;
  while (number < helpers.count && reinterpret_cast<const void*>(helpers.helpers[number].function) != second.handler)
    ++number;
  insn = second.d;
  const u16 places[] = {step.a, step.b, step.c};
  for (u32 i = 0; i < 3; ++i) {
    if (is_zero(places[i])) {
      a.mov(at(offsetof(VcpuFrame, call_args) + 8 * i, 8), 0);
    } else {
      a.mov(at(offsetof(VcpuFrame, call_args) + 8 * i, 8), read64(places[i], x86::rax));
    }
  }
  if (fits(step.imm)) {
    a.mov(at(offsetof(VcpuFrame, call_args) + 24, 8), static_cast<i32>(step.imm));
  } else {
    constant(x86::rax, step.imm);
    a.mov(at(offsetof(VcpuFrame, call_args) + 24, 8), x86::rax);
  }
  // What neither faults nor looks at guest state nor leaves needs less around it.
  if ((helpers.helpers[number].effects & ~static_cast<u32>(ir::kFpFlags)) == 0) {
    a.mov(x86::ecx, number);
    call_stub(stubs.call_plain);
    return done(step.d, x86::rax);
  }
  a.mov(x86::ecx, number | (second.a != 0 ? 0x80000000u : 0u));
  a.mov(x86::edx, site());
  call_stub(stubs.call);
  const asmjit::Label special = a.newLabel();
  a.jne(special);
  done(step.d, x86::rax);
  cold.push_back([this, special, &step] {
    a.bind(special);
    finish_insn(step);
  });
}

void Compiler::Work::finish_insn(const ThreadedOp& slow_op) {
  a.mov(x86::rcx, x86::ptr(x86::rip, 0));
  data_reference(offsetof(HostData, unit));
  a.mov(x86::edx, static_cast<u32>(&slow_op - unit->code));
  jump_to(stubs.finish);
}

bool Compiler::Work::emit_control(Handler handler) {
  const u32 number = static_cast<u32>(handler);
  const auto finish_branch = [&](x86::CondCode taken) {
    branch(taken);
    return true;
  };
  switch (handler) {
#define BRANCH(name)                                                               \
  case Handler::br_##name##_i8_rr:                                                 \
  case Handler::br_##name##_i8_ri:                                                 \
  case Handler::br_##name##_i16_rr:                                                \
  case Handler::br_##name##_i16_ri:                                                \
  case Handler::br_##name##_i32_rr:                                                \
  case Handler::br_##name##_i32_ri:                                                \
  case Handler::br_##name##_i64_rr:                                                \
  case Handler::br_##name##_i64_ri: {                                              \
    const u32 form = number - static_cast<u32>(Handler::br_##name##_i8_rr);        \
    return finish_branch(compare_for(Operation::name, form / 2, (form & 1) != 0)); \
  }
#include "tcg/interp/handlers.def"
    case Handler::branch_true: {
      const x86::Gp value = read32(op->a, x86::rax);
      a.test(value.r8(), value.r8());
      return finish_branch(x86::CondCode::kNE);
    }
    case Handler::jump:
      chain(0);
      return true;
    case Handler::jump_indirect:
      jump_indirect();
      return true;
    case Handler::check_next_page:
      check_next_page();
      return true;
    case Handler::exit_lookup:
      exit_to(Left::lookup, static_cast<i64>(op->imm));
      return true;
    case Handler::exit_wait:
      exit_to(Left::wait, static_cast<i64>(op->imm));
      return true;
    case Handler::exit_exception:
      a.mov(at(offsetof(VcpuFrame, insn_index), 4), op->c);
      a.jmp(fault_exit);
      fault_exit_used = true;
      return true;
    case Handler::trap_if: {
      const asmjit::Label trap = a.newLabel();
      const x86::Gp value = read32(op->a, x86::rax);
      a.test(value.r8(), value.r8());
      a.jne(trap);
      const ThreadedOp& step = *op;
      cold.push_back([this, trap, &step] {
        a.bind(trap);
        constant(x86::rax, step.imm);
        a.mov(at(offsetof(VcpuFrame, fault_cause), 8), x86::rax);
        a.mov(at(offsetof(VcpuFrame, fault_value), 8), read64(step.b, x86::rax));
        a.mov(at(offsetof(VcpuFrame, fault), 4), 1);
        a.mov(at(offsetof(VcpuFrame, insn_index), 4), step.c);
        a.jmp(fault_exit);
        fault_exit_used = true;
      });
      return true;
    }
    case Handler::call:
    case Handler::call_may_fault:
      call_helper(*op);
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::light
