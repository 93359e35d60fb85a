// SPDX-License-Identifier: MIT
// Time, entropy and events from outside.
#include "machines/inputs.h"

#include <sys/random.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/check.h"

namespace pagoda {
namespace {

// Deterministic runs begin here: 2026-01-01 00:00:00 UTC.
constexpr u64 kEpochNs = u64{1'767'225'600} * 1'000'000'000;

u64 host_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<u64>(time.tv_sec) * 1'000'000'000 + static_cast<u64>(time.tv_nsec);
}

// One step of SplitMix64 (Steele, Lea, Flood 2014): every seed gives a full-period sequence.
u64 next_random(u64& state) {
  state += 0x9e3779b97f4a7c15;
  u64 z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Inputs::Inputs(Mode mode, u64 seed) : mode_(mode), start_ns_(host_ns(CLOCK_MONOTONIC)), random_state_(seed) {
  set_wall_clock({}, 0, false);
}

u64 Inputs::now() const {
  if (mode_ == Mode::deterministic) return virtual_time_.load(std::memory_order_relaxed);
  const u64 paused_at = paused_at_.load(std::memory_order_acquire);
  if (paused_at != kRunning) return paused_at;
  return (host_ns(CLOCK_MONOTONIC) - start_ns_.load(std::memory_order_relaxed)) / divisor_;
}

void Inputs::pause() {
  if (mode_ == Mode::deterministic || paused_at_.load() != kRunning) return;
  paused_at_.store(now(), std::memory_order_release);
}

void Inputs::resume() {
  const u64 paused_at = paused_at_.load();
  if (mode_ == Mode::deterministic || paused_at == kRunning) return;
  start_ns_.store(host_ns(CLOCK_MONOTONIC) - host_ns_of(paused_at), std::memory_order_relaxed);
  paused_at_.store(kRunning, std::memory_order_release);
}

u64 Inputs::wall_clock_ns() const { return wall_offset_ns_ + (wall_is_virtual_ ? now() : host_ns(CLOCK_REALTIME)); }

void Inputs::set_wall_clock(std::optional<i64> start_s, i64 add_s, bool is_virtual) {
  constexpr u64 kSecond = 1'000'000'000;
  const u64 add = static_cast<u64>(add_s) * kSecond;  // modulo 2^64
  wall_is_virtual_ = is_virtual || mode_ == Mode::deterministic;
  if (mode_ == Mode::deterministic) {
    wall_offset_ns_ = start_s ? static_cast<u64>(*start_s) * kSecond : kEpochNs;
    return;
  }
  const u64 host = host_ns(CLOCK_REALTIME);
  const u64 start = start_s ? static_cast<u64>(*start_s) * kSecond : host + add;
  wall_offset_ns_ = wall_is_virtual_ ? start - now() : start - host;
}

void Inputs::entropy(std::span<std::byte> out) {
  if (mode_ == Mode::deterministic) {
    const std::lock_guard lock(mutex_);
    while (!out.empty()) {
      const u64 random = next_random(random_state_);
      const std::size_t count = std::min(out.size(), sizeof(random));
      std::memcpy(out.data(), &random, count);
      out = out.subspan(count);
    }
    return;
  }
  while (!out.empty()) {
    const ssize_t count = getrandom(out.data(), out.size(), 0);
    if (count < 0) {
      CHECK(errno == EINTR, "getrandom: errno {}", errno);
      continue;
    }
    out = out.subspan(static_cast<std::size_t>(count));
  }
}

void Inputs::post(std::function<void()> event) {
  if (mode_ == Mode::realtime) {
    CHECK(dispatch_, "an input event before set_dispatch");
    dispatch_(std::move(event));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    pending_.store(true, std::memory_order_release);
  }
  if (wakeup_) wakeup_();
}

void Inputs::deliver() {
  std::vector<std::function<void()>> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(events_);
    pending_.store(false, std::memory_order_relaxed);
  }
  for (auto& event : events) event();
}

}  // namespace pagoda
