// SPDX-License-Identifier: MIT
// Counters, time and stimecmp (Privileged ISA 3.1.10-3.1.12, Sstc; Unprivileged ISA, Zicntr).
//
// One count serves both: cycle advances by one per retired instruction.
#include "cpu/riscv64/csr_hooks.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64::hooks {
namespace {

constexpr u64 kCy = 1, kIr = 4;  // mcountinhibit

// A write takes effect after its own instruction, which does not count (3.1.11): the next one reads the value.
u64 retired_at_next(const CsrContext& context) { return context.retired + 1; }

u64 read_counter(const CsrContext& context, u64 base, u64 inhibit_bit) {
  return (context.hart.mcountinhibit & inhibit_bit) != 0 ? base : context.retired + base;
}
void write_counter(const CsrContext& context, u64& base, u64 inhibit_bit, u64 value) {
  base = (context.hart.mcountinhibit & inhibit_bit) != 0 ? value : value - retired_at_next(context);
}

}  // namespace

u64 read_cycle(const CsrContext& context, u32) { return read_counter(context, context.hart.cycle_base, kCy); }
u64 read_instret(const CsrContext& context, u32) { return read_counter(context, context.hart.instret_base, kIr); }
void write_mcycle(const CsrContext& context, u32, u64 value) {
  write_counter(context, context.hart.cycle_base, kCy, value);
}
void write_minstret(const CsrContext& context, u32, u64 value) {
  write_counter(context, context.hart.instret_base, kIr, value);
}

void write_mcountinhibit(const CsrContext& context, u32, u64 value) {
  Hart& hart = context.hart;
  const auto change = [&](u64& base, u64 bit) {
    const bool was = (hart.mcountinhibit & bit) != 0, is = (value & bit) != 0;
    if (was == is) return;
    base = is ? base + retired_at_next(context) : base - retired_at_next(context);
  };
  change(hart.cycle_base, kCy);
  change(hart.instret_base, kIr);
  hart.mcountinhibit = value;
}

u64 read_time(const CsrContext& context, u32) { return time_of(context.vcpu, context.hart); }

void write_stimecmp(const CsrContext& context, u32, u64 value) { set_stimecmp(context.hart, value); }

}  // namespace pagoda::riscv64::hooks
