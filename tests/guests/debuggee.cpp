// SPDX-License-Identifier: MIT
// A guest for the debugger's test: two harts, calls, memory that changes, a trap. It goes on until the debugger lets it
// end.
#include "guest.h"

extern "C" {

// What the test looks at by name; everything is reached through memory, so that the debugger's writes count.
volatile u64 counter, watched, wanted_rounds = 1000000000, second_rounds, traps;
volatile u32 words[4] = {0x11111111, 0x22222222, 0x33333333, 0x44444444};

__attribute__((noinline)) u64 add_one(u64 value) {
  asm volatile("" ::: "memory");
  return value + 1;
}

__attribute__((noinline)) void round_done(u64 round) {
  watched = round * 2;
  words[1] = words[0] + static_cast<u32>(round);
}

__attribute__((noinline)) void make_trap() {
  asm volatile(".option push\n.option norvc\necall\n.option pop" ::: "memory");
}

void second_hart() {
  for (;;) second_rounds = second_rounds + 1;
}

void trap(u64 cause, u64 pc, u64) {
  traps = traps + 1;
  if (cause >> 63 == 0) asm volatile("csrw mepc, %0" ::"r"(pc + 4));
}

void hart_main(u32 hart) {
  if (hart != 0) second_hart();
  while (counter < wanted_rounds) {
    counter = add_one(counter);
    round_done(counter);
    if (counter % 16 == 0) make_trap();
  }
  *reinterpret_cast<volatile u32*>(0x100000) = 0x5555;  // the test finisher: all is well
}

}  // extern "C"
