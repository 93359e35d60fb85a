// SPDX-License-Identifier: MIT
// Starting, stopping and overflow of counters.
#include "cpu/riscv64/counters.h"

#include <algorithm>

#include "cpu/riscv64/trap.h"
#include "cpu/vcpu.h"

namespace pagoda::riscv64 {
namespace {

constexpr u64 kNever = ~u64{0};

// Bits 58 and 59 are the modes of a hypervisor's guests.
constexpr u64 kEventField = (u64{1} << 56) - 1;

bool is_programmable(u32 counter) { return counter >= kFirstHpm; }

u64 stopping_bit(Mode mode) {
  switch (mode) {
    case Mode::user:
      return hpmevent::kNotUser;
    case Mode::supervisor:
      return hpmevent::kNotSupervisor;
    case Mode::machine:
      return hpmevent::kNotMachine;
  }
  return 0;
}

bool should_count(const Hart& hart, u32 counter) {
  const u64 config = hart.counter_config[counter];
  if ((hart.mcountinhibit >> counter & 1) != 0 || (config & stopping_bit(hart.privilege)) != 0) return false;
  return !is_programmable(counter) || (config & kEventField) != 0;
}

bool counts(const Hart& hart, u32 counter) { return (hart.running_counters >> counter & 1) != 0; }

// When the counter passes from all ones to zero.
void expect_overflow(Hart& hart, u32 counter, u64 value, u64 at) {
  u64& due = hart.overflow_at[counter];
  due = kNever;
  if (counts(hart, counter) && is_programmable(counter) && value != 0 && hart.extensions.has(Extension::sscofpmf)) {
    const u64 left = 0 - value;
    due = at > kNever - left ? kNever : at + left;
  }
}

// The vcpu has to look when the next overflow is due, before it runs on.
void find_next_overflow(Hart& hart) {
  const u64 next = *std::min_element(std::begin(hart.overflow_at), std::end(hart.overflow_at));
  if (next == hart.next_overflow) return;
  hart.next_overflow = next;
  hart.poll.fetch_or(1, std::memory_order_relaxed);
}

// An overflow that is already marked raises no further interrupt (Sscofpmf).
void record_overflow(Hart& hart, u32 counter) {
  hart.overflow_at[counter] = kNever;
  u64& config = hart.counter_config[counter];
  if ((config & hpmevent::kOverflow) == 0) hart.software_pending |= irq::kLcofip;
  config |= hpmevent::kOverflow;
}

}  // namespace

u64 counters_present(const Hart& hart) {
  constexpr u64 kBase = 7, kAll = (u64{1} << kCounters) - 1;
  return hart.extensions.has(Extension::zihpm) ? kAll : kBase;
}

u64 counter_value(const Hart& hart, u32 counter, u64 at) {
  return counts(hart, counter) ? hart.counter_base[counter] + at : hart.counter_base[counter];
}

void set_counter(Hart& hart, u32 counter, u64 value, u64 at) {
  hart.counter_base[counter] = counts(hart, counter) ? value - at : value;
  expect_overflow(hart, counter, value, at);
  find_next_overflow(hart);
}

void set_all_counters(Hart& hart, const u64 (&values)[kCounters], u64 at) {
  hart.running_counters = 0;
  std::copy_n(values, kCounters, hart.counter_base);
  std::fill_n(hart.overflow_at, kCounters, kNever);
  hart.next_overflow = kNever;
  counters_changed(hart, at);
}

u64 legal_config(const Hart& hart, u32 counter, u64 value) {
  if (!is_programmable(counter)) return value & hpmevent::kFilter;
  const u64 fields = hart.extensions.has(Extension::sscofpmf) ? hpmevent::kOverflow | hpmevent::kFilter : 0;
  const u64 event = value & kEventField;
  return (value & fields) | (event == kEventCycles || event == kEventInstructions ? event : 0);
}

void counters_changed(Hart& hart, u64 at) {
  hart.filtered_counters = 0;
  for (u32 counter = 0; counter < kCounters; ++counter) {
    if ((hart.counter_config[counter] & hpmevent::kFilter) != 0) hart.filtered_counters |= 1u << counter;
    const bool now = should_count(hart, counter);
    if (counts(hart, counter) == now) continue;
    if (hart.overflow_at[counter] <= at) record_overflow(hart, counter);
    const u64 value = counter_value(hart, counter, at);
    hart.running_counters ^= 1u << counter;
    hart.counter_base[counter] = now ? value - at : value;
    expect_overflow(hart, counter, value, at);
  }
  find_next_overflow(hart);
}

u64 until_overflow(Vcpu& vcpu) {
  Hart& hart = vcpu.state<Hart>();
  if (hart.next_overflow == kNever) [[likely]]
    return kNever;
  const u64 at = vcpu.instructions();
  for (u32 counter = kFirstHpm; counter < kCounters; ++counter) {
    if (hart.overflow_at[counter] <= at) record_overflow(hart, counter);
  }
  hart.next_overflow = *std::min_element(std::begin(hart.overflow_at), std::end(hart.overflow_at));
  return hart.next_overflow == kNever ? kNever : hart.next_overflow - at;
}

}  // namespace pagoda::riscv64
