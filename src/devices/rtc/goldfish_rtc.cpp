// SPDX-License-Identifier: MIT
// Goldfish real-time clock.
#include "devices/rtc/goldfish_rtc.h"

#include <utility>

namespace pagoda {
namespace {

constexpr u64 kLow = 0xffff'ffff;

}  // namespace

std::vector<Register> GoldfishRtc::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/rtc/goldfish_rtc.def"
#undef REG
  };
}

GoldfishRtc::GoldfishRtc(std::string name, VirtualClock& clock, std::function<u64()> wall_clock_ns, IrqLine irq)
    : RegisterDevice(std::move(name), make_rows()),
      clock_(clock),
      wall_clock_ns_(std::move(wall_clock_ns)),
      irq_(irq),
      timer_(clock, [this] {
        const std::lock_guard lock(mutex_);
        update_alarm();
      }) {}

u64 GoldfishRtc::latch_time() {
  const u64 now = time();
  latched_high_ = static_cast<u32>(now >> 32);
  return now & kLow;
}

void GoldfishRtc::set_time_low(u64 value) { set_time((time() & ~kLow) | value); }
void GoldfishRtc::set_time_high(u64 value) { set_time((time() & kLow) | (value << 32)); }

void GoldfishRtc::set_time(u64 ns) {
  offset_ += ns - time();
  update_alarm();
}

void GoldfishRtc::start_alarm() {
  alarm_ = reg(Reg::alarm_high) << 32 | reg(Reg::alarm_low);
  reg(Reg::alarm_status) = 1;
  update_alarm();
}

void GoldfishRtc::stop_alarm() {
  reg(Reg::alarm_status) = 0;
  update_alarm();
}

void GoldfishRtc::acknowledge() {
  irq_pending_ = false;
  update_irq();
}

// Fires a running alarm whose time has come, or waits for it. The callback of the timer comes here too: it may be early
// when the wall clock runs slower than virtual time, or late in a race with a guest that stopped the alarm.
void GoldfishRtc::update_alarm() {
  if (reg(Reg::alarm_status) == 0) return timer_.cancel();
  const u64 now = time();
  if (now < alarm_) {
    const u64 virtual_now = clock_.now();
    const u64 wait = alarm_ - now;
    return wait <= ~u64{0} - virtual_now ? timer_.schedule(virtual_now + wait) : timer_.cancel();
  }
  timer_.cancel();
  reg(Reg::alarm_status) = 0;
  irq_pending_ = true;
  update_irq();
}

void GoldfishRtc::update_irq() { irq_.set(irq_pending_ && reg(Reg::irq_enabled) != 0); }

void GoldfishRtc::reset() {
  const std::lock_guard lock(mutex_);
  reset_registers();
  offset_ = 0;
  latched_high_ = 0;
  alarm_ = 0;
  irq_pending_ = false;
  timer_.cancel();
  update_irq();
}

void GoldfishRtc::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  visitor.field("offset", offset_);
  visitor.field("latched_high", latched_high_);
  visitor.field("alarm", alarm_);
  visitor.field("irq_pending", irq_pending_);
}

void GoldfishRtc::state_restored() {
  const std::lock_guard lock(mutex_);
  update_irq();
  update_alarm();
}

}  // namespace pagoda
