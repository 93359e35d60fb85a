// SPDX-License-Identifier: MIT
// The shared stubs: into compiled code and out of it, slow paths, helper calls.
//
// Slow-path stubs are called by cold code with eax/rax, ecx, edx as said at each; edx is always a Site (emitter.h).
// They write all guest registers to the frame, so that C++ sees exact state, and load them again.
#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

using x86::ptr;
using x86::qword_ptr;

x86::Mem frame(std::size_t offset, u32 size = 8) { return ptr(kFrame, static_cast<i32>(offset), size); }

constexpr u32 kTlbShift = kTlbPageBits - std::countr_zero(sizeof(TlbEntry));
constexpr std::size_t kTags[] = {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag),
                                 offsetof(TlbEntry, exec_tag)};  // by Stubs::Probe
constexpr u32 kAlignedOnly = ir::MemOp{.align = true}.pack() & ~ir::MemOp{}.pack();
constexpr x86::Gp kSaved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

struct Writer {
  asmjit::CodeHolder holder;
  x86::Assembler a;
  const Layout& layout;

  explicit Writer(const Layout& from) : layout(from) {
    holder.init(asmjit::Environment::host());
    holder.attach(&a);
  }
  void save_registers() {
    for (u32 i = 0; i < layout.pinned.size(); ++i) a.mov(frame(layout.pinned[i]), kPinned[i]);
  }
  void load_registers() {
    for (u32 i = 0; i < layout.pinned.size(); ++i) a.mov(kPinned[i], frame(layout.pinned[i]));
  }
  // frame.pc, budget and insn_index as the site in edx says; rsi is free.
  void tell_where() {
    a.mov(x86::esi, x86::edx);
    a.and_(x86::esi, 0xfff);
    a.add(x86::rsi, frame(offsetof(VcpuFrame, pc_page)));
    a.mov(frame(offsetof(VcpuFrame, pc)), x86::rsi);
    a.mov(x86::esi, x86::edx);
    a.shr(x86::esi, 12);
    a.and_(x86::esi, 0xff);
    a.add(x86::rsi, kBudget);
    a.mov(frame(offsetof(VcpuFrame, budget)), x86::rsi);
    a.shr(x86::edx, 20);
    a.mov(frame(offsetof(VcpuFrame, insn_index), 4), x86::edx);
  }
  // Calls the function at `offset` of the table that the frame points to at `table`. Returns with "equal" if nothing
  // happened: no fault, no request to leave.
  void call(std::size_t table, std::size_t offset) {
    a.mov(x86::rdi, kFrame);
    a.mov(x86::rax, frame(table));
    a.sub(x86::rsp, 8);
    a.call(qword_ptr(x86::rax, static_cast<i32>(offset)));
    a.add(x86::rsp, 8);
    load_registers();
    a.mov(x86::ecx, frame(offsetof(VcpuFrame, fault), 4));
    a.or_(x86::ecx, frame(offsetof(VcpuFrame, leave), 4));
    a.ret();
  }
  void leave() {
    a.add(x86::rsp, 8);
    for (u32 i = std::size(kSaved); i-- > 0;) a.pop(kSaved[i]);
    a.ret();
  }
  i32 first_level(u32 mode, std::size_t field) const { return static_cast<i32>(layout.tlb_offset[mode] + field); }
  // The second level: rdx = tag looked for, rcx = offset in the first-level table. Copies the entry into the first
  // level and goes on, or jumps with "not equal". Only rdx and vector registers change.
  void probe(u32 mode, std::size_t tag, const asmjit::Label& missing) {
    const auto second = static_cast<i32>(layout.second_tlb_offset[mode]);
    const std::size_t context = offsetof(VcpuFrame, contexts) + mode * sizeof(MemoryContext);
    const asmjit::Label not_own = a.newLabel(), no = a.newLabel(), done = a.newLabel();
    a.push(x86::rsi);
    // A run of accesses that lies in two pages has the tag of one and the place of the other.
    a.mov(x86::esi, x86::edx);
    a.shr(x86::esi, kTlbShift);
    a.and_(x86::esi, (kTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    a.cmp(x86::esi, x86::ecx);
    a.jne(no);
    a.mov(x86::esi, x86::edx);
    a.shr(x86::esi, kTlbShift);
    a.and_(x86::esi, (kSecondTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    a.cmp(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(tag), 8));
    a.jne(not_own);
    for (const i32 half : {0, 16}) {
      a.movups(x86::xmm0, ptr(kFrame, x86::rsi, 0, second + half));
      a.movups(ptr(kFrame, x86::rcx, 0, first_level(mode, 0) + half), x86::xmm0);
    }
    a.jmp(done);
    // A global entry gets the context's tag in the first level; what was invalid matches nothing with it, either.
    a.bind(not_own);
    a.sub(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
    a.add(x86::rdx, frame(context + offsetof(MemoryContext, global_tag)));
    a.cmp(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(tag), 8));
    a.jne(no);
    for (const std::size_t field : {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag),
                                    offsetof(TlbEntry, exec_tag), offsetof(TlbEntry, addend)}) {
      a.mov(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(field), 8));
      if (field != offsetof(TlbEntry, addend)) {
        a.add(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
        a.sub(x86::rdx, frame(context + offsetof(MemoryContext, global_tag)));
      }
      a.mov(ptr(kFrame, x86::rcx, 0, first_level(mode, field), 8), x86::rdx);
    }
    a.jmp(done);
    a.bind(no);
    a.pop(x86::rsi);
    a.jmp(missing);
    a.bind(done);
    a.pop(x86::rsi);
  }
  void jump_miss() {
    a.mov(frame(offsetof(VcpuFrame, pc)), x86::rax);
    a.mov(x86::eax, static_cast<u32>(Left::lookup));
    a.xor_(x86::edx, x86::edx);  // no unit has a part in it
    save_registers();
    a.mov(frame(offsetof(VcpuFrame, budget)), kBudget);
    leave();
  }
  // rax = pc, rcx = its entry in the jump cache, rdx = the frame's key, which is not the entry's. Enters the unit if it
  // lives, has code, and is what the TLB maps there; then the entry gets the key as it was before all that was looked
  // at.
  void jump_check(u32 mode) {
    const std::size_t context = offsetof(VcpuFrame, contexts) + mode * sizeof(MemoryContext);
    const asmjit::Label miss = a.newLabel(), found = a.newLabel();
    const x86::Mem entry = argument(0), key = argument(1);
    a.mov(entry, x86::rcx);
    a.mov(key, x86::rdx);
    a.mov(frame(offsetof(VcpuFrame, pc)), x86::rax);
    a.mov(x86::rcx, ptr(x86::rcx, offsetof(JumpCacheEntry, unit), 8));
    a.cmp(x86::edx, ptr(x86::rcx, offsetof(Unit, mode), 4));
    a.jne(miss);
    a.and_(x86::rax, -4096);
    a.mov(frame(offsetof(VcpuFrame, pc_page)), x86::rax);
    a.mov(x86::ecx, x86::eax);
    a.shr(x86::ecx, kTlbShift);
    a.and_(x86::ecx, (kTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    a.mov(x86::rdx, x86::rax);
    a.add(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
    a.cmp(x86::rdx, ptr(kFrame, x86::rcx, 0, first_level(mode, offsetof(TlbEntry, exec_tag)), 8));
    a.je(found);
    probe(mode, offsetof(TlbEntry, exec_tag), miss);
    a.bind(found);
    a.add(x86::rax, ptr(kFrame, x86::rcx, 0, first_level(mode, offsetof(TlbEntry, addend)), 8));
    a.mov(x86::rcx, entry);
    a.mov(x86::rdx, ptr(x86::rcx, offsetof(JumpCacheEntry, unit), 8));
    a.cmp(x86::rax, ptr(x86::rdx, offsetof(Unit, host_page), 8));
    a.jne(miss);
    a.mov(x86::rax, ptr(x86::rdx, static_cast<i32>(offsetof(Unit, host) + offsetof(HostCode, entry)), 8));
    a.test(x86::rax, x86::rax);
    a.jz(miss);
    a.mov(ptr(x86::rcx, offsetof(JumpCacheEntry, entry), 8), x86::rax);
    a.mov(x86::rdx, key);
    a.mov(ptr(x86::rcx, offsetof(JumpCacheEntry, key), 8), x86::rdx);
    a.jmp(x86::rax);
    a.bind(miss);
    a.mov(x86::rax, frame(offsetof(VcpuFrame, pc)));
    jump_miss();
  }
  // rax = address, ecx = MemOp. rcx = the addend of its page by one of the two levels, or jumps with ecx and edx as
  // they were.
  void find_page(u32 mode, std::size_t tag, u32 size, const asmjit::Label& missing) {
    const std::size_t context = offsetof(VcpuFrame, contexts) + mode * sizeof(MemoryContext);
    const asmjit::Label found = a.newLabel(), no = a.newLabel(), done = a.newLabel();
    a.push(x86::rcx);
    a.push(x86::rdx);
    a.mov(x86::ecx, x86::eax);
    a.shr(x86::ecx, kTlbShift);
    a.and_(x86::ecx, (kTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    const asmjit::Label is_aligned = a.newLabel(), have_page = a.newLabel();
    a.mov(x86::rdx, x86::rax);
    if (size > 1) {
      // What is not aligned but may be: the place of its first byte and the page of its last one.
      a.test(x86::al, size - 1);
      a.jz(is_aligned);
      a.test(x86::dword_ptr(x86::rsp, 8), kAlignedOnly);
      a.jnz(is_aligned);
      a.add(x86::rdx, size - 1);
      a.and_(x86::rdx, static_cast<i32>(kTlbPageMask));
      a.jmp(have_page);
      a.bind(is_aligned);
    }
    a.and_(x86::rdx, static_cast<i32>(kTlbPageMask | (size - 1)));
    a.bind(have_page);
    a.add(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
    a.cmp(x86::rdx, ptr(kFrame, x86::rcx, 0, first_level(mode, tag), 8));
    a.je(found);
    probe(mode, tag, no);
    a.bind(found);
    a.mov(x86::rcx, ptr(kFrame, x86::rcx, 0, first_level(mode, offsetof(TlbEntry, addend)), 8));
    a.add(x86::rsp, 16);
    a.jmp(done);
    a.bind(no);
    a.pop(x86::rdx);
    a.pop(x86::rcx);
    a.jmp(missing);
    a.bind(done);
  }
  void begin_slow() {
    save_registers();
    tell_where();
  }
  x86::Mem argument(u32 i) { return frame(offsetof(VcpuFrame, call_args) + 8 * i); }
  const u8* place(CodeMemory& memory) {
    const std::size_t bytes = holder.textSection()->bufferSize();
    const CodeMemory::Piece piece = memory.allocate(bytes);
    CHECK(piece.write != nullptr);
    std::memcpy(piece.write, holder.textSection()->data(), bytes);
    return piece.execute;
  }
};

template <class F>
const u8* stub(CodeMemory& memory, const Layout& layout, F&& write) {
  Writer w(layout);
  write(w);
  return w.place(memory);
}

}  // namespace

Stubs::Stubs(CodeMemory& to, const Layout& of) : memory(to), layout(of) {
  layout.pinned = layout.pinned.first(std::min<std::size_t>(layout.pinned.size(), kPinnedCount));
  // (frame, code): an even number of words on the stack keeps it aligned in code.
  enter = stub(memory, layout, [](Writer& w) {
    for (const x86::Gp& reg : kSaved) w.a.push(reg);
    w.a.sub(x86::rsp, 8);
    w.a.mov(kFrame, x86::rdi);
    w.a.mov(x86::rax, x86::rsi);
    w.load_registers();
    w.a.mov(kBudget, frame(offsetof(VcpuFrame, budget)));
    w.a.jmp(x86::rax);
  });
  // eax = Left, rdx = unit; both are the result.
  leave = stub(memory, layout, [](Writer& w) {
    w.save_registers();
    w.a.mov(frame(offsetof(VcpuFrame, budget)), kBudget);
    w.leave();
  });
  // The same with frame.pc = pc_page + ecx, which is signed.
  leave_at = stub(memory, layout, [](Writer& w) {
    w.save_registers();
    w.a.mov(frame(offsetof(VcpuFrame, budget)), kBudget);
    w.a.movsxd(x86::rcx, x86::ecx);
    w.a.add(x86::rcx, frame(offsetof(VcpuFrame, pc_page)));
    w.a.mov(frame(offsetof(VcpuFrame, pc)), x86::rcx);
    w.leave();
  });
  // rax = where an indirect jump leads; leaves.
  jump_miss = stub(memory, layout, [](Writer& w) { w.jump_miss(); });
  // rax = result of a slow path or helper, rcx = unit, edx = its op; leaves.
  finish = stub(memory, layout, [](Writer& w) {
    w.save_registers();
    w.a.mov(frame(offsetof(VcpuFrame, budget)), kBudget);
    w.a.mov(x86::rdi, kFrame);
    w.a.mov(x86::rsi, x86::rcx);
    w.a.mov(x86::rbx, x86::rcx);
    w.a.mov(x86::rcx, x86::rax);
    w.a.mov(x86::rax, frame(offsetof(VcpuFrame, calls)));
    w.a.call(qword_ptr(x86::rax, static_cast<i32>(offsetof(CompiledCalls, finish))));
    w.a.mov(x86::rdx, x86::rbx);
    w.leave();
  });
  constexpr std::size_t slow = offsetof(VcpuFrame, slow);
  // rax = address, argument 0 = value, argument 1 = Rmw, ecx = MemOp; old value in rax.
  rmw = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::rdx, w.argument(0));
    w.a.mov(x86::r8, w.argument(1));
    w.call(slow, offsetof(MemorySlowPaths, rmw));
  });
  // rax = address, arguments 0 and 1 = expected and desired, ecx = MemOp; old value in rax.
  cas = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::r8d, x86::ecx);
    w.a.mov(x86::rdx, w.argument(0));
    w.a.mov(x86::rcx, w.argument(1));
    w.call(slow, offsetof(MemorySlowPaths, cas));
  });
  // rax = address, argument 0 = where the bytes go to or come from, ecx = MemOp.
  const auto wide = [&](std::size_t function) {
    return stub(memory, layout, [&](Writer& w) {
      w.begin_slow();
      w.a.mov(x86::rsi, x86::rax);
      w.a.mov(x86::rdx, w.argument(0));
      w.call(slow, function);
    });
  };
  load_wide = wide(offsetof(MemorySlowPaths, load_wide));
  store_wide = wide(offsetof(MemorySlowPaths, store_wide));
  constexpr std::size_t calls = offsetof(VcpuFrame, calls);
  // ecx = number of the helper, bit 31 if it wants the host's floating-point mode; result in rax.
  call = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::esi, x86::ecx);
    w.a.and_(x86::esi, 0x7fffffff);
    w.a.mov(x86::edx, x86::ecx);
    w.a.shr(x86::edx, 31);
    w.call(calls, offsetof(CompiledCalls, helper));
  });
  // ecx = number of a helper that never faults and sees no guest state; result in rax. C++ keeps the other registers.
  call_plain = stub(memory, layout, [](Writer& w) {
    constexpr x86::Gp kLost[] = {x86::rsi, x86::rdi, x86::r8, x86::r9, x86::r10, x86::r11};
    const auto for_lost = [&](auto&& each) {
      for (u32 i = 0; i < w.layout.pinned.size(); ++i) {
        if (std::ranges::find(kLost, kPinned[i]) != std::end(kLost)) each(frame(w.layout.pinned[i]), kPinned[i]);
      }
    };
    for_lost([&](const x86::Mem& slot, x86::Gp reg) { w.a.mov(slot, reg); });
    w.a.mov(x86::rdi, kFrame);
    w.a.mov(x86::rsi, w.argument(0));
    w.a.mov(x86::rdx, w.argument(1));
    w.a.mov(x86::r8, w.argument(3));
    w.a.mov(x86::rax, frame(offsetof(VcpuFrame, helpers)));
    w.a.lea(x86::rax, ptr(x86::rax, x86::rcx, 3));
    w.a.mov(x86::rcx, w.argument(2));
    w.a.sub(x86::rsp, 8);
    w.a.call(qword_ptr(x86::rax));
    w.a.add(x86::rsp, 8);
    for_lost([&](const x86::Mem& slot, x86::Gp reg) { w.a.mov(reg, slot); });
    w.a.ret();
  });
  // rax = unit, ecx = index of the op.
  step = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::edx, x86::ecx);
    w.call(calls, offsetof(CompiledCalls, step));
  });
  for (u32 mode = 0; mode < layout.memory_modes; ++mode) {
    for (u32 kind = for_read; kind <= for_fetch; ++kind) {
      // rdx = tag looked for, rcx = offset in the first-level table; equal if it is there now. Only rdx and vector
      // registers change.
      probe[mode][kind] = stub(memory, layout, [&](Writer& w) {
        const asmjit::Label missing = w.a.newLabel();
        w.probe(mode, kTags[kind], missing);
        w.a.cmp(x86::edx, x86::edx);  // equal
        w.a.bind(missing);
        w.a.ret();
      });
    }
    jump_check[mode] = stub(memory, layout, [&](Writer& w) { w.jump_check(mode); });
    for (u32 i = 0; i < std::size(load[mode]); ++i) {
      const u32 size = 1u << i / 2;
      // rax = address, ecx = MemOp, edx = Site; value in rax, "equal" if nothing happened.
      load[mode][i] = stub(memory, layout, [&](Writer& w) {
        const asmjit::Label missing = w.a.newLabel();
        w.find_page(mode, kTags[for_read], size, missing);
        load_sized(w.a, x86::rax, ptr(x86::rax, x86::rcx, 0, 0, size), size, i % 2 != 0);
        w.a.cmp(x86::eax, x86::eax);
        w.a.ret();
        w.a.bind(missing);
        w.begin_slow();
        w.a.mov(x86::rsi, x86::rax);
        w.a.mov(x86::edx, x86::ecx);
        w.call(slow, offsetof(MemorySlowPaths, load));
      });
    }
    for (u32 i = 0; i < std::size(store[mode]); ++i) {
      const u32 size = 1u << i;
      // The same, argument 0 = value.
      store[mode][i] = stub(memory, layout, [&](Writer& w) {
        const asmjit::Label missing = w.a.newLabel();
        w.find_page(mode, kTags[for_write], size, missing);
        w.a.mov(x86::rdx, w.argument(0));
        w.a.mov(ptr(x86::rax, x86::rcx, 0, 0, size), low_part(x86::rdx, size));
        w.a.cmp(x86::eax, x86::eax);
        w.a.ret();
        w.a.bind(missing);
        w.begin_slow();
        w.a.mov(x86::rsi, x86::rax);
        w.a.mov(x86::rdx, w.argument(0));
        w.call(slow, offsetof(MemorySlowPaths, store));
      });
    }
  }
}

}  // namespace pagoda::light
