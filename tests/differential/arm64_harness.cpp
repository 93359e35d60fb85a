// SPDX-License-Identifier: MIT
// The fuzzer's end inside the oracle: a static ARM64 Linux program of raw system calls.
//
// It runs in a signal handler. Returning from it loads every register of a case and jumps to the instruction; the
// undefined instruction behind it brings control back with every register saved.
#include "arm64_protocol.h"

namespace {

long system_call(long number, long a, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  register long x8 asm("x8") = number;
  asm volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
  return x0;
}

// Linux for ARM64: the layout of ucontext_t with the record of vector registers that comes first, and of sigaction.
struct Context {
  unsigned long flags;
  Context* link;
  void* stack;
  int stack_flags;
  unsigned long stack_size;
  unsigned long mask[16];  // 1024 bits are reserved
  alignas(16) Double fault_address;
  Double x[31];
  Double sp;
  Double pc;
  Double pstate;
  alignas(16) Word magic;
  Word record_size;
  Word fpsr;
  Word fpcr;
  Vector128 v[32];
};
constexpr Word kVectorRecord = 0x46508001;
constexpr Double kFlags = 0xf0000000;
struct Action {
  void (*handler)(int, void*, Context*);
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};

#include "harness.inc"

Double placed_pc;
Word placed[kMostWords];

void put_code(Double pc, const Word* words, Word count) {
  for (Word i = 0; i < count; ++i) reinterpret_cast<volatile Word*>(pc)[i] = words[i];
}

bool is_placed(const Case& c) {
  bool same = placed_pc == c.pc;
  for (Word i = 0; i < kMostWords; ++i) same = same && placed[i] == c.code[i];
  return same;
}

void place(const Case& c) {
  if (is_placed(c)) return;
  constexpr Word nothing[kMostWords] = {};
  if (placed_pc != 0) put_code(placed_pc, nothing, kMostWords);
  put_code(c.pc, c.code, kMostWords);
  placed_pc = c.pc;
  for (Word i = 0; i < kMostWords; ++i) placed[i] = c.code[i];
  asm volatile("dsb ish\n\tisb" : : : "memory");
}

void begin_case(Context* context) {
  if (context->magic != kVectorRecord) leave(8);
  const Case& c = cases[current];
  place(c);
  copy(reinterpret_cast<void*>(c.window), c.memory, kWindow);
  copy(context->x, c.x, sizeof context->x);
  copy(context->v, c.v, sizeof context->v);
  context->sp = c.sp;
  context->pc = c.pc;
  context->pstate = (context->pstate & ~kFlags) | c.nzcv;
  context->fpcr = c.fpcr;
  context->fpsr = c.fpsr;
}

void end_case(int signal, const Context* context) {
  Outcome& o = outcomes[current];
  copy(o.x, context->x, sizeof context->x);
  copy(o.v, context->v, sizeof context->v);
  copy(o.memory, reinterpret_cast<const void*>(cases[current].window), kWindow);
  o.sp = context->sp;
  o.pc = context->pc;
  o.nzcv = static_cast<Word>(context->pstate & kFlags);
  o.fpsr = context->fpsr;
  o.signal = static_cast<Word>(signal);
}

[[noreturn]] void give_control() {
  for (;;) asm volatile("udf #0");
}

}  // namespace

extern "C" [[noreturn]] void _start() {
  map(kDataBase, kDataSize, 3);
  const Action action{on_signal, kSigInfo | kOnStack, nullptr, 0};
  serve(action);
}
