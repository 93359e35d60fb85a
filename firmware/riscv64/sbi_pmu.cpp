// SPDX-License-Identifier: MIT
// SBI specification, chapter "Performance Monitoring Unit Extension (EID #0x504D55 "PMU")": hardware counters, numbered
// as in mcounteren. There are no firmware counters, no raw events and no snapshots.
#include "csr.h"
#include "platform.h"
#include "sbi.h"

extern "C" {
void counter_write(uint64_t number, uint64_t value);
uint64_t counter_config_read(uint64_t number);
void counter_config_write(uint64_t number, uint64_t value);
}

namespace pagoda::firmware {
namespace {

constexpr uint32_t kCycle = 1u << 0, kInstret = 1u << 2;
constexpr uint32_t kFixed = kCycle | kInstret;
constexpr uint32_t kNoCounter = 32;

// General hardware events.
constexpr uint64_t kEventCycles = 1, kEventInstructions = 2;

// mhpmevent, mcyclecfg and minstretcfg (Sscofpmf, Smcntrpmf).
constexpr uint64_t kOverflow = 1ull << 63, kNotMachine = 1ull << 62, kNotSupervisor = 1ull << 61, kNotUser = 1ull << 60;

// config_flags, start_flags and stop_flags.
constexpr uint64_t kSkipMatch = 1u << 0, kClearValue = 1u << 1, kAutoStart = 1u << 2, kSetNotUser = 1u << 5,
                   kSetNotSupervisor = 1u << 6;
constexpr uint64_t kSetInitialValue = 1u << 0;
constexpr uint64_t kReset = 1u << 0;

uint32_t bit(uint32_t counter) { return 1u << counter; }

// mhpmevent follows mcountinhibit by the counter's number; mcyclecfg lies where that of `time` would be.
uint32_t config_number(uint32_t counter) { return counter == 0 ? 1 : counter; }

bool has_config(const Hart& hart, uint32_t counter) {
  return (bit(counter) & kFixed) == 0 || (hart.extensions & kIsaSmcntrpmf) != 0;
}

uint32_t counters_of(uint64_t event) {
  if (platform.event_count == 0) return event == kEventCycles ? kCycle : event == kEventInstructions ? kInstret : 0;
  uint32_t counters = 0;
  for (uint32_t i = 0; i < platform.event_count; ++i) {
    const Platform::CountableEvent& row = platform.events[i];
    if (event >= row.first && event <= row.last) counters |= row.counters;
  }
  // What cycle and instret count is given, whatever the device tree says.
  if (event != kEventCycles) counters &= ~kCycle;
  if (event != kEventInstructions) counters &= ~kInstret;
  return counters;
}

uint32_t all_counters() {
  uint32_t counters = kFixed;
  for (uint32_t i = 0; i < platform.event_count; ++i) counters |= platform.events[i].counters;
  return counters & ~2u;  // 1 is the time
}

uint64_t selector_of(uint64_t event) {
  for (uint32_t i = 0; i < platform.selector_count; ++i) {
    if (platform.selectors[i].event == event) return platform.selectors[i].selector;
  }
  return event;
}

// The counters that a base and a mask name; 0 if one of them does not exist.
uint32_t select_counters(uint64_t base, uint64_t mask) {
  if (base > 31 || mask == 0 || mask << base >> base != mask || (mask << base) >> 32 != 0) return 0;
  const auto selected = static_cast<uint32_t>(mask << base);
  return (selected & ~all_counters()) == 0 ? selected : 0;
}

bool is_running(uint32_t counter) { return (csr_read<kMcountinhibit>() & bit(counter)) == 0; }

bool is_configured(const Hart& hart, uint32_t counter) { return ((hart.counters_in_use | kFixed) & bit(counter)) != 0; }

uint64_t filters(uint64_t flags) {
  uint64_t bits = kNotMachine;  // the firmware's own work is nobody's
  if ((flags & kSetNotUser) != 0) bits |= kNotUser;
  if ((flags & kSetNotSupervisor) != 0) bits |= kNotSupervisor;
  return bits;
}

void start(uint32_t counter) {
  // An overflow that is marked already would not interrupt.
  if ((bit(counter) & kFixed) == 0) counter_config_write(counter, counter_config_read(counter) & ~kOverflow);
  csr_clear<kMcountinhibit>(bit(counter));
}

// The best of those that are free: programmable ones, which interrupt, and leave cycle and instret to those who read
// them directly. A fixed counter that cannot leave out a mode will not do where that is asked for.
uint32_t choose(const Hart& hart, uint32_t candidates, uint64_t flags) {
  candidates &= ~hart.counters_in_use;
  const bool fixed_filter = (hart.extensions & kIsaSmcntrpmf) != 0;
  if ((flags & (kSetNotUser | kSetNotSupervisor)) != 0 && !fixed_filter) candidates &= ~kFixed;
  if ((candidates & ~kFixed) != 0) candidates &= ~kFixed;
  return candidates == 0 ? kNoCounter : static_cast<uint32_t>(__builtin_ctz(candidates));
}

SbiResult configure(Hart& hart, SbiArguments arguments) {
  const uint32_t selected = select_counters(arguments[0], arguments[1]);
  const uint64_t flags = arguments[2], event = arguments[3];
  if (selected == 0) return sbi_error(SbiError::kInvalidParam);
  uint32_t counter = 0;
  if ((flags & kSkipMatch) != 0) {
    counter = static_cast<uint32_t>(__builtin_ctz(selected));
    if (!is_configured(hart, counter)) return sbi_error(SbiError::kInvalidParam);
  } else {
    counter = choose(hart, selected & counters_of(event), flags);
    if (counter == kNoCounter) return sbi_error(SbiError::kNotSupported);
    csr_set<kMcountinhibit>(bit(counter));
    const bool fixed = (bit(counter) & kFixed) != 0;
    uint64_t config = fixed ? 0 : selector_of(event);
    if ((hart.extensions & (fixed ? kIsaSmcntrpmf : kIsaSscofpmf)) != 0) config |= filters(flags);
    if (has_config(hart, counter)) counter_config_write(config_number(counter), config);
    hart.counters_in_use |= bit(counter);
  }
  if ((flags & kClearValue) != 0) counter_write(counter, 0);
  if ((flags & kAutoStart) != 0) start(counter);
  return sbi_value(counter);
}

SbiResult start_counters(Hart& hart, SbiArguments arguments) {
  const uint32_t selected = select_counters(arguments[0], arguments[1]);
  if (selected == 0 || (arguments[2] & ~kSetInitialValue) != 0) return sbi_error(SbiError::kInvalidParam);
  SbiResult result = kSbiOk;
  for (uint32_t left = selected; left != 0; left &= left - 1) {
    const auto counter = static_cast<uint32_t>(__builtin_ctz(left));
    if (!is_configured(hart, counter)) return sbi_error(SbiError::kInvalidParam);
    if (is_running(counter)) {
      result = sbi_error(SbiError::kAlreadyStarted);
      continue;
    }
    if ((arguments[2] & kSetInitialValue) != 0) counter_write(counter, arguments[3]);
    start(counter);
  }
  return result;
}

SbiResult stop_counters(Hart& hart, SbiArguments arguments) {
  const uint32_t selected = select_counters(arguments[0], arguments[1]);
  if (selected == 0 || (arguments[2] & ~kReset) != 0) return sbi_error(SbiError::kInvalidParam);
  SbiResult result = kSbiOk;
  for (uint32_t left = selected; left != 0; left &= left - 1) {
    const auto counter = static_cast<uint32_t>(__builtin_ctz(left));
    if (!is_running(counter)) result = sbi_error(SbiError::kAlreadyStopped);
    csr_set<kMcountinhibit>(bit(counter));
    if ((arguments[2] & kReset) == 0) continue;
    if (has_config(hart, counter)) counter_config_write(config_number(counter), 0);
    hart.counters_in_use &= ~bit(counter);
  }
  return result;
}

}  // namespace

void counters_stop(Hart& hart) {
  hart.counters_in_use = 0;
  if (csr_exists<kMcountinhibit>()) csr_write<kMcountinhibit>(~uint64_t{kFixed | 2});
}

SbiResult sbi_pmu(Hart& hart, uint64_t function, SbiArguments arguments) {
  constexpr uint64_t kFirstCsr = 0xc00, kWidthShift = 12, kWidth = 63;
  if (!csr_exists<kMcountinhibit>()) return sbi_error(SbiError::kNotSupported);
  switch (function) {
    case 0:
      return sbi_value(32 - static_cast<uint64_t>(__builtin_clz(all_counters())));
    case 1:
      if (arguments[0] > 31 || (all_counters() & bit(static_cast<uint32_t>(arguments[0]))) == 0) {
        return sbi_error(SbiError::kInvalidParam);
      }
      return sbi_value((kFirstCsr + arguments[0]) | kWidth << kWidthShift);
    case 2:
      return configure(hart, arguments);
    case 3:
      return start_counters(hart, arguments);
    case 4:
      return stop_counters(hart, arguments);
    default:
      return sbi_error(SbiError::kNotSupported);
  }
}

}  // namespace pagoda::firmware
