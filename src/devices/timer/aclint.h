// SPDX-License-Identifier: MIT
// ACLINT: machine-level software interrupts and timer of RISC-V machines, in the layout of SiFive's CLINT.
//
// After "RISC-V Advanced Core Local Interruptor Specification" 1.0-rc4, chapters 2 (MTIMER) and 3 (MSWI), and the
// Privileged manual, "Machine Timer Registers (mtime and mtimecmp)". mtime is zeroed by reset; mtimecmp, which the
// specification leaves open, becomes all ones, so that no timer interrupt is pending.
// Threading: mtime() and deadline_of() from any thread, without a lock. Timer callbacks run on the main loop. Lines and
// the time observer are called under the device's lock.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "devices/bus/clock.h"
#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class Aclint final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x1'0000;
  static constexpr u32 kMaxHarts = 4095;
  static constexpr u64 kVirtTimebaseHz = 10'000'000;  // QEMU's `virt` and `spike`

  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/timer/aclint.def"
#undef REG
  };

  struct HartLines {
    IrqLine msip;
    IrqLine mtip;
  };
  Aclint(std::string name, VirtualClock& clock, u64 timebase_hz, std::vector<HartLines> harts);

  // Ticks of the time base: what the `time` CSR reads.
  u64 mtime() const { return ticks(clock_.now()) + offset_.load(std::memory_order_relaxed); }
  u64 timebase_hz() const { return timebase_hz_; }
  // mtime less the ticks of virtual time, modulo 2^64: exact, while two readings of a running clock never are.
  u64 time_offset() const { return offset_.load(std::memory_order_relaxed); }
  // The virtual time (ns) at which mtime reaches `value`, now or in the past included; none if that is beyond 2^64 ns.
  // For the comparators that live in the vcpus (stimecmp).
  std::optional<u64> deadline_of(u64 value) const;
  // Called when the guest wrote mtime: deadlines made from it are stale. It may call the const functions above only.
  void set_time_observer(std::function<void()> observer) { time_observer_ = std::move(observer); }

  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 private:
  static std::vector<Register> make_rows(u32 harts);
  u64 ticks(u64 ns) const;
  void msip_written(u32 hart, u64 value);
  void mtime_written(u64 value);
  void update_timer(u32 hart);
  void update_timers();

  VirtualClock& clock_;
  u64 timebase_hz_;
  std::vector<HartLines> harts_;
  std::atomic<u64> offset_{0};  // mtime less the ticks of virtual time, modulo 2^64
  std::function<void()> time_observer_;
  std::vector<std::unique_ptr<Timer>> timers_;  // one per hart
};

}  // namespace pagoda
