// SPDX-License-Identifier: MIT
// RAM backing, the map snapshot and bulk access.
#include "memory/guest_memory.h"

#include <sys/mman.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"

#if defined(__SANITIZE_THREAD__)
#define PAGODA_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PAGODA_THREAD_SANITIZER 1
#endif
#endif

namespace pagoda {

struct GuestMemory::Snapshot {
  std::vector<Range> ranges;  // sorted by start, disjoint
};

struct GuestMemory::Ram {
  u8* host = nullptr;
  u64 size = 0;
  std::unique_ptr<std::atomic<u8>[]> marks;
  std::atomic<bool> readable{true};  // flash
  ~Ram() {
    if (host != nullptr) munmap(host, size);
  }
};

GuestMemory::GuestMemory() { publish({}); }
GuestMemory::~GuestMemory() = default;

void GuestMemory::publish(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    CHECK(ranges[i - 1].start + ranges[i - 1].size <= ranges[i].start, "{} overlaps {}", ranges[i - 1].name,
          ranges[i].name);
  }
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->ranges = std::move(ranges);
  snapshot_.store(snapshot.get(), std::memory_order_release);
  snapshots_.push_back(std::move(snapshot));
}

Result<> GuestMemory::add_backed(GuestPhys base, u64 size, std::string name, bool read_only) {
  CHECK(size != 0 && size % kPageSize == 0 && base.value % kPageSize == 0, "{}", name);
  // Private and aligned: the host backs neither files without a name nor odd pieces with huge pages unless it is set up
  // for that, and with small pages the host's own TLB misses cost more than the guest's.
  constexpr u64 kHugePage = u64{1} << 21;
  void* mapped =
      mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED)
    return fail("-m: cannot allocate {} MiB of guest memory: {}", size >> 20, std::strerror(errno));
  auto* host = static_cast<u8*>(mapped);
  const u64 before = -reinterpret_cast<std::uintptr_t>(host) & (kHugePage - 1);
  if (before != 0) munmap(host, before);
  host += before;
  munmap(host + size, kHugePage - before);
  if (!read_only) madvise(host, size, MADV_HUGEPAGE);  // where there are none, small ones do

  auto ram = std::make_unique<Ram>();
  ram->host = host;
  ram->size = size;
  ram->marks = std::make_unique<std::atomic<u8>[]>(size / kPageSize);
  std::vector<Range> ranges = this->ranges();
  Range range;
  range.start = base.value;
  range.size = size;
  range.host = ram->host;
  range.marks = ram->marks.get();
  range.read_only = read_only;
  range.name = std::move(name);
  ranges.push_back(std::move(range));
  rams_.push_back(std::move(ram));
  publish(std::move(ranges));
  return {};
}

Result<> GuestMemory::add_ram(GuestPhys base, u64 size, std::string name) {
  TRY(add_backed(base, size, std::move(name), false));
  ram_size_ += size;
  return {};
}

Result<> GuestMemory::add_rom(GuestPhys base, std::span<const std::byte> content, u64 size, std::string name) {
  CHECK(content.size() <= size);
  TRY(add_backed(base, size, std::move(name), true));
  ram_copy_in(rams_.back()->host, content.data(), content.size());
  return {};
}

Result<> GuestMemory::add_flash(GuestPhys base, u64 size, MmioHandler* device, std::string name) {
  CHECK(device != nullptr, "{}", name);
  TRY(add_backed(base, size, std::move(name), true));
  std::vector<Range> ranges = this->ranges();
  for (Range& range : ranges) {
    if (range.start != base.value) continue;
    range.mmio = device;
    range.readable = &rams_.back()->readable;
  }
  publish(std::move(ranges));
  return {};
}

const GuestMemory::Range& GuestMemory::flash_at(GuestPhys address, u64 size) const {
  const Range* range = find(address);
  CHECK(range != nullptr && range->readable != nullptr && size <= range->size - (address.value - range->start));
  return *range;
}

void GuestMemory::set_flash_readable(GuestPhys base, bool readable) {
  const u8* host = flash_at(base, 0).host;
  const auto ram = std::find_if(rams_.begin(), rams_.end(), [&](const auto& each) { return each->host == host; });
  (*ram)->readable.store(readable, std::memory_order_release);
}

void GuestMemory::read_flash(GuestPhys address, std::span<std::byte> out) const {
  const Range& range = flash_at(address, out.size());
  ram_copy_out(out.data(), range.host + (address.value - range.start), out.size());
}

void GuestMemory::program_flash(GuestPhys address, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const Range& range = flash_at(address, bytes.size());
  ram_copy_in(range.host + (address.value - range.start), bytes.data(), bytes.size());
  written(range, address.value, bytes.size());
}

void GuestMemory::map_mmio(GuestPhys base, u64 size, MmioHandler* device, std::string name) {
  CHECK(size != 0 && device != nullptr, "{}", name);
  std::vector<Range> ranges = this->ranges();
  Range range;
  range.start = base.value;
  range.size = size;
  range.mmio = device;
  range.name = std::move(name);
  ranges.push_back(std::move(range));
  publish(std::move(ranges));
}

void GuestMemory::unmap_mmio(MmioHandler* device) {
  std::vector<Range> ranges = this->ranges();
  std::erase_if(ranges, [&](const Range& range) { return range.mmio == device; });
  publish(std::move(ranges));
}

const GuestMemory::Range* GuestMemory::find(GuestPhys address) const {
  const auto& ranges = snapshot_.load(std::memory_order_acquire)->ranges;
  auto it = std::upper_bound(ranges.begin(), ranges.end(), address.value,
                             [](u64 value, const Range& range) { return value < range.start; });
  if (it == ranges.begin()) return nullptr;
  --it;
  return it->contains(address.value) ? &*it : nullptr;
}

std::vector<GuestMemory::Range> GuestMemory::ranges() const {
  const Snapshot* snapshot = snapshot_.load(std::memory_order_acquire);
  return snapshot == nullptr ? std::vector<Range>{} : snapshot->ranges;
}

bool GuestMemory::is_ram(GuestPhys address, u64 size) const {
  const Range* range = find(address);
  return range != nullptr && range->is_ram() && size <= range->size - (address.value - range->start);
}

bool GuestMemory::read(GuestPhys address, std::span<std::byte> out) const {
  if (out.empty()) return true;
  if (!is_ram(address, out.size())) return false;
  const Range* range = find(address);
  ram_copy_out(out.data(), range->host + (address.value - range->start), out.size());
  return true;
}

bool GuestMemory::write(GuestPhys address, std::span<const std::byte> bytes) {
  if (bytes.empty()) return true;
  if (!is_ram(address, bytes.size())) return false;
  const Range* range = find(address);
  if (range->read_only) return true;
  ram_copy_in(range->host + (address.value - range->start), bytes.data(), bytes.size());
  written(*range, address.value, bytes.size());
  return true;
}

bool GuestMemory::host_pieces(GuestPhys address, u64 size, bool for_writing, std::vector<iovec>* pieces) const {
  if (size == 0) return true;
  const Range* range = find(address);
  if (!is_ram(address, size) || (for_writing && range->read_only)) return false;
  pieces->push_back({range->host + (address.value - range->start), size});
  return true;
}

void GuestMemory::written(GuestPhys address, u64 size) {
  if (size != 0 && is_ram(address, size)) written(*find(address), address.value, size);
}

bool GuestMemory::fill(GuestPhys address, u64 size, u8 value) {
  if (size == 0) return true;
  if (!is_ram(address, size)) return false;
  const Range* range = find(address);
  if (range->read_only) return true;
  u8* host = range->host + (address.value - range->start);
  for (u64 i = 0; i < size; ++i) ram_store<u8>(host + i, value);
  written(*range, address.value, size);
  return true;
}

std::atomic<u8>* GuestMemory::marks_of(GuestPhys address) const {
  const Range* range = find(address);
  if (range == nullptr || range->marks == nullptr) return nullptr;
  return &range->marks[(address.value - range->start) >> kPageBits];
}

void GuestMemory::written(const Range& range, u64 address, u64 size) {
  // Either this thread sees the code mark, or whoever set it reads the new bytes.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (write_observer_ != nullptr) [[unlikely]]
    write_observer_->written(GuestPhys(address), size);
  const u64 first = (address - range.start) >> kPageBits;
  const u64 last = (address + size - 1 - range.start) >> kPageBits;
  for (u64 page = first; page <= last; ++page) {
    const u8 marks = range.marks[page].load(std::memory_order_acquire);
    if ((marks & kDirty) == 0) range.marks[page].fetch_or(kDirty, std::memory_order_acq_rel);
    if ((marks & kHasCode) != 0 && observer_ != nullptr) {
      const u64 page_start = range.start + (page << kPageBits);
      const u64 from = std::max(address, page_start);
      const u64 to = std::min(address + size, page_start + kPageSize);
      observer_->code_written(GuestPhys(from), to - from);
    }
  }
}

void GuestMemory::clear_dirty(GuestPhys base, u64 size) {
  for (u64 offset = 0; offset < size; offset += kPageSize) {
    if (std::atomic<u8>* marks = marks_of(base + offset)) marks->fetch_and(static_cast<u8>(~kDirty));
  }
}

namespace {
template <class T>
void copy_out_as(std::byte*& to, const u8*& host, u64& size) {
  const T value = ram_load<T>(host);
  std::memcpy(to, &value, sizeof(T));
  to += sizeof(T);
  host += sizeof(T);
  size -= sizeof(T);
}
template <class T>
void copy_in_as(u8*& host, const std::byte*& from, u64& size) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  ram_store<T>(host, value);
  from += sizeof(T);
  host += sizeof(T);
  size -= sizeof(T);
}
bool is_odd_multiple(const u8* host, u64 size) { return (reinterpret_cast<std::uintptr_t>(host) & size) != 0; }
}  // namespace

// Both go up to doublewords and down again in natural alignment.
void ram_copy_out(std::byte* to, const u8* host, u64 size) {
  if (size >= 1 && is_odd_multiple(host, 1)) copy_out_as<u8>(to, host, size);
  if (size >= 2 && is_odd_multiple(host, 2)) copy_out_as<u16>(to, host, size);
  if (size >= 4 && is_odd_multiple(host, 4)) copy_out_as<u32>(to, host, size);
  while (size >= 8) copy_out_as<u64>(to, host, size);
  if (size >= 4) copy_out_as<u32>(to, host, size);
  if (size >= 2) copy_out_as<u16>(to, host, size);
  if (size >= 1) copy_out_as<u8>(to, host, size);
}

// The host reads at least each half of a vector at once, which is all that the accessors promise; who checks that races
// are between atomics sees doublewords.
void ram_copy_lines(std::byte* to, const u8* host, u64 lines) {
  for (u64 at = 0; at < lines * kRamLineBytes; at += kRamLineBytes) {
#ifdef PAGODA_THREAD_SANITIZER
    const u64 line[] = {ram_load<u64>(host + at), ram_load<u64>(host + at + 8)};
#else
    using Line = u64 __attribute__((vector_size(kRamLineBytes), may_alias));
    const Line line = *reinterpret_cast<const volatile Line*>(host + at);
#endif
    std::memcpy(to + at, &line, kRamLineBytes);
  }
}

void ram_copy_in(u8* host, const std::byte* from, u64 size) {
  if (size >= 1 && is_odd_multiple(host, 1)) copy_in_as<u8>(host, from, size);
  if (size >= 2 && is_odd_multiple(host, 2)) copy_in_as<u16>(host, from, size);
  if (size >= 4 && is_odd_multiple(host, 4)) copy_in_as<u32>(host, from, size);
  while (size >= 8) copy_in_as<u64>(host, from, size);
  if (size >= 4) copy_in_as<u32>(host, from, size);
  if (size >= 2) copy_in_as<u16>(host, from, size);
  if (size >= 1) copy_in_as<u8>(host, from, size);
}

}  // namespace pagoda
