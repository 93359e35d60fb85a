// SPDX-License-Identifier: MIT
// HartPort: a hart's side of the platform: interrupt pins and the comparator of the supervisor timer (Sstc).
//
// The machine makes one per vcpu before the vcpus run and keeps it as long as the vcpu. Lock order: device -> port ->
// virtual clock.
// Threading: set_irq and set_time_offset from any thread; set_compare from the vcpu's thread; the timer fires on the
// clock's thread.
#pragma once

#include <mutex>

#include "cpu/riscv64/hart.h"
#include "devices/bus/clock.h"
#include "devices/bus/irq_line.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

class HartPort final : public IrqSink {
 public:
  explicit HartPort(Vcpu& vcpu);
  ~HartPort() override;
  HartPort(const HartPort&) = delete;
  HartPort& operator=(const HartPort&) = delete;

  // The wire of an interrupt: irq::kMsi, kMti, kSei or kMei.
  IrqLine pin(u32 interrupt) { return {this, interrupt}; }
  void set_irq(u32 interrupt, bool level) override;

  // Ticks by which mtime and the `time` CSR are ahead of virtual time, modulo 2^64 (the guest wrote mtime).
  void set_time_offset(u64 ticks);
  void set_compare(u64 value);
  // Compares and arms the timer anew, after reset or a restored snapshot.
  void refresh();

 private:
  void compare_locked();
  void change_pin(u32 interrupt, bool level);

  Vcpu& vcpu_;
  Hart& hart_;
  std::mutex mutex_;  // over stimecmp as the timer sees it, its pin, and the timer's deadline
  Timer timer_;
};

// Value of the `time` CSR.
u64 time_of(Vcpu& vcpu, const Hart& hart);
void set_stimecmp(Hart& hart, u64 value);

}  // namespace pagoda::riscv64
