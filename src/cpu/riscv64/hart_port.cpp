// SPDX-License-Identifier: MIT
// Interrupt pins as atomic bits, stimecmp as a timer in virtual time.
#include "cpu/riscv64/hart_port.h"

#include "base/check.h"
#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64 {

u64 time_of(Vcpu& vcpu, const Hart& hart) {
  return vcpu.clock().now() / kNanosecondsPerTick + hart.time_offset.load(std::memory_order_relaxed);
}

void set_stimecmp(Hart& hart, u64 value) {
  if (hart.port != nullptr) {
    hart.port->set_compare(value);
  } else {
    hart.stimecmp = value;
  }
  poll_interrupts(hart);
}

HartPort::HartPort(Vcpu& vcpu)
    : vcpu_(vcpu), hart_(vcpu.state<Hart>()), timer_(vcpu.clock(), [this] {
        const std::lock_guard lock(mutex_);
        compare_locked();
      }) {
  CHECK(hart_.port == nullptr);
  hart_.port = this;
}

HartPort::~HartPort() { hart_.port = nullptr; }

void HartPort::set_irq(u32 interrupt, bool level) {
  CHECK(interrupt == irq::kMsi || interrupt == irq::kMti || interrupt == irq::kSei || interrupt == irq::kMei,
        "interrupt {}", interrupt);
  change_pin(interrupt, level);
}

void HartPort::change_pin(u32 interrupt, bool level) {
  const u64 bit = u64{1} << interrupt;
  if (!level) {
    hart_.pins.fetch_and(~bit, std::memory_order_acq_rel);
    return;
  }
  if ((hart_.pins.fetch_or(bit, std::memory_order_acq_rel) & bit) == 0) vcpu_.kick();
}

void HartPort::set_time_offset(u64 ticks) {
  const std::lock_guard lock(mutex_);
  hart_.time_offset.store(ticks, std::memory_order_relaxed);
  compare_locked();
}

void HartPort::set_compare(u64 value) {
  const std::lock_guard lock(mutex_);
  hart_.stimecmp = value;
  compare_locked();
}

void HartPort::refresh() {
  const std::lock_guard lock(mutex_);
  compare_locked();
}

// Under one lock with the write of stimecmp, so that a timer that fires late cannot raise the pin of a newer deadline.
void HartPort::compare_locked() {
  const u64 now_ns = vcpu_.clock().now();
  const u64 now = now_ns / kNanosecondsPerTick + hart_.time_offset.load(std::memory_order_relaxed);
  if (now >= hart_.stimecmp) {
    timer_.cancel();
    change_pin(irq::kSti, true);
    return;
  }
  change_pin(irq::kSti, false);
  const u128 deadline = (u128{now_ns / kNanosecondsPerTick} + (hart_.stimecmp - now)) * kNanosecondsPerTick;
  if (deadline > ~u64{0}) {
    timer_.cancel();  // beyond the end of virtual time
  } else {
    timer_.schedule(static_cast<u64>(deadline));
  }
}

}  // namespace pagoda::riscv64
