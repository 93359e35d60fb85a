// SPDX-License-Identifier: MIT
// Status, delegation, interrupt-enable and environment registers (Privileged ISA 3.1, 10.1).
#include "cpu/riscv64/csr_hooks.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/riscv64/modes.h"
#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64::hooks {
namespace {

u64 with_dirty_summary(u64 value) { return (value & status::kFs) == status::kFs ? value | status::kSd : value; }

void put_mstatus(const CsrContext& context, u64 value) {
  Hart& hart = context.hart;
  // MPP = 2 is no privilege mode; the field keeps its value.
  if ((value & status::kMpp) == u64{2} << status::kMppShift) {
    value = (value & ~status::kMpp) | (hart.mstatus & status::kMpp);
  }
  if (!hart.extensions.has(Extension::f)) value &= ~status::kFs;
  const u64 old = hart.mstatus;
  hart.mstatus = value;
  // Most writes turn interrupts off and on again.
  constexpr u64 kModes = status::kFs | status::kMprv | status::kMpp | status::kSum | status::kMxr;
  if (((old ^ value) & kModes) != 0) update_mode(context.vcpu, hart);
  if ((value & ~old & (status::kMie | status::kSie)) != 0) poll_interrupts(hart);
}

// Fields of menvcfg and senvcfg that belong to cache-block extensions; CBIE = 2 is reserved and keeps its value.
u64 legal_cache_fields(const Hart& hart, u64 old, u64 value) {
  if ((value & envcfg::kCbie) == u64{2} << envcfg::kCbieShift) value = (value & ~envcfg::kCbie) | (old & envcfg::kCbie);
  if (!hart.extensions.has(Extension::zicbom)) value &= ~(envcfg::kCbie | envcfg::kCbcfe);
  if (!hart.extensions.has(Extension::zicboz)) value &= ~envcfg::kCbze;
  return value;
}

// Without C instructions are aligned to 4 bytes, and so are the return addresses.
u64 legal_epc(const Hart& hart, u64 value) { return value & ~(hart.extensions.has(Extension::zca) ? u64{1} : u64{3}); }

// LCOFIP exists with Sscofpmf only.
u64 legal_interrupts(const Hart& hart, u64 value) {
  return hart.extensions.has(Extension::sscofpmf) ? value : value & ~irq::kLcofip;
}

}  // namespace

u64 read_mstatus(const CsrContext& context, u32) {
  return with_dirty_summary(context.hart.mstatus) | status::kUxl | status::kSxl;
}
u64 read_sstatus(const CsrContext& context, u32) {
  return with_dirty_summary(context.hart.mstatus & status::kSupervisorWritable) | status::kUxl;
}
void write_mstatus(const CsrContext& context, u32, u64 value) { put_mstatus(context, value); }
void write_sstatus(const CsrContext& context, u32, u64 value) {
  const u64 writable = status::kSupervisorWritable;
  put_mstatus(context, (context.hart.mstatus & ~writable) | (value & writable));
}

// sie and sip show what is delegated; the rest reads as zero and keeps its value.
u64 read_sie(const CsrContext& context, u32) { return context.hart.mie & context.hart.mideleg; }
void write_sie(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  hart.mie = (hart.mie & ~hart.mideleg) | (value & hart.mideleg);
  poll_interrupts(hart);
}
void write_mie(const CsrContext& context, u32, u64 value) {
  context.hart.mie = legal_interrupts(context.hart, value);
  poll_interrupts(context.hart);
}
u64 read_mip(const CsrContext& context, u32) { return pending_exact(context.vcpu, context.hart); }
u64 read_sip(const CsrContext& context, u32) {
  return pending_exact(context.vcpu, context.hart) & context.hart.mideleg;
}
void write_mip(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  // With Sstc in use STIP is the comparator's alone.
  if ((hart.menvcfg & envcfg::kStce) != 0) value = (value & ~irq::kStip) | (hart.software_pending & irq::kStip);
  hart.software_pending = legal_interrupts(hart, value);
  poll_interrupts(hart);
}
void write_sip(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  const u64 writable =
      hart.mideleg & (irq::kSsip | irq::kLcofip);  // STIP and SEIP are set by machine mode or the platform
  hart.software_pending = (hart.software_pending & ~writable) | (value & writable);
  poll_interrupts(hart);
}
void write_mideleg(const CsrContext& context, u32, u64 value) {
  context.hart.mideleg = legal_interrupts(context.hart, value);
  poll_interrupts(context.hart);
}

u64 read_mhartid(const CsrContext& context, u32) { return context.hart.hart_id; }
u64 read_misa(const CsrContext& context, u32) {
  const auto letter = [](char c) { return u64{1} << (c - 'A'); };
  const Extensions& extensions = context.hart.extensions;
  u64 value = u64{2} << 62 | letter('I') | letter('S') | letter('U');
  if (extensions.has(Extension::m)) value |= letter('M');
  if (extensions.has(Extension::a)) value |= letter('A');
  if (extensions.has(Extension::f)) value |= letter('F');
  if (extensions.has(Extension::d)) value |= letter('D');
  if (extensions.has(Extension::c)) value |= letter('C');
  if (extensions.has(Extension::b)) value |= letter('B');
  return value;
}
u64 read_tinfo(const CsrContext&, u32) { return 1; }  // only type 0: no trigger

void write_menvcfg(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  value = legal_cache_fields(hart, hart.menvcfg, value);
  if (!hart.extensions.has(Extension::svadu)) value &= ~envcfg::kAdue;
  if (!hart.extensions.has(Extension::svpbmt)) value &= ~envcfg::kPbmte;
  if (!hart.extensions.has(Extension::sstc)) value &= ~envcfg::kStce;
  hart.menvcfg = value;
  poll_interrupts(hart);
}
void write_senvcfg(const CsrContext& context, u32, u64 value) {
  context.hart.senvcfg = legal_cache_fields(context.hart, context.hart.senvcfg, value);
}

void write_sepc(const CsrContext& context, u32, u64 value) { context.hart.sepc = legal_epc(context.hart, value); }
void write_mepc(const CsrContext& context, u32, u64 value) { context.hart.mepc = legal_epc(context.hart, value); }

void write_satp(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  const u64 mode = value >> 60;
  if (mode != 0 && (mode < 8 || mode > 10)) return;  // Bare, Sv39, Sv48, Sv57; else nothing is written (10.1.11)
  const u64 old = hart.satp;
  if (value == old) return;
  hart.satp = value;
  // Same ASID, other tables: the guest owes an SFENCE.VMA. Who uses one ASID for everything often forgets it, as
  // processors that know no ASIDs forgive that; with ASIDs in use this never flushes.
  if (mode != 0 && (old >> 44 & 0xffff) == (value >> 44 & 0xffff)) context.vcpu.mmu().flush_context(context_key(hart));
  update_context(context.vcpu, hart);
}

namespace {

u64 read_pmpcfg(const Hart& hart, u32 first) {
  u64 value = 0;
  for (u32 i = 0; i < 8; ++i) value |= u64{hart.pmp.cfg[first + i]} << (8 * i);
  return value;
}

void pmp_changed(const CsrContext& context) {
  context.hart.pmp.update();
  context.vcpu.mmu().flush_all();
}

void write_pmpcfg(const CsrContext& context, u32 first, u64 value) {
  bool changed = false;
  // Each entry is judged by its own lock bit as it was; the order within the register does not matter.
  for (u32 i = 0; i < 8; ++i) changed |= context.hart.pmp.write_cfg(first + i, static_cast<u8>(value >> (8 * i)));
  if (changed) pmp_changed(context);
}

}  // namespace

u64 read_pmpcfg0(const CsrContext& context, u32) { return read_pmpcfg(context.hart, 0); }
u64 read_pmpcfg2(const CsrContext& context, u32) { return read_pmpcfg(context.hart, 8); }
u64 read_pmpaddr(const CsrContext& context, u32 index) { return context.hart.pmp.address[index]; }
void write_pmpcfg0(const CsrContext& context, u32, u64 value) { write_pmpcfg(context, 0, value); }
void write_pmpcfg2(const CsrContext& context, u32, u64 value) { write_pmpcfg(context, 8, value); }
void write_pmpaddr(const CsrContext& context, u32 index, u64 value) {
  if (context.hart.pmp.write_address(index, value)) pmp_changed(context);
}

}  // namespace pagoda::riscv64::hooks
