// SPDX-License-Identifier: MIT
// Start of all harts, barrier, interrupts, verdict.
#include "guest.h"

namespace {

constexpr u64 kFinisher = 0x100000, kClint = 0x2000000, kUart = 0x10000000;

template <class T>
volatile T& reg(u64 address) {
  return *reinterpret_cast<volatile T*>(address);
}

u32 present, arrived, phase, failed;

void put(const char* text) {
  for (; *text != 0; ++text) reg<unsigned char>(kUart) = static_cast<unsigned char>(*text);
}
void put_hex(u64 value) {
  put(" 0x");
  for (int shift = 60; shift >= 0; shift -= 4) reg<unsigned char>(kUart) = "0123456789abcdef"[value >> shift & 15];
}
u32 hart_id() {  // M mode
  u64 id;
  asm volatile("csrr %0, mhartid" : "=r"(id));
  return static_cast<u32>(id);
}

// There is one such register for each hart; nobody takes the interrupt yet.
bool has_software_interrupt(u32 hart) {
  auto& msip = reg<u32>(kClint + 4 * hart);
  msip = 1;
  const bool there = msip == 1;
  msip = 0;
  return there;
}

}  // namespace

void fail(u32 code, const char* what, u64 a, u64 b, u64 c) {
  if (__atomic_fetch_add(&failed, 1, __ATOMIC_SEQ_CST) == 0) {
    put("FAIL: ");
    put(what);
    put_hex(a);
    put_hex(b);
    put_hex(c);
    put("\n");
    reg<u32>(kFinisher) = code << 16 | 0x3333;
  }
  for (;;) asm volatile("" ::: "memory");
}

void barrier(u32 harts) {
  const u32 now = load(phase);
  if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == harts) {
    store(arrived, 0u);
    store_release(phase, now + 1);
  } else {
    while (load_acquire(phase) == now) pause();
  }
}

void send_ipi(u32 hart) {
  fence();
  reg<u32>(kClint + 4 * hart) = 1;
}
u64 time_now() { return reg<u64>(kClint + 0xbff8); }
void set_timer(u32 hart, u64 when) { reg<u64>(kClint + 0x4000 + 8 * hart) = when; }

void enable_interrupts(bool software, bool timer) {
  const u64 bits = (software ? 8u : 0u) | (timer ? 128u : 0u);
  asm volatile("csrw mie, %0\n csrsi mstatus, 8" ::"r"(bits) : "memory");
}

extern "C" void trap(u64 cause, u64 pc, u64 value) {
  const u32 hart = hart_id();
  if (cause == (u64{1} << 63 | 3)) {
    reg<u32>(kClint + 4 * hart) = 0;
    on_ipi(hart);
  } else if (cause == (u64{1} << 63 | 7)) {
    on_timer(hart);
  } else {
    fail(99, "exception", cause, pc, value);
  }
}

extern "C" void hart_main(u32 hart) {
  set_timer(hart, ~u64{0});
  __atomic_fetch_add(&present, 1, __ATOMIC_SEQ_CST);
  static u32 harts;
  if (hart == 0) {
    // Exactly those take part that there are: one that came late would not be fenced with the others.
    u32 there = 1;
    while (there < kMaxHarts && has_software_interrupt(there)) ++there;
    while (load(present) != there) {
    }
    store_release(harts, there);
  }
  while (load_acquire(harts) == 0) {
  }
  test(hart, load(harts));
  barrier(load(harts));
  if (hart == 0) reg<u32>(kFinisher) = 0x5555;
}
