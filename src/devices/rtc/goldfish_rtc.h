// SPDX-License-Identifier: MIT
// Goldfish real-time clock ("google,goldfish-rtc"): time of day in nanoseconds since 1970, with an alarm.
//
// After the Android emulator's Goldfish virtual hardware description, "Real-time clock device", and what Linux's
// rtc-goldfish relies on: reading time_low latches the upper half for time_high; writing alarm_low starts the alarm.
// The guest may set the clock; a reset returns to the host's time of day.
// Threading: the alarm's callback runs on the main loop.
#pragma once

#include <functional>

#include "devices/bus/clock.h"
#include "devices/bus/irq_line.h"
#include "devices/bus/register_map.h"

namespace pagoda {

class GoldfishRtc final : public RegisterDevice {
 public:
  static constexpr u64 kWindowSize = 0x1000;

  enum class Reg : u32 {
#define REG(name, ...) name,
#include "devices/rtc/goldfish_rtc.def"
#undef REG
  };

  // `wall_clock_ns` returns nanoseconds since 1970; it is called from any thread.
  GoldfishRtc(std::string name, VirtualClock& clock, std::function<u64()> wall_clock_ns, IrqLine irq);

  void reset() override;
  void visit_state(StateVisitor& visitor) override;
  void state_restored() override;

 private:
  static std::vector<Register> make_rows();
  u64 time() const { return wall_clock_ns_() + offset_; }
  u64 time_low() const { return time() & 0xffff'ffff; }
  u64 latched_time_high() const { return latched_high_; }
  u64 latch_time();
  void set_time_low(u64 value);
  void set_time_high(u64 value);
  void set_time(u64 ns);
  void start_alarm();
  void stop_alarm();
  void acknowledge();
  void update_alarm();
  void update_irq();

  VirtualClock& clock_;
  std::function<u64()> wall_clock_ns_;
  IrqLine irq_;
  u64 offset_ = 0;  // what the guest added by setting the clock, modulo 2^64
  u32 latched_high_ = 0;
  u64 alarm_ = 0;  // of the running alarm: a write to alarm_high alone does not move it
  bool irq_pending_ = false;
  Timer timer_;
};

}  // namespace pagoda
