// SPDX-License-Identifier: MIT
// Integer workloads: loops, calls, branches, indirect jumps, divisions. Each prints a checksum of what it computed.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Sizes are in eighths of the usual one; this much of `n` is to be done, at least one.
static uint32_t eighths = 8;
static uint64_t of(uint64_t n) {
  uint64_t part = n * eighths / 8;
  return part ? part : 1;
}
static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static uint64_t sieve(void) {
  enum { kLimit = 1 << 21 };
  static uint8_t composite[kLimit];
  uint64_t sum = 0;
  for (uint64_t round = of(12); round > 0; round--) {
    memset(composite, 0, sizeof composite);
    for (uint32_t i = 2; i < kLimit; i++) {
      if (composite[i]) continue;
      sum += i;
      for (uint64_t j = (uint64_t)i * i; j < kLimit; j += i) composite[j] = 1;
    }
  }
  return sum;
}

static uint64_t mix(void) {
  uint64_t a = 1, b = 2, c = 3, end = of(300000000);
  for (uint64_t i = 0; i < end; i++) {
    a += (b << 7) ^ (c >> 3);
    b ^= a + i;
    c = c * 6364136223846793005u + b;
  }
  return a ^ b ^ c;
}

static uint32_t fibonacci(uint32_t n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static uint64_t calls(void) {
  volatile uint32_t n = eighths < 8 ? 35 : eighths > 8 ? 42 : 39;  // a step is a factor of 1.6
  return fibonacci(n);
}

// Virtual calls as objects of several types have them: the targets follow no pattern.
#define VIRTUAL(n) \
  static __attribute__((noinline)) uint64_t method##n(uint64_t x) { return (x ^ (n + 1)) * (2 * n + 3); }
VIRTUAL(0) VIRTUAL(1) VIRTUAL(2) VIRTUAL(3) VIRTUAL(4) VIRTUAL(5) VIRTUAL(6) VIRTUAL(7)
static uint64_t indirect(void) {
  static uint64_t (*volatile const methods[])(uint64_t) = {method0, method1, method2, method3,
                                                           method4, method5, method6, method7};
  static uint8_t kinds[4096];
  uint64_t x = 1;
  for (size_t i = 0; i < sizeof kinds; i++) kinds[i] = next_random() & 7;
  for (uint64_t i = 0, end = of(40000000); i < end; i++) x = methods[kinds[i & 4095]](x);
  return x;
}

// Parsers, tree walks: functions of some depth that call each other in turn.
static __attribute__((noinline)) uint64_t odd(uint32_t n, uint64_t x);
static __attribute__((noinline)) uint64_t even(uint32_t n, uint64_t x) { return n == 0 ? x : odd(n - 1, x * 5) + n; }
static __attribute__((noinline)) uint64_t odd(uint32_t n, uint64_t x) { return n == 0 ? ~x : even(n - 1, x + 7) ^ n; }
static uint64_t depth(void) {
  uint64_t x = 0;
  for (uint64_t i = 0, end = of(5000000); i < end; i++) x += even(i & 63, x);
  return x;
}

static uint64_t collatz(void) {
  uint64_t longest = 0;
  for (uint64_t start = 1, end = of(2000000); start < end; start++) {
    uint64_t n = start, steps = 0;
    while (n != 1) {
      n = (n & 1) ? 3 * n + 1 : n / 2;
      steps++;
    }
    if (steps > longest) longest = steps ^ (start << 20);
  }
  return longest;
}

static uint64_t divide(void) {
  uint64_t sum = 0;
  for (uint64_t i = 1, end = of(60000000); i < end; i++) {
    uint64_t r = next_random();
    sum += r / (uint32_t)i + r % (uint32_t)(i + 7);
  }
  return sum;
}

// A small stack machine: one indirect jump for each instruction, as interpreters of languages have it.
static uint64_t dispatch(void) {
  static const uint8_t program[] = {0, 1, 2, 3, 1, 4, 0, 5, 2, 6, 1, 3, 4, 7};
  static void* const labels[] = {&&push, &&add, &&shift, &&exclusive, &&swap, &&negate, &&load, &&again};
  uint64_t x = 1, y = 2, memory[16] = {3, 5, 7, 11};
  uint32_t at = 0, rounds = 0, end = of(3500000);
#define NEXT goto* labels[program[at++]]
  NEXT;
push:
  x += memory[rounds & 15];
  NEXT;
add:
  x += y;
  NEXT;
shift:
  x = x << 3 | x >> 61;
  NEXT;
exclusive:
  y ^= x;
  NEXT;
swap:
  memory[x & 15] = y;
  NEXT;
negate:
  y = -y;
  NEXT;
load:
  x ^= memory[y & 15];
  NEXT;
again:
  at = 0;
  if (++rounds < end) NEXT;
#undef NEXT
  return x ^ y;
}

static int compare(const void* a, const void* b) {
  uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

static uint64_t sort(void) {
  enum { kMost = 3000000 };
  static uint32_t values[kMost];
  uint64_t sum = 0;
  const uint64_t count = of(600000) < kMost ? of(600000) : kMost;
  for (uint64_t i = 0; i < count; i++) values[i] = (uint32_t)next_random();
  qsort(values, count, sizeof values[0], compare);
  for (uint64_t i = 0; i < count; i++) sum = sum * 31 + values[i];
  return sum;
}

int main(int argc, char** argv) {
  static const struct {
    const char* name;
    uint64_t (*run)(void);
  } table[] = {{"sieve", sieve}, {"mix", mix}, {"calls", calls}, {"collatz", collatz},
               {"divide", divide}, {"dispatch", dispatch}, {"sort", sort}, {"indirect", indirect}, {"depth", depth}};
  if (argc < 2 || argc > 3) return 2;
  if (argc == 3) eighths = (uint32_t)atoi(argv[2]);
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (!strcmp(argv[1], table[i].name)) return printf("%016llx\n", (unsigned long long)table[i].run()) < 0;
  return 2;
}
