// SPDX-License-Identifier: MIT
// Self-modifying and cross-modifying code with FENCE.I, code and data in one page.
#include "guest.h"

namespace {

constexpr u32 kRounds = 20000, kOwnRounds = 300;

// Shared by all: code that hart 0 rewrites, and words that the harts count in, some in the same 64 bytes.
struct alignas(kPageBytes) Page {
  u32 code[2];
  u32 pad[6];
  u64 beside[kMaxHarts];
  u64 counts[kMaxHarts];
};
Page shared_page;
Page own[kMaxHarts];

u64 begun, published, acknowledged[kMaxHarts];
u32 done;

u64 call(const Page& page) { return reinterpret_cast<u64 (*)()>(reinterpret_cast<u64>(page.code))(); }

// The harts' own pages: rewrite, fence, run.
void modify_self(u32 hart) {
  Page& page = own[hart];
  page.code[1] = kInsnRet;
  for (u32 n = 0; n < kOwnRounds; ++n) {
    const u32 value = (n * 7 + hart) & 2047;
    store(page.code[0], insn_li_a0(value));
    fence_i();
    if (const u64 got = call(page); got != value) fail(1, "self-modifying code", n, got, value);
    // Data behind the code keeps it as it is.
    page.counts[0] += 1;
    if (const u64 got = call(page); got != value) fail(2, "code beside data", n, got, value);
  }
  if (page.counts[0] != kOwnRounds) fail(3, "data beside code", page.counts[0]);
}

void writer(u32 harts) {
  const u64 start = time_now();
  for (u64 n = 1; n <= kRounds && !is_over(start, n); ++n) {
    store_release(begun, n);
    fence();
    store(shared_page.code[0], insn_li_a0(n & 2047));
    fence_i();
    for (u32 i = 1; i < harts; ++i) send_ipi(i);
    for (u32 i = 1; i < harts; ++i) {
      while (load_acquire(acknowledged[i]) != n) {
      }
    }
    store_release(published, n);
    if (const u64 got = call(shared_page); got != (n & 2047)) fail(4, "own code of the writer", n, got);
  }
  store_release(done, 1u);
}

void reader(u32 hart) {
  u64 count = 0;
  while (load_acquire(done) == 0) {
    const u64 from = load_acquire(published);
    const u64 got = call(shared_page);
    fence();
    const u64 to = load_acquire(begun);
    ++count;
    store(shared_page.counts[hart], load(shared_page.counts[hart]) + 1);
    if (count % 8 == 0) store(shared_page.beside[hart], load(shared_page.beside[hart]) + 1);
    if (((got - from) & 2047) > to - from) fail(5, "cross-modified code", from, got, to);
  }
  if (shared_page.counts[hart] != count) fail(6, "data beside shared code", shared_page.counts[hart], count);
  if (shared_page.beside[hart] != count / 8)
    fail(7, "data in the line of shared code", shared_page.beside[hart], count);
}

}  // namespace

void on_ipi(u32 hart) {
  const u64 n = load_acquire(begun);
  fence_i();
  store_release(acknowledged[hart], n);
}
void on_timer(u32) {}

void test(u32 hart, u32 harts) {
  if (hart == 0) {
    shared_page.code[0] = insn_li_a0(0);
    shared_page.code[1] = kInsnRet;
    fence();
  }
  barrier(harts);
  fence_i();
  enable_interrupts(true, false);
  modify_self(hart);
  barrier(harts);
  if (hart == 0) {
    writer(harts);
  } else {
    reader(hart);
  }
}
