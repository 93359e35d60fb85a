// SPDX-License-Identifier: MIT
// ACLINT: mtime from virtual time, one comparator and one software interrupt per hart.
#include "devices/timer/aclint.h"

#include <utility>

#include "base/check.h"

namespace pagoda {
namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;

}  // namespace

std::vector<Register> Aclint::make_rows(u32 harts) {
  CHECK(harts >= 1 && harts <= kMaxHarts, "{} harts", harts);
  std::vector<Register> rows = {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/timer/aclint.def"
#undef REG
  };
  rows[static_cast<u32>(Reg::msip)].count = rows[static_cast<u32>(Reg::mtimecmp)].count = harts;
  return rows;
}

Aclint::Aclint(std::string name, VirtualClock& clock, u64 timebase_hz, std::vector<HartLines> harts)
    : RegisterDevice(std::move(name), make_rows(static_cast<u32>(harts.size()))),
      clock_(clock),
      timebase_hz_(timebase_hz),
      harts_(std::move(harts)) {
  CHECK(timebase_hz >= 1 && timebase_hz <= kNsPerSecond, "time base of {} Hz", timebase_hz);
  for (u32 hart = 0; hart < harts_.size(); ++hart) {
    timers_.push_back(std::make_unique<Timer>(clock, [this, hart] {
      const std::lock_guard lock(mutex_);
      update_timer(hart);
    }));
  }
  reset();
}

u64 Aclint::ticks(u64 ns) const { return static_cast<u64>(u128{ns} * timebase_hz_ / kNsPerSecond); }

std::optional<u64> Aclint::deadline_of(u64 value) const {
  const u64 now = clock_.now();
  const u64 time = ticks(now) + offset_.load(std::memory_order_relaxed);
  if (time >= value) return now;
  // The first nanosecond whose tick count is enough: rounded up.
  const u128 tick = u128{ticks(now)} + (value - time);
  const u128 ns = (tick * kNsPerSecond + timebase_hz_ - 1) / timebase_hz_;
  return ns <= ~u64{0} ? std::optional(static_cast<u64>(ns)) : std::nullopt;
}

void Aclint::msip_written(u32 hart, u64 value) { harts_[hart].msip.set(value != 0); }

// The timer interrupt is pending whenever mtime >= mtimecmp, as unsigned numbers.
void Aclint::update_timer(u32 hart) {
  const u64 compare = reg(Reg::mtimecmp, hart);
  const bool reached = mtime() >= compare;
  harts_[hart].mtip.set(reached);
  const std::optional<u64> deadline = reached ? std::nullopt : deadline_of(compare);
  if (deadline) {
    timers_[hart]->schedule(*deadline);
  } else {
    timers_[hart]->cancel();
  }
}

void Aclint::update_timers() {
  for (u32 hart = 0; hart < harts_.size(); ++hart) update_timer(hart);
}

void Aclint::mtime_written(u64 value) {
  offset_.store(value - ticks(clock_.now()), std::memory_order_relaxed);
  update_timers();
  if (time_observer_) time_observer_();
}

void Aclint::reset() {
  const std::lock_guard lock(mutex_);
  reset_registers();
  for (const HartLines& hart : harts_) hart.msip.set(false);
  mtime_written(0);
}

void Aclint::visit_state(StateVisitor& visitor) {
  RegisterDevice::visit_state(visitor);
  u64 offset = offset_.load(std::memory_order_relaxed);
  visitor.field("mtime_offset", offset);
  offset_.store(offset, std::memory_order_relaxed);
}

void Aclint::state_restored() {
  const std::lock_guard lock(mutex_);
  for (u32 hart = 0; hart < harts_.size(); ++hart) harts_[hart].msip.set(reg(Reg::msip, hart) != 0);
  update_timers();
  if (time_observer_) time_observer_();
}

}  // namespace pagoda
