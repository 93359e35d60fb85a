// SPDX-License-Identifier: MIT
// Loads and stores: the first level of the TLB inline, once for all accesses of a run; everything else through the
// slow-path stubs.
#include "tcg/host/x86_64/light/emitter.h"

namespace pagoda::light {
namespace {

constexpr u32 kEntryBits = 5;
static_assert(sizeof(TlbEntry) == 1 << kEntryBits);
constexpr u32 kIndexMask = (kTlbEntries - 1) << kEntryBits;
constexpr u32 kIndexShift = kTlbPageBits - kEntryBits;

bool is_store(Handler handler) { return handler >= Handler::store_8 && handler <= Handler::store_64; }
std::size_t tag_of(bool write) { return write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag); }
std::size_t addend_of(const PageRun& run) { return offsetof(VcpuFrame, page_addends) + 8 * run.slot; }

}  // namespace

void load_sized(x86::Assembler& a, x86::Gp to, const x86::Mem& from, u32 size, bool sign) {
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
}

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
  if (has_bmi) {
    a.rorx(x86::rcx, address, kIndexShift);
  } else {
    a.mov(x86::ecx, address.r32());
    a.shr(x86::ecx, kIndexShift);
  }
  a.mov(x86::rdx, address);
  finish_check(size, tag, slow, found);
}

// One check of two addresses: the place of the page with the run's first byte and the tag of the one with its last
// agree only if that is one page.
void Compiler::Work::check_run(const PageRun& run, x86::Gp base, const SlowAccess& access) {
  if (run.low == 0 && has_bmi) {
    a.rorx(x86::rcx, base, kIndexShift);
  } else {
    run.low == 0 ? a.mov(x86::ecx, base.r32()) : a.lea(x86::ecx, x86::ptr(base, run.low));
    a.shr(x86::ecx, kIndexShift);
  }
  run.check == 0 ? a.mov(x86::rdx, base) : a.lea(x86::rdx, x86::ptr(base, run.check));
  finish_check(run.size, tag_of(run.write), access.slow, access.found);
}

void Compiler::Work::finish_check(u32 size, std::size_t tag, const asmjit::Label& slow, const asmjit::Label& found) {
  a.and_(x86::ecx, kIndexMask);
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

x86::Mem Compiler::Work::host_memory(u32 size, bool write) {
  const u32 index = op_index();
  const PageRun* run = runs.of(index);
  if (run != nullptr && run->first != index && runs.of(index - 1) == run) {  // rcx is the addend, and right
    return x86::ptr(read64(op->a, x86::rax), x86::rcx, 0, static_cast<i32>(op->imm), size);
  }
  u32 last = index;
  while (run != nullptr && last + 1 < unit->op_count && runs.of(last + 1) == run) ++last;
  SlowAccess access{
      .op = op, .run = run, .last = last, .slow = a.newLabel(), .found = {}, .end = a.newLabel(), .address = {}};
  x86::Mem memory;
  if (run == nullptr) {
    access.address = address_of(op->a, op->imm);
    check_tlb(access.address, size, tag_of(write), access.slow, a.newLabel());
    memory = x86::ptr(access.address, x86::rcx, 0, 0, size);
  } else {
    access.address = read64(op->a, x86::rax);
    if (run->first == index) {
      access.found = a.newLabel();
      check_run(*run, access.address, access);
      if (run->kept) a.mov(at(addend_of(*run), 8), x86::rcx);
    } else {
      a.mov(x86::rcx, at(addend_of(*run), 8));
      a.test(x86::rcx, x86::rcx);
      a.jz(access.slow);
    }
    memory = x86::ptr(access.address, x86::rcx, 0, static_cast<i32>(op->imm), size);
  }
  slow_accesses.push_back(access);
  return memory;
}

void Compiler::Work::load(u32 size, bool sign) {
  const x86::Mem from = host_memory(size, false);
  if (has_floats && size >= 4 && !sign && pinned(op->d) == nullptr) {  // perhaps a floating-point register
    const x86::Xmm to = new_float();
    size == 8 ? a.movsd(to, from) : a.movss(to, from);
    write_float(op->d, to, true);
    return end_access();
  }
  const x86::Gp to = target(op->d, x86::rax);
  load_sized(a, to, from, size, sign);
  if (pinned(op->d) == nullptr) a.mov(at(op->d, 8), to);
  end_access();
}

void Compiler::Work::store(u32 size) {
  const x86::Mem to = host_memory(size, true);
  const u32 copy = size >= 4 ? find_copy(op->b, size == 8) : FloatCopies::kCount;
  if (copy != FloatCopies::kCount) {
    size == 8 ? a.movsd(to, copy_register(copy)) : a.movss(to, copy_register(copy));
  } else if (is_zero(op->b)) {
    a.mov(to, 0);
  } else {
    a.mov(to, low_part(read64(op->b, x86::rdx), size));
  }
  end_access();
}

void Compiler::Work::end_access() {
  SlowAccess& access = slow_accesses.back();
  if (access.last != op_index()) return;
  access.copies = copies;
  a.bind(access.end);
}

// By the stub, which looks into the TLB on its own; what runs found out before is void afterwards.
void Compiler::Work::emit_slow_access(SlowAccess access) {
  const u32 first = static_cast<u32>(access.op - unit->code);
  const PageRun* run = access.run;
  a.bind(access.slow);
  if (run != nullptr && run->first == first) {
    probe(tag_of(run->write), access.found);
    if (run->kept) a.mov(at(addend_of(*run), 8), 0);
  }
  for (u32 index = first; index <= access.last; ++index) {
    op = unit->code + index;
    insn = op->c;
    const bool write = is_store(handlers[index]);
    if (run == nullptr) {
      if (access.address.id() != x86::rax.id()) a.mov(x86::rax, access.address);
    } else {
      const x86::Gp base = read64(op->a, x86::rax);
      if (base.id() != x86::rax.id() || op->imm != 0) a.lea(x86::rax, x86::ptr(base, static_cast<i32>(op->imm)));
    }
    if (write) {
      if (is_zero(op->b)) {
        a.mov(at(offsetof(VcpuFrame, call_args), 8), 0);
      } else {
        a.mov(at(offsetof(VcpuFrame, call_args), 8), read64(op->b, x86::rcx));
      }
    }
    a.mov(x86::ecx, write ? op->d : op->b);
    a.mov(x86::edx, site());
    const u32 number = static_cast<u32>(handlers[index]);
    if (write) {
      call_stub(stubs.store[memory_mode][number - static_cast<u32>(Handler::store_8)]);
    } else {
      call_stub(stubs.load[memory_mode][number - static_cast<u32>(Handler::load_u8)]);
    }
    const asmjit::Label special = a.newLabel();
    a.jne(special);
    if (!write) done(op->d, x86::rax);
    cold.push_back([this, special, index] {
      a.bind(special);
      finish_insn(unit->code[index]);
    });
  }
  for (const PageRun& other : runs.all()) {
    if (other.kept && &other != run && other.first < first && access.last < other.last) {
      a.mov(at(addend_of(other), 8), 0);
    }
  }
  load_copies(access.copies);
  a.jmp(access.end);
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
    default:
      return false;
  }
}

}  // namespace pagoda::light
