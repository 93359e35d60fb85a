// SPDX-License-Identifier: MIT
// Registers of the Advanced Interrupt Architecture (AIA 1.0, chapters 2, 3 and 5): the indirect window, the top
// interrupt of a level, the top identity of the level's interrupt file. Major interrupts have their default priorities
// and no others: the priority arrays are read-only zero (5.2.2).
#include "cpu/riscv64/csr_hooks.h"
#include "cpu/riscv64/trap.h"
#include "devices/bus/interrupt_file.h"

namespace pagoda::riscv64 {
namespace {

constexpr u32 kFirstPriority = 0x30;
constexpr u32 kLastPriority = 0x3f;

}  // namespace

// The arrays of priorities have even registers only when XLEN is 64.
bool window_register_exists(const Hart& hart, AiaLevel level) {
  const u64 select = level == AiaLevel::machine ? hart.miselect : hart.siselect;
  if (select >= kFirstPriority && select <= kLastPriority) return select % 2 == 0;
  const InterruptFile* file = hart.files[static_cast<u32>(level)];
  return file != nullptr && file->has_register(static_cast<u32>(select));
}

namespace hooks {
namespace {

// Listings read without asking whether there is anything.
u64 read_window(const Hart& hart, AiaLevel level, u64 select) {
  if (select <= kLastPriority || !window_register_exists(hart, level)) return 0;
  return hart.files[static_cast<u32>(level)]->read_register(static_cast<u32>(select));
}

void write_window(const CsrContext& context, AiaLevel level, u64 select, u64 value) {
  if (select <= kLastPriority) return;
  context.hart.files[static_cast<u32>(level)]->write_register(static_cast<u32>(select), value);
  poll_interrupts(context.hart);
}

u64 top_identity(const CsrContext& context, AiaLevel level) {
  Hart& hart = context.hart;
  const u32 index = static_cast<u32>(level);
  const u32 identity = hart.files[index] != nullptr ? hart.files[index]->top() : 0;
  // The write of the same instruction takes what was read here, whatever comes in between.
  hart.top_read[index] = identity;
  hart.top_read_at[index] = context.retired;
  return u64{identity} << 16 | identity;
}

void claim_top(const CsrContext& context, AiaLevel level) {
  Hart& hart = context.hart;
  const u32 index = static_cast<u32>(level);
  const bool was_read = hart.top_read_at[index] == context.retired;
  hart.top_read_at[index] = ~u64{0};
  hart.files[index]->claim(was_read ? hart.top_read[index] : hart.files[index]->top());
  poll_interrupts(hart);
}

// Number in the upper half; all have the one priority that is not 0 (5.3).
u64 top_interrupt(u64 candidates) {
  for (const u32 number : kInterruptOrder) {
    if ((candidates >> number & 1) != 0) return u64{number} << 16 | 1;
  }
  return 0;
}

}  // namespace

u64 read_sireg(const CsrContext& context, u32) {
  return read_window(context.hart, AiaLevel::supervisor, context.hart.siselect);
}
void write_sireg(const CsrContext& context, u32, u64 value) {
  write_window(context, AiaLevel::supervisor, context.hart.siselect, value);
}
u64 read_stopei(const CsrContext& context, u32) { return top_identity(context, AiaLevel::supervisor); }
void write_stopei(const CsrContext& context, u32, u64) { claim_top(context, AiaLevel::supervisor); }
u64 read_stopi(const CsrContext& context, u32) {
  const Hart& hart = context.hart;
  return top_interrupt(pending_exact(context.vcpu, hart) & hart.mie & hart.mideleg);
}

u64 read_mireg(const CsrContext& context, u32) {
  return read_window(context.hart, AiaLevel::machine, context.hart.miselect);
}
void write_mireg(const CsrContext& context, u32, u64 value) {
  write_window(context, AiaLevel::machine, context.hart.miselect, value);
}
u64 read_mtopei(const CsrContext& context, u32) { return top_identity(context, AiaLevel::machine); }
void write_mtopei(const CsrContext& context, u32, u64) { claim_top(context, AiaLevel::machine); }
u64 read_mtopi(const CsrContext& context, u32) {
  const Hart& hart = context.hart;
  return top_interrupt(pending_exact(context.vcpu, hart) & hart.mie & ~hart.mideleg);
}

// No bit of mvien can be set, so the bits of mvip stand for those of mip (5.3).
u64 read_mvip(const CsrContext& context, u32) { return context.hart.software_pending & irq::kSupervisor; }
void write_mvip(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  // STIP is the comparator's while Sstc is in use, as in mip.
  const u64 writable = irq::kSsip | irq::kSeip | ((hart.menvcfg & envcfg::kStce) == 0 ? irq::kStip : 0);
  hart.software_pending = (hart.software_pending & ~writable) | (value & writable);
  poll_interrupts(hart);
}

}  // namespace hooks
}  // namespace pagoda::riscv64
