// SPDX-License-Identifier: MIT
// The fuzzer's end inside the oracle: a static RISC-V Linux program of raw system calls.
//
// It runs in a signal handler. Returning from it loads every register of a case and jumps to the instruction; the
// illegal instruction behind it brings control back with every register saved. So the registers of a case need no code
// of ours.
#include "riscv64_protocol.h"

namespace {

long system_call(long number, long a, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long a0 asm("a0") = a;
  register long a1 asm("a1") = b;
  register long a2 asm("a2") = c;
  register long a3 asm("a3") = d;
  register long a4 asm("a4") = e;
  register long a5 asm("a5") = f;
  register long a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
  return a0;
}

// Linux for RISC-V: the layout of ucontext_t and of sigaction.
struct Context {
  unsigned long flags;
  Context* link;
  void* stack;
  int stack_flags;
  unsigned long stack_size;
  unsigned long mask[16];  // 1024 bits are reserved
  alignas(16) Double pc;
  Double x[31];
  Double f[32];
  Word fcsr;
};
struct Action {
  void (*handler)(int, void*, Context*);
  unsigned long flags;
  unsigned long mask;
};

#include "harness_base.inc"

#include "harness.inc"

Double placed_pc;
Word placed_bits;

void put_code(Double pc, Word bits) {
  auto* at = reinterpret_cast<volatile unsigned short*>(pc);
  at[0] = static_cast<unsigned short>(bits);
  at[1] = static_cast<unsigned short>(bits >> 16);
}

// Puts the instruction in place. The pages before it stay zero.
void place(const Case& c) {
  if (placed_pc == c.pc && placed_bits == c.bits) return;
  if (placed_pc != 0 && placed_pc != c.pc) put_code(placed_pc, 0);
  put_code(c.pc, c.bits);
  placed_pc = c.pc;
  placed_bits = c.bits;
  asm volatile("fence.i" : : : "memory");
}

void begin_case(Context* context) {
  const Case& c = cases[current];
  place(c);
  copy(reinterpret_cast<void*>(c.window), c.memory, kWindow);
  copy(context->x, c.x + 1, sizeof context->x);
  copy(context->f, c.f, sizeof context->f);
  context->fcsr = c.fcsr;
  context->pc = c.pc;
}

void end_case(int signal, const Context* context) {
  Outcome& o = outcomes[current];
  copy(o.x + 1, context->x, sizeof context->x);
  copy(o.f, context->f, sizeof context->f);
  copy(o.memory, reinterpret_cast<const void*>(cases[current].window), kWindow);
  o.pc = context->pc;
  o.fcsr = context->fcsr;
  o.signal = static_cast<Word>(signal);
}

[[noreturn]] void give_control() {
  for (;;) asm volatile("unimp");
}

}  // namespace

extern "C" [[noreturn]] void harness_main() {
  map(kDataBase, kDataSize, 3);
  const Action action{on_signal, kSigInfo | kOnStack, 0};
  serve(action);
}

asm(R"(
  .globl _start
_start:
  .option push
  .option norelax
  la gp, __global_pointer$
  .option pop
  call harness_main
)");
