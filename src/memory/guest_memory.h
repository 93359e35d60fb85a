// SPDX-License-Identifier: MIT
// Guest physical memory: RAM, the physical address map, and the marks a page of RAM carries.
//
// RAM is private memory of the process, in huge pages where the host has them. The map is a sorted immutable snapshot,
// swapped atomically; old snapshots live as long as the object, because a vcpu may be looking at one. C++ touches guest
// RAM only through this class, with relaxed atomic accesses (a guest's own races must not become ours), and everything
// but a vcpu's own store writes through write(): it invalidates translated code and marks pages dirty.
// Threading: lookups, reads and writes from any thread; add_ram/map_mmio/unmap only before vcpus run or in an exclusive
// section.
#pragma once

#include <sys/uio.h>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "memory/address.h"
#include "memory/mmio.h"

namespace pagoda {

// Told of writes to pages that carry translated code. Called on the writer's thread, after the bytes are in memory.
class CodeWriteObserver {
 public:
  virtual ~CodeWriteObserver() = default;
  virtual void code_written(GuestPhys address, u64 size) = 0;
};

// Told of all writes to RAM that go through GuestMemory: not those by which a vcpu stores through a write tag. Called
// on the writer's thread, after the bytes are in memory.
class WriteObserver {
 public:
  virtual ~WriteObserver() = default;
  virtual void written(GuestPhys address, u64 size) = 0;
};

class GuestMemory {
 public:
  // One window of the physical address space, as the map shows it.
  struct Range {
    u64 start = 0;                     // first guest physical address
    u64 size = 0;                      // bytes
    u8* host = nullptr;                // RAM, ROM, flash: host address of `start`
    MmioHandler* mmio = nullptr;       // devices; flash: who hears its writes
    u64 mmio_offset = 0;               // offset of `start` in the device's window
    std::atomic<u8>* marks = nullptr;  // RAM: one per page, see Mark
    bool read_only = false;            // ROM, flash: no write changes the bytes
    // Flash: whether it reads as memory at present; if not it is a device. Null: always.
    const std::atomic<bool>* readable = nullptr;
    std::string name;
    bool is_ram() const {
      return host != nullptr && (readable == nullptr || readable->load(std::memory_order_acquire));
    }
    bool contains(u64 address) const { return address - start < size; }
  };

  // Marks of a RAM page (bits).
  enum Mark : u8 {
    kHasCode = 1,      // translated code was made from this page: no write tag anywhere, stores take the slow path
    kDirty = 2,        // written since the last clear_dirty
    kNoWriteTags = 4,  // beside kHasCode: every vcpu has dropped its write tags, so that each store is heard of
  };

  GuestMemory();
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  // Size and base are multiples of the page size; windows must not overlap.
  Result<> add_ram(GuestPhys base, u64 size, std::string name);
  Result<> add_rom(GuestPhys base, std::span<const std::byte> content, u64 size, std::string name);
  // Flash: reads like ROM and runs code, while each of a vcpu's writes goes to `device`.
  Result<> add_flash(GuestPhys base, u64 size, MmioHandler* device, std::string name);
  void map_mmio(GuestPhys base, u64 size, MmioHandler* device, std::string name);
  void unmap_mmio(MmioHandler* device);

  // The window an address lies in, or null. The pointer stays valid for the object's life.
  const Range* find(GuestPhys address) const;
  std::vector<Range> ranges() const;  // a copy for listings
  u64 ram_size() const { return ram_size_; }
  // True if [address, address + size) is RAM in one window.
  bool is_ram(GuestPhys address, u64 size) const;

  // Copies bytes between RAM (or ROM, reading) and a host buffer; false and nothing done if any byte is not RAM.
  // Writes invalidate code and mark pages dirty. For DMA, loaders, the debugger.
  [[nodiscard]] bool read(GuestPhys address, std::span<std::byte> out) const;
  [[nodiscard]] bool write(GuestPhys address, std::span<const std::byte> bytes);
  // For system calls of the host that move data between RAM and files without a copy: appends the host's pieces of
  // [address, address + size). False if not RAM, or not writable and `for_writing`. Whoever wrote calls written().
  [[nodiscard]] bool host_pieces(GuestPhys address, u64 size, bool for_writing, std::vector<iovec>* pieces) const;
  void written(GuestPhys address, u64 size);
  // Fills with one byte value, as write().
  [[nodiscard]] bool fill(GuestPhys address, u64 size, u8 value);

  // Naturally aligned values of 1, 2, 4 or 8 bytes, single-copy atomic. False if not RAM.
  template <class T>
  [[nodiscard]] bool load(GuestPhys address, T* value) const;
  template <class T>
  [[nodiscard]] bool store(GuestPhys address, T value);
  // Atomic compare-exchange on RAM, sequentially consistent (page-table A/D updates). False if not RAM;
  // otherwise *swapped says whether memory held `expected`.
  template <class T>
  [[nodiscard]] bool compare_exchange(GuestPhys address, T expected, T desired, bool* swapped);

  // --- for the device behind a flash window, any thread ---
  // Whether the window that begins at `base` reads as memory or by the device. Afterwards every vcpu has to drop its
  // TLB entries; until it has, it may see the memory. Code translated from it before a switch may go on running.
  void set_flash_readable(GuestPhys base, bool readable);
  // The content, readable or not. The range lies in one flash window.
  void read_flash(GuestPhys address, std::span<std::byte> out) const;
  void program_flash(GuestPhys address, std::span<const std::byte> bytes);

  // --- marks; used by the softmmu ---
  // Before vcpus run.
  void set_write_observer(WriteObserver* observer) { write_observer_ = observer; }
  void set_code_observer(CodeWriteObserver* observer) { observer_ = observer; }
  std::atomic<u8>* marks_of(GuestPhys address) const;  // null if not RAM
  // Called after bytes in [address, address + size) (one page) changed by any way.
  void written(const Range& range, u64 address, u64 size);
  void clear_dirty(GuestPhys base, u64 size);

 private:
  struct Snapshot;
  struct Ram;
  void publish(std::vector<Range> ranges);
  const Range& flash_at(GuestPhys address, u64 size) const;
  Result<> add_backed(GuestPhys base, u64 size, std::string name, bool read_only);

  std::atomic<const Snapshot*> snapshot_;
  std::vector<std::unique_ptr<const Snapshot>> snapshots_;
  std::vector<std::unique_ptr<Ram>> rams_;
  CodeWriteObserver* observer_ = nullptr;
  WriteObserver* write_observer_ = nullptr;
  u64 ram_size_ = 0;
};

// Relaxed-atomic accessors for a host address inside guest RAM. Only memory/ and the softmmu may hold such addresses.
template <class T>
T ram_load(const u8* host) {
  return __atomic_load_n(reinterpret_cast<const T*>(host), __ATOMIC_RELAXED);
}
template <class T>
void ram_store(u8* host, T value) {
  __atomic_store_n(reinterpret_cast<T*>(host), value, __ATOMIC_RELAXED);
}
void ram_copy_out(std::byte* to, const u8* host, u64 size);
void ram_copy_in(u8* host, const std::byte* from, u64 size);
// Copies lines: naturally aligned pieces of RAM of this size, in which each aligned doubleword is read at once.
inline constexpr u64 kRamLineBytes = 16;
void ram_copy_lines(std::byte* to, const u8* host, u64 lines);

template <class T>
bool GuestMemory::load(GuestPhys address, T* value) const {
  const Range* range = find(address);
  if (range == nullptr || !range->is_ram() || range->size - (address.value - range->start) < sizeof(T)) return false;
  *value = ram_load<T>(range->host + (address.value - range->start));
  return true;
}

template <class T>
bool GuestMemory::store(GuestPhys address, T value) {
  const Range* range = find(address);
  if (range == nullptr || !range->is_ram() || range->size - (address.value - range->start) < sizeof(T)) return false;
  if (range->read_only) return true;
  ram_store<T>(range->host + (address.value - range->start), value);
  written(*range, address.value, sizeof(T));
  return true;
}

template <class T>
bool GuestMemory::compare_exchange(GuestPhys address, T expected, T desired, bool* swapped) {
  const Range* range = find(address);
  if (range == nullptr || !range->is_ram() || range->read_only ||
      range->size - (address.value - range->start) < sizeof(T))
    return false;
  auto* host = reinterpret_cast<T*>(range->host + (address.value - range->start));
  *swapped = __atomic_compare_exchange_n(host, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  if (*swapped) written(*range, address.value, sizeof(T));
  return true;
}

}  // namespace pagoda
