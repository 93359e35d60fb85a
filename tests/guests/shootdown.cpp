// SPDX-License-Identifier: MIT
// TLB shootdown: one hart moves a page from frame to frame with remote fences; after the last acknowledgement no hart
// may read from, run from, or write to an old frame. All run in S mode under Sv39; interrupts go to M mode, which
// fences.
#include "guest.h"

namespace {

constexpr u32 kFrames = 8, kRounds = 20000;
constexpr u64 kWindow = 0x4000000000 - 0x200000;  // the last 2 MiB of the lower half
constexpr u64 kLeaf = 1 | 2 | 4 | 8 | 64 | 128;

struct alignas(kPageBytes) Frame {
  u32 code[2];  // li a0, number; ret
  u32 pad[14];
  u64 number;
  u64 written[kMaxHarts];  // by each hart through the window
};
Frame frames[kFrames];
alignas(kPageBytes) u64 root[512], middle[512], leaves[512];

u64 mapped, published;  // numbers of mappings: begun, and acknowledged by all
u64 acknowledged[kMaxHarts];
u32 done;

u64 entry(const void* page, u64 bits) { return reinterpret_cast<u64>(page) >> 12 << 10 | bits; }

// Interrupts of M mode are on from the first instruction in S mode, and off until then: a trap would change mepc and
// MPP.
void enter_supervisor() {
  const u64 satp = u64{8} << 60 | reinterpret_cast<u64>(root) >> 12;
  u64 scratch;
  asm volatile(
      "csrw pmpaddr0, %1\n csrw pmpcfg0, %2\n csrw satp, %3\n sfence.vma\n"
      "li %0, 0x1800\n csrc mstatus, %0\n li %0, 0x800\n csrs mstatus, %0\n"  // MPP = S
      "li %0, 8\n csrw mie, %0\n la %0, 1f\n csrw mepc, %0\n mret\n1:"
      : "=&r"(scratch)
      : "r"(~0ul), "r"(0x1ful), "r"(satp)
      : "memory");
}

void writer(u32 harts) {
  const u64 start = time_now();
  for (u64 number = 1; number <= kRounds && !is_over(start, number); ++number) {
    store_release(mapped, number);
    fence();
    store(leaves[0], entry(&frames[number % kFrames], kLeaf));
    asm volatile("sfence.vma %0, x0" ::"r"(kWindow) : "memory");
    for (u32 i = 1; i < harts; ++i) send_ipi(i);
    for (u32 i = 1; i < harts; ++i) {
      while (load_acquire(acknowledged[i]) != number) {
      }
    }
    store_release(published, number);
    // No hart writes to the frame before this one any more: its words stay.
    Frame& old = frames[(number - 1) % kFrames];
    u64 before[kMaxHarts];
    for (u32 i = 0; i < harts; ++i) before[i] = load(old.written[i]);
    for (u32 spin = 0; spin < number % 64; ++spin) asm volatile("" ::: "memory");
    for (u32 i = 0; i < harts; ++i) {
      if (load(old.written[i]) != before[i]) fail(3, "written to the old frame", number, i, before[i]);
    }
  }
  store_release(done, 1u);
}

void reader(u32 hart) {
  Frame& window = *reinterpret_cast<Frame*>(kWindow);
  const auto call = reinterpret_cast<u64 (*)()>(kWindow);
  u64 count = 0;
  while (load_acquire(done) == 0) {
    const u64 from = load_acquire(published);
    const u64 read = load(window.number);
    const u64 ran = call();
    store(window.written[hart], ++count);
    fence();
    const u64 to = load_acquire(mapped);
    if (to - from >= kFrames) continue;  // anything goes
    if ((read - from) % kFrames > to - from) fail(1, "read from an old frame", from, read, to);
    if ((ran - from) % kFrames > to - from) fail(2, "ran from an old frame", from, ran, to);
  }
}

}  // namespace

void on_ipi(u32 hart) {
  const u64 number = load_acquire(mapped);
  asm volatile("sfence.vma" ::: "memory");
  store_release(acknowledged[hart], number);
}
void on_timer(u32) {}

void test(u32 hart, u32 harts) {
  if (hart == 0) {
    for (u32 i = 0; i < kFrames; ++i) {
      frames[i].code[0] = insn_li_a0(i);
      frames[i].code[1] = kInsnRet;
      frames[i].number = i;
    }
    for (u64 i = 0; i < 4; ++i) root[i] = i << 28 | kLeaf;  // the first 4 GiB where they are
    root[kWindow >> 30] = entry(middle, 1);
    middle[kWindow >> 21 & 511] = entry(leaves, 1);
    leaves[0] = entry(&frames[0], kLeaf);
    fence();
  }
  barrier(harts);
  fence_i();
  enter_supervisor();
  if (hart == 0) {
    writer(harts);
  } else {
    reader(hart);
  }
}
