// SPDX-License-Identifier: MIT
// Chunks of unit memory: bump allocation, live counts, reuse.
#include "tcg/interp/unit_memory.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/check.h"
#include "base/types.h"
#include "tcg/cache/injection.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PAGODA_UNIT_MALLOC 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PAGODA_UNIT_MALLOC 1
#endif
#endif

namespace pagoda {

#ifdef PAGODA_UNIT_MALLOC

void* allocate_unit(std::size_t bytes) { return injection::step_fails() ? nullptr : std::malloc(bytes); }
void free_unit_memory(void* memory) { std::free(memory); }
std::size_t unit_memory_bytes() { return 0; }

#else

namespace {

constexpr std::size_t kChunkBytes = 2 * kMostUnitBytes;  // a huge page of x86-64; chunks are aligned to it
constexpr std::size_t kAlignment = 32;                   // what jumps read of a unit is in one cache line

struct alignas(kAlignment) Chunk {
  Chunk* next;  // of the empty ones
  u64 live;     // units in it, and one while it is the current one
};

struct Heap {
  std::mutex mutex;
  Chunk* current = nullptr;
  std::size_t used = kChunkBytes;  // of the current chunk
  Chunk* empty = nullptr;
  std::atomic<std::size_t> bytes = 0;  // written under the lock
};

Heap& heap() {
  static Heap& heap = *new Heap;  // units may be freed by static destructors
  return heap;
}

// Null: the host has no memory left.
Chunk* new_chunk() {
  // Twice the size holds one aligned chunk; the rest goes back.
  void* memory = mmap(nullptr, 2 * kChunkBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* base = static_cast<std::byte*>(memory);
  const std::size_t skip = -reinterpret_cast<std::uintptr_t>(base) & (kChunkBytes - 1);
  if (skip != 0) munmap(base, skip);
  munmap(base + skip + kChunkBytes, kChunkBytes - skip);
  madvise(base + skip, kChunkBytes, MADV_HUGEPAGE);  // where there are none, small ones do
  return new (base + skip) Chunk{};
}

void drop(Heap& from, Chunk* chunk) {
  if (--chunk->live != 0) return;
  chunk->next = from.empty;
  from.empty = chunk;
  from.bytes -= kChunkBytes;
}

}  // namespace

void* allocate_unit(std::size_t bytes) {
  bytes = (bytes + kAlignment - 1) & ~(kAlignment - 1);
  CHECK(bytes <= kMostUnitBytes);
  if (injection::step_fails()) return nullptr;
  Heap& from = heap();
  const std::lock_guard lock(from.mutex);
  if (from.used + bytes > kChunkBytes) {
    Chunk* chunk = from.empty;
    if (chunk != nullptr) {
      from.empty = chunk->next;
    } else {
      chunk = new_chunk();
      if (chunk == nullptr) return nullptr;
    }
    if (from.current != nullptr) drop(from, from.current);
    chunk->live = 1;
    from.current = chunk;
    from.used = sizeof(Chunk);
    from.bytes += kChunkBytes;
  }
  void* memory = reinterpret_cast<std::byte*>(from.current) + from.used;
  from.used += bytes;
  ++from.current->live;
  return memory;
}

void free_unit_memory(void* memory) {
  Heap& to = heap();
  const std::lock_guard lock(to.mutex);
  drop(to, reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(memory) & ~(kChunkBytes - 1)));
}

std::size_t unit_memory_bytes() { return heap().bytes.load(std::memory_order_relaxed); }

#endif

}  // namespace pagoda
