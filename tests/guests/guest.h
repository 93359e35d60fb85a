// SPDX-License-Identifier: MIT
// What the stress guests share: harts that run together, inter-processor interrupts, the verdict.
//
// Bare metal on the `virt` machine, started in M mode without firmware. A guest says test(); it runs on every hart, and
// when all have returned the program ends with status 0. fail() ends it with the code as status and a line on the
// serial port.
#pragma once

using u32 = unsigned;
using u64 = unsigned long;

inline constexpr u64 kPageBytes = 4096;
inline constexpr u32 kMaxHarts = 8;

// Provided by the guest.
void test(u32 hart, u32 harts);
void on_ipi(u32 hart);  // in M mode, interrupts off
void on_timer(u32 hart);

[[noreturn]] void fail(u32 code, const char* what, u64 a = 0, u64 b = 0, u64 c = 0);
// All harts wait for each other.
void barrier(u32 harts);
void send_ipi(u32 hart);
u64 time_now();  // 10 MHz
// Rounds go on for two seconds, however long one takes, but a few there are in any case.
inline bool is_over(u64 start, u64 rounds) { return rounds > 40 && time_now() - start > 20000000; }
void set_timer(u32 hart, u64 when);
void enable_interrupts(bool software, bool timer);

template <class T>
T load(const T& from) {
  return __atomic_load_n(&from, __ATOMIC_RELAXED);
}
template <class T>
void store(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_RELAXED);
}
template <class T>
T load_acquire(const T& from) {
  return __atomic_load_n(&from, __ATOMIC_ACQUIRE);
}
template <class T>
void store_release(T& to, T value) {
  __atomic_store_n(&to, value, __ATOMIC_RELEASE);
}
// A hint that the hart waits for another one: the host's processor is given away.
inline void pause() { asm volatile(".4byte 0x0100000f"); }
inline void fence() { asm volatile("fence rw, rw" ::: "memory"); }
inline void fence_i() { asm volatile("fence.i" ::: "memory"); }

// Instructions that guests write: addi a0, x0, value (-2048..2047); ret.
inline u32 insn_li_a0(u32 value) { return (value & 0xfff) << 20 | 10u << 7 | 0x13; }
inline constexpr u32 kInsnRet = 0x00008067;
