// SPDX-License-Identifier: MIT
// Memory model: outcomes that RVWMO forbids (Unprivileged ISA, chapter "RVWMO"), and counters under contention.
#include "guest.h"

namespace {

#ifndef LITMUS_BATCHES
#define LITMUS_BATCHES 12
#endif
constexpr u32 kPlaces = 512, kBatches = LITMUS_BATCHES;
struct alignas(64) Place {
  u64 value;
};
Place x[kPlaces], y[kPlaces];
u64 seen[4][kPlaces];

struct Shape {
  const char* name;
  u32 harts;
  void (*run)(u32 hart, u32 i);
  bool (*forbidden)(const u64* r);  // what the four observations were
};

void full_fence() { asm volatile("fence rw, rw" ::: "memory"); }
void read_fence() { asm volatile("fence r, r" ::: "memory"); }
void write_fence() { asm volatile("fence w, w" ::: "memory"); }
u64 lr_aqrl(u64& from) {
  u64 value;
  asm volatile("lr.d.aqrl %0, (%1)" : "=r"(value) : "r"(&from) : "memory");
  return value;
}
u64 swap_aqrl(u64& at, u64 value) {
  asm volatile("amoswap.d.aqrl %0, %0, (%1)" : "+r"(value) : "r"(&at) : "memory");
  return value;
}

const Shape shapes[] = {
    {"MP", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         store(x[i].value, 1ul), write_fence(), store(y[i].value, 1ul);
       } else {
         seen[0][i] = load(y[i].value), read_fence(), seen[1][i] = load(x[i].value);
       }
     },
     [](const u64* r) { return r[0] == 1 && r[1] == 0; }},
    {"SB", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         store(x[i].value, 1ul), full_fence(), seen[0][i] = load(y[i].value);
       } else {
         store(y[i].value, 1ul), full_fence(), seen[1][i] = load(x[i].value);
       }
     },
     [](const u64* r) { return r[0] == 0 && r[1] == 0; }},
    {"SB+lr.aqrl", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         store(x[i].value, 1ul), seen[0][i] = lr_aqrl(y[i].value);
       } else {
         store(y[i].value, 1ul), seen[1][i] = lr_aqrl(x[i].value);
       }
     },
     [](const u64* r) { return r[0] == 0 && r[1] == 0; }},
    {"SB+amo.aqrl", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         swap_aqrl(x[i].value, 1), seen[0][i] = load(y[i].value);
       } else {
         swap_aqrl(y[i].value, 1), seen[1][i] = load(x[i].value);
       }
     },
     [](const u64* r) { return r[0] == 0 && r[1] == 0; }},
    {"LB", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         seen[0][i] = load(x[i].value), full_fence(), store(y[i].value, 1ul);
       } else {
         seen[1][i] = load(y[i].value), full_fence(), store(x[i].value, 1ul);
       }
     },
     [](const u64* r) { return r[0] == 1 && r[1] == 1; }},
    {"CoRR", 2,
     [](u32 hart, u32 i) {
       if (hart == 0) {
         store(x[i].value, 1ul), store(x[i].value, 2ul);
       } else {
         seen[0][i] = load(x[i].value), seen[1][i] = load(x[i].value);
       }
     },
     [](const u64* r) { return r[0] > r[1]; }},
    {"IRIW", 4,
     [](u32 hart, u32 i) {
       switch (hart) {
         case 0:
           store(x[i].value, 1ul);
           break;
         case 1:
           store(y[i].value, 1ul);
           break;
         case 2:
           seen[0][i] = load(x[i].value), read_fence(), seen[1][i] = load(y[i].value);
           break;
         case 3:
           seen[2][i] = load(y[i].value), read_fence(), seen[3][i] = load(x[i].value);
           break;
       }
     },
     [](const u64* r) { return r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0; }},
};

void run_shapes(u32 hart, u32 harts) {
  for (const Shape& shape : shapes) {
    if (shape.harts > harts) continue;
    for (u32 batch = 0; batch < kBatches; ++batch) {
      if (hart == 0) {
        for (u32 i = 0; i < kPlaces; ++i) {
          x[i].value = y[i].value = 0;
          for (auto& row : seen) row[i] = 0;
        }
      }
      barrier(harts);
      // Different starting points bring the harts together somewhere.
      const u32 start = batch * 37 * hart;
      if (hart < shape.harts) {
        for (u32 i = 0; i < kPlaces; ++i) shape.run(hart, (start + i) % kPlaces);
      }
      barrier(harts);
      if (hart == 0) {
        for (u32 i = 0; i < kPlaces; ++i) {
          const u64 r[4] = {seen[0][i], seen[1][i], seen[2][i], seen[3][i]};
          if (shape.forbidden(r)) fail(1, shape.name, batch, i, r[0]);
        }
      }
    }
  }
}

constexpr u64 kCounts = 100000;
u64 by_reservation, by_amo, by_lock, sums[2];
u32 lock;

void run_counters(u32 hart, u32 harts) {
  for (u64 n = 0; n < kCounts; ++n) {
    u64 value, failed;
    do {
      asm volatile("lr.d %0, (%2)\n addi %0, %0, 1\n sc.d %1, %0, (%2)"
                   : "=&r"(value), "=&r"(failed)
                   : "r"(&by_reservation)
                   : "memory");
    } while (failed != 0);
    asm volatile("amoadd.d x0, %0, (%1)" ::"r"(1ul), "r"(&by_amo) : "memory");
    if (n % 16 != 0) continue;
    u32 taken;
    do {
      asm volatile("amoswap.w.aq %0, %1, (%2)" : "=&r"(taken) : "r"(1), "r"(&lock) : "memory");
    } while (taken != 0);
    by_lock += 1;
    sums[0] += by_lock;
    sums[1] += by_lock;
    asm volatile("amoswap.w.rl x0, x0, (%0)" ::"r"(&lock) : "memory");
  }
  barrier(harts);
  if (hart != 0) return;
  if (by_reservation != kCounts * harts) fail(2, "lr/sc counter", by_reservation, kCounts * harts);
  if (by_amo != kCounts * harts) fail(3, "amo counter", by_amo, kCounts * harts);
  if (by_lock != kCounts / 16 * harts || sums[0] != sums[1]) fail(4, "counter under a lock", by_lock, sums[0], sums[1]);
}

}  // namespace

void on_ipi(u32) {}
void on_timer(u32) {}

void test(u32 hart, u32 harts) {
  run_shapes(hart, harts);
  barrier(harts);
  run_counters(hart, harts);
}
