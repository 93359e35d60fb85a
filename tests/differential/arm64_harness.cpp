// SPDX-License-Identifier: MIT
// The fuzzer's end inside the oracle: a static ARM64 Linux program of raw system calls.
//
// enter_case() loads every register of a case and jumps to its code. Straight code is followed by a branch to what
// stores every register; other code comes to an undefined instruction, and so does what traps: then the signal's frame
// holds the registers. Signals cost a hundred times what the rest does.
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

#include "harness_base.inc"

// Where straight code goes on: within reach of a direct branch, where no case jumps to.
constexpr Double kReturn = kCodeBase + kCodeSize - 0x1000;
// The word before a case loads its last two registers.
constexpr Word kLoadX0X1 = 0xa9400400;  // ldp x0, x1, [x0]

static_assert(__builtin_offsetof(Case, x) == 0 && __builtin_offsetof(Case, sp) == 248);
static_assert(__builtin_offsetof(Case, v) == 256 && __builtin_offsetof(Case, pc) == 768);
static_assert(__builtin_offsetof(Case, nzcv) == 824 && __builtin_offsetof(Case, fpcr) == 832);
static_assert(__builtin_offsetof(Outcome, v) == 256 && __builtin_offsetof(Outcome, nzcv) == 780);
static_assert(__builtin_offsetof(Outcome, fpsr) == 784);

}  // namespace

// enter_case(case, outcome) comes back when the case is done: false behind straight code, whose registers are stored,
// true from left_by_signal, where the signal handler sends control to.
extern "C" bool enter_case(const Case*, Outcome*);
extern "C" const char left_by_signal[], end_of_straight_code[];
extern "C" {
Double kept_sp;
Outcome* kept_outcome;
}

#define EACH_PAIR(op, from)                                                                                          \
  #op " x2, x3, [" #from ", #16]\n" #op " x4, x5, [" #from ", #32]\n" #op " x6, x7, [" #from ", #48]\n" #op          \
      " x8, x9, [" #from ", #64]\n" #op " x10, x11, [" #from ", #80]\n" #op " x12, x13, [" #from ", #96]\n" #op      \
      " x14, x15, [" #from ", #112]\n" #op " x16, x17, [" #from ", #128]\n" #op " x18, x19, [" #from ", #144]\n" #op \
      " x20, x21, [" #from ", #160]\n" #op " x22, x23, [" #from ", #176]\n" #op " x24, x25, [" #from ", #192]\n" #op \
      " x26, x27, [" #from ", #208]\n" #op " x28, x29, [" #from ", #224]\n"
#define EACH_VECTOR(op, from)                                                                                        \
  #op " q0, q1, [" #from ", #256]\n" #op " q2, q3, [" #from ", #288]\n" #op " q4, q5, [" #from ", #320]\n" #op       \
      " q6, q7, [" #from ", #352]\n" #op " q8, q9, [" #from ", #384]\n" #op " q10, q11, [" #from ", #416]\n" #op     \
      " q12, q13, [" #from ", #448]\n" #op " q14, q15, [" #from ", #480]\n" #op " q16, q17, [" #from ", #512]\n" #op \
      " q18, q19, [" #from ", #544]\n" #op " q20, q21, [" #from ", #576]\n" #op " q22, q23, [" #from ", #608]\n" #op \
      " q24, q25, [" #from ", #640]\n" #op " q26, q27, [" #from ", #672]\n" #op " q28, q29, [" #from ", #704]\n" #op \
      " q30, q31, [" #from ", #736]\n"

asm(R"(
  .arch_extension simd
  .text
  .global enter_case, left_by_signal, end_of_straight_code
  enter_case:
  stp x29, x30, [sp, #-96]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  adrp x2, kept_sp
  mov x3, sp
  str x3, [x2, :lo12:kept_sp]
  adrp x2, kept_outcome
  str x1, [x2, :lo12:kept_outcome]
  ldr w2, [x0, #824]
  ldr w3, [x0, #832]
  ldr w4, [x0, #836]
  ldr x5, [x0, #248]
  msr nzcv, x2
  msr fpcr, x3
  msr fpsr, x4
  mov sp, x5
  clrex
)" EACH_VECTOR(ldp, x0) EACH_PAIR(ldp, x0) R"(
  ldr x30, [x0, #240]
  ldr x1, [x0, #768]
  sub x1, x1, #4
  br x1

  end_of_straight_code:
  adrp x30, kept_outcome
  ldr x30, [x30, :lo12:kept_outcome]
  stp x0, x1, [x30]
)" EACH_PAIR(stp, x30) EACH_VECTOR(stp, x30) R"(
  mrs x0, tpidr_el0
  mov x1, sp
  stp x0, x1, [x30, #240]
  mrs x0, nzcv
  mrs x1, fpsr
  str w0, [x30, #780]
  str w1, [x30, #784]
  mov w0, #0
  b 1f
  left_by_signal:
  mov w0, #1
  1:
  adrp x2, kept_sp
  ldr x2, [x2, :lo12:kept_sp]
  mov sp, x2
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp x29, x30, [sp], #96
  ret
)");

namespace {

Double placed_pc;
Word placed[kMostWords + 2], placed_count;

void put_code(Double pc, const Word* words, Word count) {
  for (Word i = 0; i < count; ++i) reinterpret_cast<volatile Word*>(pc)[i] = words[i];
}

bool is_placed(const Case& c, const Word* words, Word count) {
  bool same = placed_pc == c.pc - 4 && placed_count == count;
  for (Word i = 0; i < count; ++i) same = same && placed[i] == words[i];
  return same;
}

// A word that loads, the case, and for straight code the way back.
void place(const Case& c) {
  Word words[kMostWords + 2] = {kLoadX0X1};
  Word count = 1;
  for (; count <= c.words; ++count) words[count] = c.code[count - 1];
  if ((c.kinds & kStraight) != 0) {
    words[count] = 0x14000000 | (static_cast<Word>((kReturn - (c.pc + 4 * c.words)) >> 2) & 0x03ffffff);
    ++count;
  }
  if (is_placed(c, words, count)) return;
  constexpr Word nothing[kMostWords + 2] = {};
  if (placed_pc != 0) put_code(placed_pc, nothing, placed_count);
  put_code(c.pc - 4, words, count);
  placed_pc = c.pc - 4;
  placed_count = count;
  for (Word i = 0; i < count; ++i) placed[i] = words[i];
  asm volatile("dsb ish\n\tisb" : : : "memory");
}

void on_signal(int signal, void*, Context* context) {
  if (context->magic != kVectorRecord) leave(8);
  Outcome& o = *kept_outcome;
  copy(o.x, context->x, sizeof context->x);
  copy(o.v, context->v, sizeof context->v);
  o.sp = context->sp;
  o.pc = context->pc;
  o.nzcv = static_cast<Word>(context->pstate & kFlags);
  o.fpsr = context->fpsr;
  o.signal = static_cast<Word>(signal);
  context->pc = reinterpret_cast<Double>(left_by_signal);
}

void run(const Case& c, Outcome& o) {
  place(c);
  const bool memory = (c.kinds & kUsesMemory) != 0;
  if (memory) copy(reinterpret_cast<void*>(c.window), c.memory, kWindow);
  if (!enter_case(&c, &o)) {
    o.pc = c.pc + 4 * c.words;
    o.signal = kSigIll;
  }
  if (memory) copy(o.memory, reinterpret_cast<const void*>(c.window), kWindow);
}

// msr tpidr_el0, x30; ldr x30, the address behind; br x30.
void put_way_back() {
  const Double to = reinterpret_cast<Double>(end_of_straight_code);
  const Word words[] = {0xd51bd05e, 0x5800005e, 0xd61f03c0, static_cast<Word>(to), static_cast<Word>(to >> 32)};
  put_code(kReturn, words, 5);
}

void map_shared() {
  constexpr int kShared = 1, kFixed = 16;
  const long got =
      system_call(kMmap, static_cast<long>(kSharedBase), 2 * sizeof(SharedHalf), 3, kShared | kFixed, kSharedFd);
  if (got != static_cast<long>(kSharedBase)) leave(9);
}

}  // namespace

extern "C" [[noreturn]] void _start() {
  map(kCodeBase, kCodeSize, 7);
  map(kDataBase, kDataSize, 3);
  map_shared();
  catch_signals({on_signal, kSigInfo | kOnStack, nullptr, 0});
  put_way_back();
  auto* halves = reinterpret_cast<SharedHalf*>(kSharedBase);
  for (;;) {
    ArmBatch batch;
    read_all(&batch, sizeof batch);
    if (batch.count == 0 || batch.count > kHalf || batch.half > 1) leave(0);
    SharedHalf& half = halves[batch.half];
    for (Word i = 0; i < batch.count; ++i) run(half.cases[i], half.outcomes[i]);
    write_all(&batch, sizeof batch);
  }
}
