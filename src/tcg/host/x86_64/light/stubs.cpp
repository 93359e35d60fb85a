// SPDX-License-Identifier: MIT
// The shared stubs: into compiled code and out of it, slow paths, helper calls.
//
// Slow-path stubs are called by cold code with eax/rax, ecx, edx as said at each; edx is always a Site (emitter.h).
// They write all guest registers to the frame, so that C++ sees exact state, and load them again.
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

using x86::ptr;
using x86::qword_ptr;

x86::Mem frame(std::size_t offset, u32 size = 8) { return ptr(kFrame, static_cast<i32>(offset), size); }

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
  // Calls the function at `offset` of the table that the frame points to at `table`.
  void call(std::size_t table, std::size_t offset) {
    a.mov(x86::rdi, kFrame);
    a.mov(x86::rax, frame(table));
    a.sub(x86::rsp, 8);
    a.call(qword_ptr(x86::rax, static_cast<i32>(offset)));
    a.add(x86::rsp, 8);
    load_registers();
    a.ret();
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

constexpr x86::Gp kSaved[] = {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15};

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
    w.a.add(x86::rsp, 8);
    for (u32 i = std::size(kSaved); i-- > 0;) w.a.pop(kSaved[i]);
    w.a.ret();
  });
  constexpr std::size_t slow = offsetof(VcpuFrame, slow);
  // rax = address, ecx = MemOp; value in rax.
  load = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::edx, x86::ecx);
    w.call(slow, offsetof(MemorySlowPaths, load));
  });
  // rax = address, argument 0 = value, ecx = MemOp.
  store = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::rdx, w.argument(0));
    w.call(slow, offsetof(MemorySlowPaths, store));
  });
  // The same, argument 1 = Rmw; old value in rax.
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
  // rax = unit, ecx = index of the op.
  step = stub(memory, layout, [](Writer& w) {
    w.begin_slow();
    w.a.mov(x86::rsi, x86::rax);
    w.a.mov(x86::edx, x86::ecx);
    w.call(calls, offsetof(CompiledCalls, step));
  });
  for (u32 mode = 0; mode < layout.memory_modes; ++mode) {
    constexpr std::size_t kTags[] = {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag),
                                     offsetof(TlbEntry, exec_tag)};
    for (u32 kind = for_read; kind <= for_fetch; ++kind) {
      const std::size_t tag = kTags[kind];
      // rdx = tag looked for, rcx = offset in the first-level table; equal if it is there now. Only rdx and vector
      // registers change.
      probe[mode][kind] = stub(memory, layout, [&](Writer& w) {
        constexpr u32 shift = kTlbPageBits - std::countr_zero(sizeof(TlbEntry));
        const auto first = static_cast<i32>(layout.tlb_offset[mode]);
        const auto second = static_cast<i32>(layout.second_tlb_offset[mode]);
        w.a.push(x86::rsi);
        w.a.mov(x86::esi, x86::edx);
        w.a.shr(x86::esi, shift);
        w.a.and_(x86::esi, (kSecondTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
        w.a.cmp(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(tag), 8));
        const asmjit::Label not_own = w.a.newLabel(), missing = w.a.newLabel();
        w.a.jne(not_own);
        for (const i32 half : {0, 16}) {
          w.a.movups(x86::xmm0, ptr(kFrame, x86::rsi, 0, second + half));
          w.a.movups(ptr(kFrame, x86::rcx, 0, first + half), x86::xmm0);
        }
        w.a.pop(x86::rsi);
        w.a.ret();
        // A global entry gets the context's tag in the first level; what was invalid matches nothing with it, either.
        const std::size_t context = offsetof(VcpuFrame, contexts) + mode * sizeof(MemoryContext);
        w.a.bind(not_own);
        w.a.sub(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
        w.a.add(x86::rdx, frame(context + offsetof(MemoryContext, global_tag)));
        w.a.cmp(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(tag), 8));
        w.a.jne(missing);
        for (const std::size_t field : {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag),
                                        offsetof(TlbEntry, exec_tag), offsetof(TlbEntry, addend)}) {
          w.a.mov(x86::rdx, ptr(kFrame, x86::rsi, 0, second + static_cast<i32>(field), 8));
          if (field != offsetof(TlbEntry, addend)) {
            w.a.add(x86::rdx, frame(context + offsetof(MemoryContext, tag)));
            w.a.sub(x86::rdx, frame(context + offsetof(MemoryContext, global_tag)));
          }
          w.a.mov(ptr(kFrame, x86::rcx, 0, first + static_cast<i32>(field), 8), x86::rdx);
        }
        w.a.cmp(x86::edx, x86::edx);  // equal
        w.a.bind(missing);
        w.a.pop(x86::rsi);
        w.a.ret();
      });
    }
  }
}

}  // namespace pagoda::light
