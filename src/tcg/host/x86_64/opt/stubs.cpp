// SPDX-License-Identifier: MIT
// What all regions share: accesses that the first level of the TLB does not know, leaving by a site, calls of C++.
//
// Where they are called any register may be in use, so what they take is on the stack. Code of regions runs with the
// stack aligned to 16 bytes. Pointers to C++ lie in the stubs' data.
#include <bit>
#include <cstring>

#include "base/check.h"
#include "tcg/host/fp_format.h"
#include "tcg/host/x86_64/light/registers.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {
namespace {

constexpr u32 kTlbShift = kTlbPageBits - std::countr_zero(sizeof(TlbEntry));
// With 8 more bytes on the stack it is aligned.
constexpr i32 kSavedBytes = sizeof(SavedRegisters) + 8;

struct Writer {
  EncodingErrors errors;
  asmjit::CodeHolder holder;
  x86::Assembler a;
  const light::Layout& layout;
  const void* function = nullptr;  // in the data
  struct Fixup {
    std::size_t at;
    const u8* target;  // null: the data
  };
  std::vector<Fixup> fixups;

  explicit Writer(const light::Layout& from) : layout(from) {
    holder.init(asmjit::Environment::host());
    holder.setErrorHandler(&errors);
    holder.attach(&a);
  }
  void call(const void* of) {
    function = of;
    a.call(x86::qword_ptr(x86::rip));
    fixups.push_back({a.offset() - 4, nullptr});
  }
  void jump_to(const u8* target) {
    a.db(0xe9);
    a.dd(0);
    fixups.push_back({a.offset() - 4, target});
  }
  static x86::Mem saved_gpr(u32 number) { return x86::ptr(x86::rsp, static_cast<i32>(8 * number), 8); }
  static x86::Mem saved_xmm(u32 number) {
    return x86::ptr(x86::rsp, static_cast<i32>(offsetof(SavedRegisters, xmm) + 8 * number), 8);
  }
  void save_all() {
    a.sub(x86::rsp, kSavedBytes);
    for (u32 i = 0; i < 16; ++i) a.mov(saved_gpr(i), x86::gpq(i));
    for (u32 i = 0; i < 16; ++i) a.vmovsd(saved_xmm(i), x86::xmm(i));
  }
  void load_all() {  // flags stay
    for (u32 i = 0; i < 16; ++i) a.vmovsd(x86::xmm(i), saved_xmm(i));
    for (u32 i = 0; i < 16; ++i) {
      if (i != x86::rsp.id()) a.mov(x86::gpq(i), saved_gpr(i));
    }
    a.lea(x86::rsp, x86::ptr(x86::rsp, kSavedBytes));
  }
  // eax = light::Left, `bytes` of the stack are the stubs': out by tier 1's stub, which stores what the frame has.
  void leave(i32 bytes, const u8* tier1_leave) {
    a.lea(x86::rsp, x86::ptr(x86::rsp, bytes));
    for (u32 i = 0; i < layout.pinned.size(); ++i) a.mov(light::kPinned[i], frame_at(layout.pinned[i]));
    a.mov(kBudget, frame_at(offsetof(VcpuFrame, budget)));
    a.xor_(x86::edx, x86::edx);
    jump_to(tier1_leave);
  }
  x86::Mem level(u32 table, x86::Gp index, std::size_t field) const {
    return x86::ptr(kFrame, index, 0, static_cast<i32>(table + field), 8);
  }
  // Stack: the caller, Region*, site, place in the first level, tag looked for. Looks into the second level and copies
  // the entry: "equal". Else has C++ do the access: "not equal"; or leaves.
  void access(u32 mode, std::size_t tag, const u8* tier1_leave) {
    const std::size_t context = offsetof(VcpuFrame, contexts) + mode * sizeof(MemoryContext);
    const u32 first = layout.tlb_offset[mode], second = layout.second_tlb_offset[mode];
    const asmjit::Label not_own = a.newLabel(), no = a.newLabel(), found = a.newLabel(), leaves = a.newLabel();
    a.push(x86::rax);
    a.push(x86::rcx);
    a.push(x86::rdx);
    a.mov(x86::rcx, x86::qword_ptr(x86::rsp, 48));
    a.mov(x86::rdx, x86::qword_ptr(x86::rsp, 56));
    // An access to two pages has the tag of one and the place of the other.
    a.mov(x86::eax, x86::edx);
    a.shr(x86::eax, kTlbShift);
    a.and_(x86::eax, (kTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    a.cmp(x86::eax, x86::ecx);
    a.jne(no);
    a.mov(x86::eax, x86::edx);
    a.shr(x86::eax, kTlbShift);
    a.and_(x86::eax, (kSecondTlbEntries - 1) * static_cast<u32>(sizeof(TlbEntry)));
    a.cmp(x86::rdx, level(second, x86::rax, tag));
    a.jne(not_own);
    for (std::size_t field = 0; field < sizeof(TlbEntry); field += 8) {
      a.mov(x86::rdx, level(second, x86::rax, field));
      a.mov(level(first, x86::rcx, field), x86::rdx);
    }
    a.jmp(found);
    // A global entry gets the context's tag in the first level; what was invalid matches nothing with it, either.
    a.bind(not_own);
    a.sub(x86::rdx, frame_at(context + offsetof(MemoryContext, tag)));
    a.add(x86::rdx, frame_at(context + offsetof(MemoryContext, global_tag)));
    a.cmp(x86::rdx, level(second, x86::rax, tag));
    a.jne(no);
    for (const std::size_t field : {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag),
                                    offsetof(TlbEntry, exec_tag), offsetof(TlbEntry, addend)}) {
      a.mov(x86::rdx, level(second, x86::rax, field));
      if (field != offsetof(TlbEntry, addend)) {
        a.add(x86::rdx, frame_at(context + offsetof(MemoryContext, tag)));
        a.sub(x86::rdx, frame_at(context + offsetof(MemoryContext, global_tag)));
      }
      a.mov(level(first, x86::rcx, field), x86::rdx);
    }
    a.bind(found);
    a.cmp(x86::eax, x86::eax);
    restore();
    a.ret();
    a.bind(no);
    restore();
    save_all();
    a.mov(x86::rdi, kFrame);
    a.mov(x86::rsi, x86::rsp);
    a.mov(x86::rdx, x86::qword_ptr(x86::rsp, kSavedBytes + 8));
    a.mov(x86::ecx, x86::dword_ptr(x86::rsp, kSavedBytes + 16));
    call(reinterpret_cast<const void*>(opt::access));
    a.test(x86::rax, x86::rax);
    a.jnz(leaves);
    a.test(x86::rsp, x86::rsp);  // not equal
    load_all();
    a.ret();
    a.bind(leaves);
    a.dec(x86::eax);
    leave(kSavedBytes + 8 + 32, tier1_leave);
  }
  void restore() {  // flags stay
    a.pop(x86::rdx);
    a.pop(x86::rcx);
    a.pop(x86::rax);
  }
  // Stack: Region*, site, light::Left.
  void leave_by_site(const u8* tier1_leave) {
    save_all();
    a.mov(x86::rdi, kFrame);
    a.mov(x86::rsi, x86::rsp);
    a.mov(x86::rdx, x86::qword_ptr(x86::rsp, kSavedBytes));
    a.mov(x86::ecx, x86::dword_ptr(x86::rsp, kSavedBytes + 8));
    a.mov(x86::r8d, x86::dword_ptr(x86::rsp, kSavedBytes + 16));
    call(reinterpret_cast<const void*>(opt::leave));
    leave(kSavedBytes + 24, tier1_leave);
  }
  // Operands and result in call_args; nothing else changes but flags. The stack may be aligned to 8 bytes only.
  void fp_call() {
    constexpr x86::Gp kLost[] = {x86::rax, x86::rcx, x86::rdx, x86::rsi, x86::rdi,
                                 x86::r8,  x86::r9,  x86::r10, x86::r11};
    a.push(x86::rbx);
    a.mov(x86::rbx, x86::rsp);
    a.and_(x86::rsp, -16);
    a.sub(x86::rsp, static_cast<i32>(sizeof(SavedRegisters)));
    for (const x86::Gp& reg : kLost) a.mov(saved_gpr(reg.id()), reg);
    for (u32 i = 0; i < 16; ++i) a.vmovsd(saved_xmm(i), x86::xmm(i));
    a.mov(x86::rdi, kFrame);
    call(reinterpret_cast<const void*>(opt::fp_call));
    a.mov(frame_at(offsetof(VcpuFrame, call_args)), x86::rax);
    for (u32 i = 0; i < 16; ++i) a.vmovsd(x86::xmm(i), saved_xmm(i));
    for (const x86::Gp& reg : kLost) a.mov(reg, saved_gpr(reg.id()));
    a.mov(x86::rsp, x86::rbx);
    a.pop(x86::rbx);
    a.ret();
  }
  // ecx = number of a helper, operands in call_args; result in rax. As any C++ it keeps what the ABI says.
  void helper() {
    const auto argument = [](u32 i) { return frame_at(offsetof(VcpuFrame, call_args) + 8 * i); };
    a.mov(x86::rdi, kFrame);
    a.mov(x86::rsi, argument(0));
    a.mov(x86::rdx, argument(1));
    a.mov(x86::r8, argument(3));
    a.mov(x86::rax, frame_at(offsetof(VcpuFrame, helpers)));
    a.lea(x86::rax, x86::ptr(x86::rax, x86::rcx, 3));
    a.mov(x86::rcx, argument(2));
    a.sub(x86::rsp, 8);
    a.call(x86::qword_ptr(x86::rax));
    a.add(x86::rsp, 8);
    a.ret();
  }
  const u8* place(CodeMemory& memory) {
    const std::size_t bytes = holder.textSection()->bufferSize();
    const CodeMemory::Piece piece = memory.allocate(bytes);
    CHECK(piece.write != nullptr);
    std::memcpy(piece.write, holder.textSection()->data(), bytes);
    for (const Fixup& fixup : fixups) {
      const u8* to = fixup.target != nullptr ? fixup.target : reinterpret_cast<const u8*>(piece.data);
      const auto displacement = static_cast<i32>(to - (piece.execute + fixup.at + 4));
      std::memcpy(piece.write + fixup.at, &displacement, 4);
    }
    std::memcpy(piece.data, &function, sizeof function);
    return piece.execute;
  }
};

template <class F>
const u8* stub(CodeMemory& memory, const light::Layout& layout, F&& write) {
  Writer w(layout);
  write(w);
  return w.place(memory);
}

}  // namespace

bool Stubs::can_run_on(const host::Features& features) {
  using X86 = asmjit::CpuFeatures::X86;
  for (const X86::Id each :
       {X86::kAVX, X86::kAVX2, X86::kBMI, X86::kBMI2, X86::kFMA, X86::kLZCNT, X86::kPOPCNT, X86::kMOVBE}) {
    if (!features.has(each)) return false;
  }
  return true;
}

Stubs::Stubs(const light::Stubs& from) : memory(from.memory), layout(from.layout), tier1(from) {
  constexpr std::size_t kTags[] = {offsetof(TlbEntry, read_tag), offsetof(TlbEntry, write_tag)};
  for (u32 mode = 0; mode < layout.memory_modes; ++mode) {
    for (u32 kind = 0; kind < 2; ++kind) {
      access[mode][kind] = stub(memory, layout, [&](Writer& w) { w.access(mode, kTags[kind], tier1.leave); });
    }
  }
  leave = stub(memory, layout, [&](Writer& w) { w.leave_by_site(tier1.leave); });
  fp_call = stub(memory, layout, [](Writer& w) { w.fp_call(); });
  helper = stub(memory, layout, [](Writer& w) { w.helper(); });
  static_assert(sizeof(Wide) <= CodeMemory::kDataBytes && sizeof(Narrow) <= CodeMemory::kDataBytes);
  constexpr u64 kSign64 = u64{1} << 63, kSign32 = u64{1} << 31, kOnes = ~u64{0};
  wide = new (memory.allocate(1).data)
      Wide{.sign64 = {kSign64, 0}, .sign32 = {kSign32, 0}, .high_ones = {kOnes << 32, 0}, .low_ones = {kOnes >> 32, 0}};
  narrow = new (memory.allocate(1).data) Narrow{.nan64 = fp::Format<u64>::kNan,
                                                .nan32 = fp::Format<u32>::kNan,
                                                .zero = 0,
                                                .two63_f64 = 0x43e0'0000'0000'0000,
                                                .two63_f32 = 0x5f00'0000,
                                                .two32_f64 = 0x41f0'0000'0000'0000,
                                                .two32_f32 = 0x4f80'0000};
}

}  // namespace pagoda::opt
