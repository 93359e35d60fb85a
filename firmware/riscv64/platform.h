// SPDX-License-Identifier: MIT
// What the device tree says about the machine, gathered once by the boot hart and constant from then on.
#pragma once

#include <stdint.h>

#include "hart.h"

namespace pagoda::firmware {

struct PhysicalRange {
  uint64_t base;
  uint64_t size;
};

struct Uart {
  uint64_t base;  // 0 if there is none
  uint32_t shift;
  uint32_t width;  // bytes per access: 1 or 4
};

// A register write that resets the machine: syscon-poweroff, syscon-reboot. Address 0 if there is none.
struct SysconWrite {
  uint64_t address;
  uint32_t value;
  uint32_t mask;
};

struct Platform {
  Uart uart;
  uint64_t htif_fromhost;  // 0 if there is no HTIF
  uint64_t htif_tohost;
  uint64_t finisher;  // sifive,test0; 0 if there is none
  SysconWrite poweroff;
  SysconWrite reboot;

  // Interrupt and timer registers that only machine mode may touch.
  static constexpr uint32_t kMaxPrivateRanges = 6;
  PhysicalRange private_ranges[kMaxPrivateRanges];
  uint32_t private_range_count;

  // Which counters can count which of the general events (node "riscv,pmu"), and the event's number in mhpmevent.
  struct CountableEvent {
    uint32_t first, last;  // SBI event indices
    uint32_t counters;
  };
  struct EventSelector {
    uint32_t event;
    uint64_t selector;
  };
  static constexpr uint32_t kMaxEvents = 8;
  CountableEvent events[kMaxEvents];
  EventSelector selectors[kMaxEvents];
  uint32_t event_count, selector_count;

  // Where harts go: the boot hart at once, with the device tree as argument.
  uint64_t boot_hart_id;
  uint64_t next_address;
  uint64_t device_tree;
};

extern Platform platform;

// The firmware's own memory, as the linker script sizes it.
PhysicalRange firmware_range();

}  // namespace pagoda::firmware
