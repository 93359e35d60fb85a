// SPDX-License-Identifier: MIT
// Delegation, priorities, and the status stacks of mstatus.
#include "cpu/riscv64/trap.h"

#include "base/log.h"
#include "cpu/riscv64/counters.h"
#include "cpu/riscv64/hart_port.h"
#include "cpu/riscv64/illegal_log.h"
#include "cpu/riscv64/modes.h"
#include "cpu/semihosting.h"
#include "cpu/vcpu.h"
#include "memory/guest_memory.h"

namespace pagoda::riscv64 {
namespace {

// Direct: the base for everything. Vectored: interrupts go to base + 4 * cause.
u64 vector(u64 tvec, u64 cause) {
  const u64 base = tvec & ~u64{3};
  const bool vectored = (tvec & 1) != 0 && (cause & cause::kInterrupt) != 0;
  return vectored ? base + 4 * (cause & ~cause::kInterrupt) : base;
}

// `cause` has the interrupt bit for interrupts. The pc is that of the instruction interrupted or at fault.
void enter_trap(Vcpu& vcpu, Hart& hart, u64 cause, u64 value, bool to_supervisor) {
  log(Log::interrupt, "hart {}: {} {} from mode {} at {:#x}, value {:#x}, to {} mode", hart.hart_id,
      (cause & cause::kInterrupt) != 0 ? "interrupt" : "exception", cause & ~cause::kInterrupt,
      static_cast<u32>(hart.privilege), hart.pc, value, to_supervisor ? "supervisor" : "machine");
  const Mode from = hart.privilege;
  u64 mstatus = hart.mstatus;
  if (to_supervisor) {
    hart.scause = cause;
    hart.sepc = hart.pc;
    hart.stval = value;
    const u64 spie = (mstatus & status::kSie) != 0 ? status::kSpie : 0;
    const u64 spp = hart.privilege == Mode::user ? 0 : status::kSpp;
    mstatus = (mstatus & ~(status::kSie | status::kSpie | status::kSpp)) | spie | spp;
    hart.privilege = Mode::supervisor;
    hart.pc = vector(hart.stvec, cause);
  } else {
    hart.mcause = cause;
    hart.mepc = hart.pc;
    hart.mtval = value;
    const u64 mpie = (mstatus & status::kMie) != 0 ? status::kMpie : 0;
    const u64 mpp = static_cast<u64>(hart.privilege) << status::kMppShift;
    mstatus = (mstatus & ~(status::kMie | status::kMpie | status::kMpp)) | mpie | mpp;
    hart.privilege = Mode::machine;
    hart.pc = vector(hart.mtvec, cause);
  }
  hart.mstatus = mstatus;
  if (hart.privilege != from) counters_follow_privilege(hart, vcpu.instructions());
  // The handler may run code of another context: a reservation must not carry over.
  hart.reserved_address = kNoReservation;
  update_mode(vcpu, hart);
}

}  // namespace

u64 pending(const Hart& hart) {
  u64 pins = hart.pins.load(std::memory_order_acquire);
  if ((hart.menvcfg & envcfg::kStce) == 0) {
    pins &= ~irq::kStip;
    return pins | hart.software_pending;
  }
  return pins | (hart.software_pending & ~irq::kStip);
}

u64 pending_exact(Vcpu& vcpu, const Hart& hart) {
  const u64 bits = pending(hart);
  if ((hart.menvcfg & envcfg::kStce) == 0) return bits;
  const bool due = time_of(vcpu, hart) >= hart.stimecmp;
  return due ? bits | irq::kStip : bits & ~irq::kStip;
}

int interrupt_to_take(const Hart& hart) {
  const u64 ready = pending(hart) & hart.mie;
  if (ready == 0) [[likely]]
    return -1;
  const bool machine_on = hart.privilege != Mode::machine || (hart.mstatus & status::kMie) != 0;
  const bool supervisor_on =
      hart.privilege == Mode::user || (hart.privilege == Mode::supervisor && (hart.mstatus & status::kSie) != 0);
  // All that go to machine mode come before any that is delegated.
  u64 candidates = machine_on ? ready & ~hart.mideleg : 0;
  if (candidates == 0) candidates = supervisor_on ? ready & hart.mideleg : 0;
  if (candidates == 0) return -1;
  for (const u32 number : kInterruptOrder) {
    if ((candidates >> number & 1) != 0) return static_cast<int>(number);
  }
  return -1;
}

void poll_interrupts(Hart& hart) {
  if (interrupt_to_take(hart) >= 0) hart.poll.fetch_or(1, std::memory_order_relaxed);
}

namespace {

// A breakpoint between two no-operations that only semihosting uses ("RISC-V Semihosting", 2): a0 is the operation, a1
// its parameter, a0 the result. All three are 4 bytes long and in one page.
bool semihosting_call(Vcpu& vcpu, Hart& hart) {
  constexpr u32 kBefore = 0x01f01013, kBreak = 0x00100073,
                kAfter = 0x40705013;  // slli x0, x0, 31; ebreak; srai x0, x0, 7
  if (hart.privilege == Mode::user && !vcpu.semihosting()->allows_user()) return false;
  const u64 first = hart.pc - 4;
  if ((first ^ (hart.pc + 4)) >> kPageBits != 0) return false;
  const auto phys = vcpu.guest().debug->translate(vcpu, GuestVirt(first));
  u32 words[3] = {};
  if (!phys || !vcpu.memory().read(*phys, std::as_writable_bytes(std::span(words)))) return false;
  if (words[0] != kBefore || words[1] != kBreak || words[2] != kAfter) return false;
  hart.fault = 0;
  hart.x[10] = vcpu.semihosting()->call(vcpu, hart.x[10], hart.x[11]);
  hart.pc += 4;
  return true;
}

}  // namespace

void take_exception(Vcpu& vcpu) {
  Hart& hart = vcpu.state<Hart>();
  const u64 cause = hart.fault_cause;
  if (cause == cause::kBreakpoint && vcpu.semihosting() != nullptr && semihosting_call(vcpu, hart)) return;
  if (cause == cause::kIllegal) log_illegal_instruction(hart);
  const bool delegated = hart.privilege != Mode::machine && (hart.medeleg >> cause & 1) != 0;
  hart.fault = 0;
  enter_trap(vcpu, hart, cause, hart.fault_value, delegated);
}

bool take_interrupt(Vcpu& vcpu) {
  Hart& hart = vcpu.state<Hart>();
  const int number = interrupt_to_take(hart);
  if (number < 0) return false;
  enter_trap(vcpu, hart, cause::kInterrupt | static_cast<u64>(number), 0, (hart.mideleg >> number & 1) != 0);
  return true;
}

bool should_wake(const Vcpu& vcpu) {
  const Hart& hart = vcpu.state<Hart>();
  // WFI ends for any interrupt that is enabled in mie, whether or not it will be taken (3.3.3).
  return (pending(hart) & hart.mie) != 0;
}

u64 return_from_machine(Vcpu& vcpu, Hart& hart) {
  u64 mstatus = hart.mstatus;
  const auto previous = static_cast<Mode>((mstatus & status::kMpp) >> status::kMppShift);
  const u64 mie = (mstatus & status::kMpie) != 0 ? status::kMie : 0;
  mstatus = (mstatus & ~(status::kMie | status::kMpp)) | mie | status::kMpie;
  if (previous != Mode::machine) mstatus &= ~status::kMprv;
  hart.mstatus = mstatus;
  hart.privilege = previous;
  hart.reserved_address = kNoReservation;
  counters_follow_privilege(hart, vcpu.instructions_now() + 1);  // a return counts where it was executed
  update_mode(vcpu, hart);
  poll_interrupts(hart);
  return hart.mepc;
}

u64 return_from_supervisor(Vcpu& vcpu, Hart& hart) {
  u64 mstatus = hart.mstatus;
  const u64 sie = (mstatus & status::kSpie) != 0 ? status::kSie : 0;
  hart.privilege = (mstatus & status::kSpp) != 0 ? Mode::supervisor : Mode::user;
  mstatus = (mstatus & ~(status::kSie | status::kSpp | status::kMprv)) | sie | status::kSpie;
  hart.mstatus = mstatus;
  hart.reserved_address = kNoReservation;
  counters_follow_privilege(hart, vcpu.instructions_now() + 1);
  update_mode(vcpu, hart);
  poll_interrupts(hart);
  return hart.sepc;
}

}  // namespace pagoda::riscv64
