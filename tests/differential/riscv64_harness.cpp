// SPDX-License-Identifier: MIT
// The fuzzer's end inside the oracle: a static RISC-V Linux program of raw system calls.
//
// It runs in a signal handler. Returning from it loads every register of a case and jumps to the instruction; the
// illegal instruction behind it brings control back with every register saved. So the registers of a case need no code
// of ours.
#include "riscv64_protocol.h"

namespace {

constexpr long kRead = 63, kWrite = 64, kExitGroup = 94, kSigAltStack = 132, kSigAction = 134, kMmap = 222;
constexpr int kSigIll = 4, kSigTrap = 5, kSigBus = 7, kSigSegv = 11;

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

[[noreturn]] void leave(int status) {
  for (;;) system_call(kExitGroup, status);
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
struct Stack {
  void* base;
  int flags;
  unsigned long size;
};
constexpr unsigned long kSigInfo = 4, kOnStack = 0x08000000;

Case cases[kMaxBatch];
Outcome outcomes[kMaxBatch];
Batch batch;
Word current;
bool running;

// Where no case's stack pointer is likely to point: inside the alternate stack a signal would not switch to it.
constexpr Double kSignalStack = 0x6a5a3000, kSignalStackSize = 0x10000;

void read_all(void* to, unsigned long size) {
  auto* at = static_cast<Byte*>(to);
  while (size != 0) {
    const long got = system_call(kRead, 0, reinterpret_cast<long>(at), static_cast<long>(size));
    if (got <= 0) leave(got == 0 ? 0 : 3);
    at += got;
    size -= static_cast<unsigned long>(got);
  }
}

void write_all(const void* from, unsigned long size) {
  auto* at = static_cast<const Byte*>(from);
  while (size != 0) {
    const long put = system_call(kWrite, 1, reinterpret_cast<long>(at), static_cast<long>(size));
    if (put <= 0) leave(4);
    at += put;
    size -= static_cast<unsigned long>(put);
  }
}

void copy(void* to, const void* from, unsigned long size) {
  for (unsigned long i = 0; i < size / 8; ++i)
    static_cast<volatile Double*>(to)[i] = static_cast<const Double*>(from)[i];
}

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

void on_signal(int signal, void*, Context* context) {
  if (running) {
    end_case(signal, context);
    ++current;
  }
  running = true;
  if (current == batch.count) {
    write_all(outcomes, batch.count * sizeof(Outcome));
    read_all(&batch, sizeof batch);
    if (batch.count == 0 || batch.count > kMaxBatch) leave(0);
    read_all(cases, batch.count * sizeof(Case));
    current = 0;
  }
  begin_case(context);
}

void map(Double base, Double size, int protection) {
  constexpr int kPrivate = 2, kFixed = 16, kAnonymous = 32;
  const long got = system_call(kMmap, static_cast<long>(base), static_cast<long>(size), protection,
                               kPrivate | kFixed | kAnonymous, -1);
  if (got != static_cast<long>(base)) leave(5);
}

}  // namespace

extern "C" [[noreturn]] void harness_main() {
  map(kCodeBase, kCodeSize, 7);
  map(kDataBase, kDataSize, 3);
  map(kSignalStack, kSignalStackSize, 3);
  const Stack stack{reinterpret_cast<void*>(kSignalStack), 0, kSignalStackSize};
  if (system_call(kSigAltStack, reinterpret_cast<long>(&stack)) != 0) leave(6);
  const Action action{on_signal, kSigInfo | kOnStack, 0};
  constexpr int kCaught[] = {kSigIll, kSigTrap, kSigBus, kSigSegv};
  for (const int signal : kCaught) {
    if (system_call(kSigAction, signal, reinterpret_cast<long>(&action), 0, 8) != 0) leave(7);
  }
  for (;;) asm volatile("unimp");  // into the handler, for good
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
