// SPDX-License-Identifier: MIT
// Loads and stores: through a page that is kept, the first level of the TLB inline, everything else through a stub.
#include <bit>

#include "base/check.h"
#include "tcg/host/x86_64/light/emitter.h"
#include "tcg/host/x86_64/opt/emitter.h"

namespace pagoda::opt {
namespace {

constexpr u32 kEntryBits = 5;
static_assert(sizeof(TlbEntry) == 1 << kEntryBits);
constexpr u32 kIndexMask = (kTlbEntries - 1) << kEntryBits;
constexpr u32 kIndexShift = kTlbPageBits - kEntryBits;
// What an address is masked with may keep the low three bits.
static_assert((kNoPage & (kTlbPageMask | 7)) != kNoPage);

}  // namespace

// An access as its cold code needs it, too.
struct Emitter::Work::Access {
  ir::MemOp op;
  u32 size = 0, mode = 0, site = 0;
  i32 displacement = 0;
  bool is_store = false, is_float = false, write_tag = false;
  enum : u8 { none, kept, fresh } page = none;
  x86::Gp address;
  x86::Gp value;                   // of a load where it goes
  x86::Xmm vector;                 // the same of a float
  x86::Gp first, second, scratch;  // page and addend, or two temporaries; a third one: only with pages
  asmjit::Label slow, found, done, end;

  i32 mask() const { return static_cast<i32>(op.align ? kTlbPageMask | (size - 1) : kTlbPageMask); }
  bool may_straddle() const { return !op.align && size > 1; }
  i32 tag() const { return static_cast<i32>(write_tag ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag)); }
};

void Emitter::Work::read(const Access& access, const x86::Mem& from) {
  if (access.is_float) {
    access.size == 8 ? a.vmovsd(access.vector, from) : a.vmovss(access.vector, from);
    return;
  }
  if (!access.op.big_endian || access.size == 1) {
    return light::load_sized(a, access.value, from, access.size, access.op.sign);
  }
  const x86::Gp value = part(access.value, access.size);
  a.movbe(value, from);
  if (access.size == 2) access.op.sign ? a.movsx(access.value, value) : a.movzx(access.value.r32(), value);
  if (access.size == 4 && access.op.sign) a.movsxd(access.value, value);
}

void Emitter::Work::write(const Access& access, const x86::Mem& to) {
  if (access.is_float) {
    access.size == 8 ? a.vmovsd(to, access.vector) : a.vmovss(to, access.vector);
    return;
  }
  const x86::Gp value = part(access.value, access.size);
  access.op.big_endian&& access.size > 1 ? a.movbe(to, value) : a.mov(to, value);
}

// address + displacement is in `from` + `displacement`. Leaves the place in the table in `first`, the tag looked for in
// `second`; jumps if the first level does not have it. The place of the page with the first byte and the tag of the one
// with the last agree only if that is one page.
void Emitter::Work::look_in_tlb(const Access& access, x86::Gp from, i32 displacement) {
  if (displacement == 0) {
    a.rorx(access.first.r32(), from.r32(), kIndexShift);
  } else {
    a.lea(access.first.r32(), x86::ptr(from, displacement));
    a.shr(access.first.r32(), kIndexShift);
  }
  const i32 last = displacement + (access.may_straddle() ? static_cast<i32>(access.size - 1) : 0);
  if (last == 0) {
    a.mov(access.second, from);
  } else {
    a.lea(access.second, x86::ptr(from, last));
  }
  a.and_(access.first.r32(), kIndexMask);
  a.and_(access.second, access.mask());
  a.add(access.second,
        frame_at(offsetof(VcpuFrame, contexts) + access.mode * sizeof(MemoryContext) + offsetof(MemoryContext, tag)));
  const i32 table = static_cast<i32>(layout.tlb_offset[access.mode]);
  a.cmp(access.second, x86::ptr(kFrame, access.first, 0, table + access.tag(), 8));
  a.jne(access.slow);
  a.bind(access.found);
  a.mov(access.second, x86::ptr(kFrame, access.first, 0, table + static_cast<i32>(offsetof(TlbEntry, addend)), 8));
}

// `first` becomes the page of the access.
void Emitter::Work::take_page(const Access& access) {
  if (access.displacement == 0) {
    a.mov(access.first, access.address);
  } else {
    a.lea(access.first, x86::ptr(access.address, access.displacement));
  }
  a.and_(access.first, static_cast<i32>(kTlbPageMask));
}

void Emitter::Work::finish_access(const Access& access, x86::Gp addend) {
  const x86::Mem memory = x86::ptr(access.address, addend, 0, access.displacement, access.size);
  access.is_store ? write(access, memory) : read(access, memory);
}

// Comes from look_in_tlb(): the second level, then C++.
void Emitter::Work::slow_access(const Access& access) {
  a.bind(access.slow);
  if (access.write_tag && !access.is_store) {
    // The page may be read but not written. Nothing is kept.
    const asmjit::Label no = a.newLabel();
    const i32 table = static_cast<i32>(layout.tlb_offset[access.mode]);
    a.cmp(access.second, x86::ptr(kFrame, access.first, 0, table + static_cast<i32>(offsetof(TlbEntry, read_tag)), 8));
    a.jne(no);
    a.mov(access.second, x86::ptr(kFrame, access.first, 0, table + static_cast<i32>(offsetof(TlbEntry, addend)), 8));
    a.mov(access.first.r32(), static_cast<u32>(kNoPage));
    a.jmp(access.done);
    a.bind(no);
  }
  a.push(access.second);
  a.push(access.first);
  a.push(static_cast<i32>(access.site));
  a.push(x86::qword_ptr(x86::rip));
  reference(nullptr);
  call(stubs.access[access.mode][access.write_tag ? 1 : 0]);
  a.lea(x86::rsp, x86::ptr(x86::rsp, 32));
  a.je(access.found);
  a.jmp(access.end);
}

void Emitter::Work::access() {
  Access access;
  const Lir op = insn->op;
  access.is_store = op == Lir::store || op == Lir::store_page || op == Lir::store_new_page;
  access.page = op == Lir::load_page || op == Lir::store_page           ? Access::kept
                : op == Lir::load_new_page || op == Lir::store_new_page ? Access::fresh
                                                                        : Access::none;
  for (u32 i = 0; i < insn->operands; ++i) CHECK(is_reg(i), "operands of accesses are in registers");
  const u32 value = access.is_store ? 1 : 0;
  access.op = ir::MemOp::unpack(insn->aux);
  access.size = access.op.size();
  CHECK(access.size <= 8);
  access.mode = access.op.mode == 0 ? memory_mode : access.op.mode - 1u;
  access.site = insn->site;
  access.displacement = static_cast<i32>(insn->imm);
  access.is_float = code->vregs[code->operands[insn->first + value].reg].of == RegClass::xmm;
  access.write_tag = access.is_store || (access.page != Access::none && insn->write);
  access.address = x86::gpq(place(access.is_store ? 0 : 1).reg_number);
  access.value = x86::gpq(place(value).reg_number);
  access.vector = x86::xmm(place(value).reg_number);
  access.first = x86::gpq(place(2).reg_number);
  access.second = x86::gpq(place(3).reg_number);
  if (access.page != Access::none) access.scratch = x86::gpq(place(4).reg_number);
  access.slow = a.newLabel(), access.found = a.newLabel(), access.done = a.newLabel(), access.end = a.newLabel();

  RegionSite& site = region->sites[insn->site];
  site.memory_op = insn->aux;
  site.displacement = access.displacement;
  site.is_store = access.is_store;
  site.is_float = access.is_float;
  site.wants_write = access.write_tag;
  site.address = static_cast<u8>(access.address.id());
  site.value = place(value).reg_number;
  site.has_page = access.page != Access::none;
  site.page = static_cast<u8>(access.first.id());
  site.addend = static_cast<u8>(access.second.id());

  if (access.page != Access::kept) {
    look_in_tlb(access, access.address, access.displacement);
    if (access.page == Access::fresh) take_page(access);
    a.bind(access.done);
    finish_access(access, access.second);
    a.bind(access.end);
    cold.push_back([this, access] { slow_access(access); });
    return;
  }
  // Misaligned accesses inside the page are cold code's.
  const asmjit::Label other = a.newLabel();
  const i32 mask = static_cast<i32>(kTlbPageMask | (access.size - 1));
  if (access.displacement == 0) {
    a.mov(access.scratch, access.address);
  } else {
    a.lea(access.scratch, x86::ptr(access.address, access.displacement));
  }
  a.and_(access.scratch, mask);
  a.cmp(access.scratch, access.first);
  a.jne(other);
  a.bind(access.done);
  finish_access(access, access.second);
  a.bind(access.end);
  cold.push_back([this, access, other] {
    a.bind(other);
    look_in_tlb(access, access.address, access.displacement);
    take_page(access);
    a.jmp(access.done);
    slow_access(access);
  });
}

void Emitter::Work::find_page() {
  for (u32 i = 0; i < 4; ++i) CHECK(is_reg(i), "operands of find_page are in registers");
  const x86::Gp to = gp(0), from = gp(1), place_in_table = gp(2), tag = gp(3);
  const asmjit::Label none = a.newLabel(), done = a.newLabel();
  const auto low = static_cast<i32>(insn->imm), last = static_cast<i32>(insn->imm2);
  const std::size_t context = offsetof(VcpuFrame, contexts) + memory_mode * sizeof(MemoryContext);
  const i32 table = static_cast<i32>(layout.tlb_offset[memory_mode]);
  const auto field = insn->write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
  a.lea(tag, x86::ptr(from, low));
  a.rorx(place_in_table.r32(), tag.r32(), kIndexShift);
  a.mov(to.r32(), tag.r32());
  a.and_(place_in_table.r32(), kIndexMask);
  a.and_(to.r32(), static_cast<i32>(~kTlbPageMask & 0xffffffff));
  a.cmp(to.r32(), static_cast<i32>(~kTlbPageMask & 0xffffffff) - last);
  a.ja(none);
  // Low bits that are not 0 make it differ.
  a.and_(tag, static_cast<i32>(kTlbPageMask | (insn->size - 1u)));
  a.add(tag, frame_at(context + offsetof(MemoryContext, tag)));
  a.cmp(tag, x86::ptr(kFrame, place_in_table, 0, table + static_cast<i32>(field), 8));
  a.jne(none);
  a.mov(to, x86::ptr(kFrame, place_in_table, 0, table + static_cast<i32>(offsetof(TlbEntry, addend)), 8));
  a.bind(done);
  cold.push_back([this, to, none, done] {
    a.bind(none);
    a.xor_(to.r32(), to.r32());
    a.jmp(done);
  });
}

void Emitter::Work::access_at() {
  for (u32 i = 0; i < 3; ++i) CHECK(is_reg(i), "operands of accesses are in registers");
  Access access;
  access.op = ir::MemOp::unpack(insn->aux);
  access.size = access.op.size();
  access.is_float = code->vregs[code->operands[insn->first].reg].of == RegClass::xmm;
  access.value = x86::gpq(place(0).reg_number);
  access.vector = x86::xmm(place(0).reg_number);
  const x86::Mem memory = x86::ptr(gp(1), gp(2), 0, static_cast<i32>(insn->imm), access.size);
  insn->op == Lir::store_at ? write(access, memory) : read(access, memory);
}

bool Emitter::Work::emit_memory() {
  switch (insn->op) {
    case Lir::load:
    case Lir::load_page:
    case Lir::load_new_page:
    case Lir::store:
    case Lir::store_page:
    case Lir::store_new_page:
      access();
      return true;
    case Lir::find_page:
      find_page();
      return true;
    case Lir::load_at:
    case Lir::store_at:
      access_at();
      return true;
    case Lir::fence:
      a.lock().or_(x86::dword_ptr(x86::rsp), 0);
      return true;
    default:
      return false;
  }
}

}  // namespace pagoda::opt
