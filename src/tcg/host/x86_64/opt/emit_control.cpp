// SPDX-License-Identifier: MIT
// Jumps inside the region, the ways out of it, traps, helpers.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/host/x86_64/lookup.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {

// --- inside ---------------------------------------------------------------------------------------------------------

void Emitter::Work::jump(u32 successor) {
  if (!is_next(successor)) a.jmp(label_of(successor));
}

void Emitter::Work::branch(x86::CondCode condition) {
  const u32* next = code->blocks[order[position]].next;
  if (is_next(next[0])) {
    a.j(x86::negateCond(condition), label_of(next[1]));
    return;
  }
  // Where neither comes next, the way taken more often is the branch alone.
  const LirBlock &yes = code->blocks[next[0]], &no = code->blocks[next[1]];
  if (!is_next(next[1]) && (yes.is_cold != no.is_cold ? yes.is_cold : yes.seen < no.seen)) {
    a.j(x86::negateCond(condition), label_of(next[1]));
    a.jmp(label_of(next[0]));
    return;
  }
  a.j(condition, label_of(next[0]));
  jump(next[1]);
}

// --- by a site ------------------------------------------------------------------------------------------------------

void Emitter::Work::leave_by(u32 site, light::Left left) {
  a.push(static_cast<i32>(left));
  a.push(static_cast<i32>(site));
  a.push(x86::qword_ptr(x86::rip));
  reference(nullptr);
  jump_to(stubs.leave);
}

void Emitter::Work::begin_unit() {
  const asmjit::Label poll = a.newLabel(), budget = a.newLabel();
  const bool polls = insn->imm2 != 0;
  const i32 count = static_cast<i32>(insn->imm);
  if (polls) {
    a.cmp(frame_at(offsetof(VcpuFrame, poll), 4), 0);
    a.jne(poll);
  }
  a.sub(kBudget, count);
  a.js(budget);
  cold.push_back([this, poll, budget, polls, count, site = insn->site] {
    a.bind(budget);
    a.add(kBudget, count);
    leave_by(site, light::Left::budget);
    if (!polls) return;
    a.bind(poll);
    leave_by(site, light::Left::poll);
  });
}

void Emitter::Work::trap_if() {
  const bool immediate = insn->operands == 2;
  const Place value = place(immediate ? 1 : 2);
  const asmjit::Label trap = a.newLabel();
  const x86::CondCode cc = compare(0, immediate);
  release();
  a.j(cc, trap);
  cold.push_back([this, trap, value, site = insn->site, cause = static_cast<u64>(insn->imm2)] {
    a.bind(trap);
    for (u32 half = 0; half < 2; ++half) {
      a.mov(frame_at(offsetof(VcpuFrame, fault_cause) + 4 * half, 4), static_cast<i32>(cause >> 32 * half));
    }
    if (value.kind == Place::spill) {
      a.push(home(value));
      a.pop(frame_at(offsetof(VcpuFrame, fault_value)));
    } else {
      a.mov(frame_at(offsetof(VcpuFrame, fault_value)), x86::gpq(value.reg_number));
    }
    a.mov(frame_at(offsetof(VcpuFrame, fault), 4), 1);
    leave_by(site, light::Left::later_exception);  // all is done when light::execute sees it
  });
}

// Pinned registers come in host registers, and what the frame has of them is old. Sites take for granted that a slot
// they do not name is in the frame.
void Emitter::Work::enter() {
  for (std::size_t i = 0; i < layout.pinned.size(); ++i) {
    const u32 offset = layout.pinned[i];
    if (!is_named_everywhere(*code, offset)) a.mov(frame_at(offset), light::kPinned[i]);
  }
}

// --- to other units -------------------------------------------------------------------------------------------------

namespace {

std::byte* data_of(const Unit& unit) {
  CHECK(unit.host.data != nullptr, "a unit of a region has code of its own");
  return unit.host.data;
}

constexpr std::size_t link_at(u32 side, std::size_t field) {
  return offsetof(light::HostData, links) + side * sizeof(HostLink) + field;
}

}  // namespace

void Emitter::Work::exit_link() {
  const Unit& unit = *insn->unit;
  if (unit.exit_is_far[insn->side]) return exit_far(insn->side);
  if (insn->imm != 0) a.add(frame_at(offsetof(VcpuFrame, pc_page)), static_cast<i32>(insn->imm));
  a.jmp(x86::qword_ptr(x86::rip));
  reference(data_of(unit) + link_at(insn->side, offsetof(HostLink, jump)));
}

// Before anything else: the pinned registers are as they were, and those of tier 1's scratch are free.
void Emitter::Work::check_code_pages() {
  if (code->code_pages.empty()) return;
  const asmjit::Label other = a.newLabel();
  const i32 addend = static_cast<i32>(layout.tlb_offset[memory_mode] + offsetof(TlbEntry, addend));
  for (const LirCode::CodePage& page : code->code_pages) {
    const asmjit::Label look = a.newLabel(), found = a.newLabel();
    a.mov(x86::rax, frame_at(offsetof(VcpuFrame, pc_page)));
    a.add(x86::rax, static_cast<i32>(page.distance));
    light::compare_exec_tag(a, layout, memory_mode);
    a.jne(look);
    a.bind(found);
    a.mov(x86::rax, reinterpret_cast<u64>(page.host) - static_cast<u64>(page.distance));
    a.sub(x86::rax, frame_at(offsetof(VcpuFrame, pc_page)));
    a.cmp(x86::rax, x86::ptr(kFrame, x86::rcx, 0, addend, 8));
    a.jne(other);
    cold.push_back([this, look, found, other] {
      a.bind(look);
      a.mov(x86::rdx, x86::rax);
      call(stubs.tier1.probe[memory_mode][light::Stubs::for_fetch]);
      a.je(found);
      a.jmp(other);
    });
  }
  cold.push_back([this, other] {
    a.bind(other);
    jump_to(code->root->host.start);
  });
}

// In registers that are free at the entry and, but for rax, at exits.
void Emitter::Work::count_entry() {
  a.mov(x86::rcx, reinterpret_cast<u64>(code->count));
  a.inc(x86::qword_ptr(x86::rcx, offsetof(RegionCount, entries)));
  a.add(x86::qword_ptr(x86::rcx, offsetof(RegionCount, insns)), kBudget);
}

void Emitter::Work::count_exit() {
  a.mov(x86::rcx, reinterpret_cast<u64>(code->count));
  a.sub(x86::qword_ptr(x86::rcx, offsetof(RegionCount, insns)), kBudget);
  a.mov(x86::rcx, reinterpret_cast<u64>(&code->count->exits[insn->aux]));
  a.inc(x86::qword_ptr(x86::rcx, offsetof(RegionCount::Exit, taken)));
}

// As tier 1's: only while the TLB maps the target's page to the one the target was made from.
void Emitter::Work::exit_far(u32 side) {
  const Unit& unit = *insn->unit;
  std::byte* data = data_of(unit);
  const asmjit::Label ask = a.newLabel(), look = a.newLabel(), found = a.newLabel();
  const i64 to_offset = static_cast<i64>(unit.phys & 0xfff) + unit.exit_offset[side];
  a.mov(x86::rax, frame_at(offsetof(VcpuFrame, pc_page)));
  a.add(x86::rax, static_cast<i32>((to_offset & ~i64{0xfff}) + insn->imm));
  a.mov(x86::rdx, x86::qword_ptr(x86::rip));
  reference(data + link_at(side, offsetof(HostLink, unit)));
  a.mov(frame_at(offsetof(VcpuFrame, pc_page)), x86::rax);
  a.test(x86::rdx, x86::rdx);
  a.jz(ask);
  light::compare_exec_tag(a, layout, memory_mode);
  a.jne(look);
  a.bind(found);
  light::load_host_page(a, layout, memory_mode);
  a.cmp(x86::rax, x86::ptr(x86::rdx, offsetof(Unit, host_page), 8));
  a.jne(ask);
  a.jmp(x86::ptr(x86::rdx, static_cast<i32>(offsetof(Unit, host) + offsetof(HostCode, entry)), 8));
  cold.push_back([this, ask, look, found, side, to_offset, data] {
    a.bind(look);
    a.xchg(x86::rax, x86::rdx);
    call(stubs.tier1.probe[memory_mode][light::Stubs::for_fetch]);
    a.mov(x86::rdx, x86::rax);
    a.je(found);
    a.bind(ask);
    // pc_page is the target's already.
    a.mov(x86::rax, frame_at(offsetof(VcpuFrame, pc_page)));
    a.add(x86::rax, static_cast<i32>(to_offset & 0xfff));
    a.mov(frame_at(offsetof(VcpuFrame, pc)), x86::rax);
    a.mov(x86::rdx, x86::qword_ptr(x86::rip));
    reference(data + offsetof(light::HostData, unit));
    a.mov(x86::eax, static_cast<u32>(side == 0 ? light::Left::lookup_link0 : light::Left::lookup_link1));
    jump_to(stubs.tier1.leave);
  });
}

// By the per-vcpu jump cache, as tier 1's.
void Emitter::Work::exit_indirect() {
  if (insn->imm != -1) a.and_(x86::rax, static_cast<i32>(insn->imm));
  light::find_jump_cache_entry(a);
  a.cmp(x86::rax, x86::ptr(x86::rcx, offsetof(JumpCacheEntry, pc), 8));
  jump_if_not_equal(stubs.tier1.jump_miss);
  a.cmp(x86::rdx, x86::ptr(x86::rcx, offsetof(JumpCacheEntry, key), 8));
  jump_if_not_equal(stubs.tier1.jump_check[memory_mode]);
  a.and_(x86::rax, -4096);
  a.mov(frame_at(offsetof(VcpuFrame, pc_page)), x86::rax);
  a.jmp(x86::ptr(x86::rcx, offsetof(JumpCacheEntry, entry), 8));
}

// --- helpers --------------------------------------------------------------------------------------------------------

void Emitter::Work::helper() {
  a.mov(x86::ecx, static_cast<u32>(insn->imm));
  call(stubs.helper);
}

bool Emitter::Work::emit_control() {
  const u32* next = code->blocks[order[position]].next;
  switch (insn->op) {
    case Lir::enter:
      check_code_pages();
      if (code->count != nullptr) count_entry();
      enter();
      return true;
    case Lir::jump:
      jump(next[0]);
      return true;
    case Lir::branch: {
      const x86::CondCode cc = compare(0, insn->operands == 1);
      release();
      branch(cc);
      return true;
    }
    case Lir::begin_unit:
      begin_unit();
      return true;
    case Lir::trap_if:
      trap_if();
      return true;
    case Lir::exit_link:
      if (code->count != nullptr) count_exit();
      exit_link();
      return true;
    case Lir::exit_indirect:
      if (code->count != nullptr) count_exit();
      exit_indirect();
      return true;
    case Lir::helper:
      helper();
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::opt
