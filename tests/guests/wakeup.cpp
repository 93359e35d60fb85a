// SPDX-License-Identifier: MIT
// WFI: wake-ups by timers that all harts set again and again, and by an interrupt that goes round the harts. A lost one
// shows as a hang.
#include "guest.h"

namespace {

constexpr u32 kTimers = 150, kHops = 2000;
u64 fired[kMaxHarts], deadline[kMaxHarts];

void wait_until(const u64& word, u64 value) {
  // Interrupts are off between the look and WFI, which wakes all the same.
  for (;;) {
    asm volatile("csrci mstatus, 8" ::: "memory");
    if (load_acquire(word) >= value) break;
    asm volatile("wfi\n csrsi mstatus, 8" ::: "memory");
  }
  asm volatile("csrsi mstatus, 8" ::: "memory");
}

}  // namespace

void on_timer(u32 hart) {
  if (time_now() < deadline[hart]) fail(1, "the timer is early", hart, deadline[hart]);
  set_timer(hart, ~0ul);
  store_release(fired[hart], load(fired[hart]) + 1);
}

u64 rung[kMaxHarts];

void on_ipi(u32 hart) { store_release(rung[hart], load(rung[hart]) + 1); }

void test(u32 hart, u32 harts) {
  enable_interrupts(true, true);
  for (u32 n = 1; n <= kTimers; ++n) {
    deadline[hart] = time_now() + (n * 977 + hart * 131) % 30000;
    set_timer(hart, deadline[hart]);
    wait_until(fired[hart], n);
  }
  barrier(harts);
  if (harts == 1) return;
  for (u32 n = 1; n <= kHops; ++n) {
    if (hart != 0) wait_until(rung[hart], n);
    send_ipi((hart + 1) % harts);
    if (hart == 0) wait_until(rung[hart], n);
  }
  if (rung[hart] != kHops) fail(2, "interrupts went missing", hart, rung[hart]);
}
