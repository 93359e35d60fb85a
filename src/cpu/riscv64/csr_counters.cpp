// SPDX-License-Identifier: MIT
// Counter registers, time and stimecmp (Privileged ISA 3.1.10-3.1.12, Sscofpmf, Smcntrpmf, Sstc; Unprivileged ISA,
// Zicntr and Zihpm). What counters do: counters.h.
#include "cpu/riscv64/counters.h"
#include "cpu/riscv64/csr_hooks.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64::hooks {
namespace {

// A write takes effect after its own instruction, which does not count (3.1.11): the next one reads the value.
u64 retired_at_next(const CsrContext& context) { return context.retired + 1; }

void write_config(const CsrContext& context, u32 counter, u64 value) {
  context.hart.counter_config[counter] = legal_config(context.hart, counter, value);
  counters_changed(context.hart, retired_at_next(context));
}

// Index within the rows of programmable counters; those that are not there read as zero and ignore writes.
bool is_present(const Hart& hart, u32 index) {
  return index < kHpmCounters && (counters_present(hart) >> (index + kFirstHpm) & 1) != 0;
}

}  // namespace

u64 read_cycle(const CsrContext& context, u32) { return counter_value(context.hart, kCycle, context.retired); }
u64 read_instret(const CsrContext& context, u32) { return counter_value(context.hart, kInstret, context.retired); }
void write_mcycle(const CsrContext& context, u32, u64 value) {
  set_counter(context.hart, kCycle, value, retired_at_next(context));
}
void write_minstret(const CsrContext& context, u32, u64 value) {
  set_counter(context.hart, kInstret, value, retired_at_next(context));
}
u64 read_hpmcounter(const CsrContext& context, u32 index) {
  if (!is_present(context.hart, index)) return 0;
  return counter_value(context.hart, index + kFirstHpm, context.retired);
}
void write_mhpmcounter(const CsrContext& context, u32 index, u64 value) {
  if (!is_present(context.hart, index)) return;
  set_counter(context.hart, index + kFirstHpm, value, retired_at_next(context));
}

u64 read_mcyclecfg(const CsrContext& context, u32) { return context.hart.counter_config[kCycle]; }
u64 read_minstretcfg(const CsrContext& context, u32) { return context.hart.counter_config[kInstret]; }
u64 read_mhpmevent(const CsrContext& context, u32 index) {
  return is_present(context.hart, index) ? context.hart.counter_config[index + kFirstHpm] : 0;
}
void write_mcyclecfg(const CsrContext& context, u32, u64 value) { write_config(context, kCycle, value); }
void write_minstretcfg(const CsrContext& context, u32, u64 value) { write_config(context, kInstret, value); }
void write_mhpmevent(const CsrContext& context, u32 index, u64 value) {
  if (is_present(context.hart, index)) write_config(context, index + kFirstHpm, value);
}

void write_mcountinhibit(const CsrContext& context, u32, u64 value) {
  context.hart.mcountinhibit = value & counters_present(context.hart) & ~kTimeCounter;
  counters_changed(context.hart, retired_at_next(context));
}
void write_mcounteren(const CsrContext& context, u32, u64 value) {
  context.hart.mcounteren = value & counters_present(context.hart);
}
void write_scounteren(const CsrContext& context, u32, u64 value) {
  context.hart.scounteren = value & counters_present(context.hart);
}

// Supervisor mode sees the overflows of the counters that it may read.
u64 read_scountovf(const CsrContext& context, u32) {
  const Hart& hart = context.hart;
  u64 overflows = 0;
  for (u32 counter = kFirstHpm; counter < kCounters; ++counter) {
    if ((hart.counter_config[counter] & hpmevent::kOverflow) != 0) overflows |= u64{1} << counter;
  }
  return hart.privilege == Mode::machine ? overflows : overflows & hart.mcounteren;
}

u64 read_time(const CsrContext& context, u32) { return time_of(context.vcpu, context.hart); }

void write_stimecmp(const CsrContext& context, u32, u64 value) { set_stimecmp(context.hart, value); }

}  // namespace pagoda::riscv64::hooks
