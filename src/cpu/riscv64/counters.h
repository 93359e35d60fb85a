// SPDX-License-Identifier: MIT
// Counters of a hart: cycle, instret and the programmable ones (Privileged ISA 3.1.10-3.1.12; Sscofpmf, Smcntrpmf).
//
// Two events exist, cycles and retired instructions, and both are the count of retired instructions, so that -icount
// makes every counter exact. Counters are numbered as in mcounteren: 0 cycle, 2 instret, 3 to 18 programmable; 19 to 31
// are read-only zero. Nothing is counted one by one: a counter that runs is an offset from the hart's instruction
// count, and what starts or stops it (inhibition, event, privilege) moves the offset. Threading: the owning vcpu's
// thread, or whoever holds it parked.
#pragma once

#include "cpu/riscv64/hart.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

inline constexpr u32 kCycle = 0, kInstret = 2, kFirstHpm = 3;
inline constexpr u32 kHpmCounters = kCounters - kFirstHpm;

// Event numbers in mhpmevent, those of QEMU and of SBI's general events.
inline constexpr u64 kEventCycles = 1, kEventInstructions = 2;

// mhpmevent, mcyclecfg, minstretcfg: overflow, and the modes in which the counter stands still.
namespace hpmevent {
inline constexpr u64 kOverflow = u64{1} << 63, kNotMachine = u64{1} << 62, kNotSupervisor = u64{1} << 61,
                     kNotUser = u64{1} << 60, kFilter = kNotMachine | kNotSupervisor | kNotUser;
}

// Counters that exist, as bits of mcounteren: `time` is one of them, mcountinhibit has no bit for it.
u64 counters_present(const Hart& hart);
inline constexpr u64 kTimeCounter = 2;

// `at`: instructions retired since reset, at the moment of the access or from which the change counts.
u64 counter_value(const Hart& hart, u32 counter, u64 at);
void set_counter(Hart& hart, u32 counter, u64 value, u64 at);
void set_all_counters(Hart& hart, const u64 (&values)[kCounters], u64 at);
// What a write to the counter's configuration leaves in it: events that do not exist become 0, "no event".
u64 legal_config(const Hart& hart, u32 counter, u64 value);
// Call after mcountinhibit or a configuration changed.
void counters_changed(Hart& hart, u64 at);
// Call after the privilege changed.
inline void counters_follow_privilege(Hart& hart, u64 at) {
  if (hart.filtered_counters != 0) [[unlikely]]
    counters_changed(hart, at);
}

// Records overflows that have happened and raises their interrupt; instructions until the next one can happen.
u64 until_overflow(Vcpu& vcpu);

}  // namespace pagoda::riscv64
