// SPDX-License-Identifier: MIT
// fflags, frm, fcsr (Unprivileged ISA, F extension, "Floating-Point Control and Status Register").
#include "cpu/riscv64/csr_hooks.h"
#include "cpu/riscv64/fp_state.h"
#include "cpu/riscv64/modes.h"

namespace pagoda::riscv64::hooks {
namespace {

constexpr u64 kFlags = 31, kRound = 7;
constexpr u32 kRoundShift = 5;

void put(const CsrContext& context, u64 flags, u64 round) {
  Hart& hart = context.hart;
  hart.frm = static_cast<u8>(round & kRound);
  const u32 control = fp_control(hart.frm, static_cast<u8>(flags & kFlags));
  if (context.in_guest) {
    load_fp_control(control);
  } else {
    hart.fp_control = control;
  }
  hart.mstatus |= status::kFs;
  update_mode(context.vcpu, hart);
}

}  // namespace

u64 read_fflags(const CsrContext& context, u32) { return fp_flags(context.hart, context.in_guest); }
u64 read_frm(const CsrContext& context, u32) { return context.hart.frm; }
u64 read_fcsr(const CsrContext& context, u32 index) {
  return read_fflags(context, index) | u64{context.hart.frm} << kRoundShift;
}
void write_fflags(const CsrContext& context, u32, u64 value) { put(context, value, context.hart.frm); }
void write_frm(const CsrContext& context, u32 index, u64 value) { put(context, read_fflags(context, index), value); }
void write_fcsr(const CsrContext& context, u32, u64 value) { put(context, value, value >> kRoundShift); }

}  // namespace pagoda::riscv64::hooks
