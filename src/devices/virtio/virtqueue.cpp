// SPDX-License-Identifier: MIT
// Split virtqueues: chain parsing and ring indices.
#include "devices/virtio/virtqueue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "base/check.h"

// Fences are not modelled by ThreadSanitizer; nothing here depends on that, ring contents are atomics themselves.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"
#endif

namespace pagoda {
namespace {

constexpr u16 kNext = 1;  // descriptor flags, 2.7.5
constexpr u16 kWrite = 2;
constexpr u16 kIndirect = 4;
constexpr u16 kNoInterrupt = 1;  // flags of the available ring
constexpr u16 kNoNotify = 1;     // flags of the used ring
constexpr u64 kDescriptorSize = 16;

// Offsets in the rings, 2.7.6 and 2.7.8.
constexpr u64 kIndexOffset = 2;
constexpr u64 kRingOffset = 4;
constexpr u64 kAvailEntry = 2;
constexpr u64 kUsedEntry = 8;

}  // namespace

Virtqueue::Virtqueue(GuestMemory& memory, u16 max_size) : memory_(memory), max_size_(max_size) {
  CHECK(std::has_single_bit(max_size) && max_size <= kMaxSize, "queue size {}", max_size);
  layout_.size = max_size;
}

bool Virtqueue::broken(std::string why) {
  problem_ = std::move(why);
  return false;
}

bool Virtqueue::check_layout() {
  const Layout& l = layout_;
  if (l.size == 0 || !std::has_single_bit(l.size) || l.size > max_size_)
    return broken(fmt::format("queue size {} is not a power of two up to {}", l.size, max_size_));
  if (l.descriptors % 16 != 0 || l.driver % 2 != 0 || l.device % 4 != 0)
    return broken(fmt::format("queue address {:#x}, {:#x} or {:#x} is not aligned", l.descriptors, l.driver, l.device));
  // The last two bytes of both rings are the event indices, present whether used or not.
  if (!memory_.is_ram(GuestPhys(l.descriptors), kDescriptorSize * l.size) ||
      !memory_.is_ram(GuestPhys(l.driver), kRingOffset + kAvailEntry * l.size + 2) ||
      !memory_.is_ram(GuestPhys(l.device), kRingOffset + kUsedEntry * l.size + 2))
    return broken(fmt::format("queue at {:#x}, {:#x}, {:#x} is not in RAM", l.descriptors, l.driver, l.device));
  return true;
}

bool Virtqueue::enable(u64 features) {
  if (!check_layout()) return false;
  event_idx_ = (features & kVirtioEventIdx) != 0;
  indirect_ = (features & kVirtioIndirectDesc) != 0;
  next_avail_ = next_used_ = signalled_used_ = in_flight_ = 0;
  signalled_valid_ = false;
  ready_ = true;
  return true;
}

void Virtqueue::disable() {
  ready_ = false;
  in_flight_ = 0;
}

void Virtqueue::reset() {
  disable();
  layout_ = Layout{};
  layout_.size = max_size_;
  event_idx_ = indirect_ = signalled_valid_ = false;
  next_avail_ = next_used_ = signalled_used_ = 0;
  problem_.clear();
}

Virtqueue::Pop Virtqueue::pop(VirtqChain* chain) {
  if (!ready_) return Pop::empty;
  u16 avail = 0;
  if (!memory_.load(GuestPhys(layout_.driver + kIndexOffset), &avail)) {
    broken("available ring is not in RAM");
    return Pop::broken;
  }
  const u16 pending = static_cast<u16>(avail - next_avail_);
  if (pending == 0) return Pop::empty;
  if (pending > layout_.size || in_flight_ >= layout_.size) {
    broken(fmt::format("available index {} with {} taken and {} in flight, of {}", avail, next_avail_, in_flight_,
                       layout_.size));
    return Pop::broken;
  }
  // The entry and its descriptors were written before the index.
  std::atomic_thread_fence(std::memory_order_acquire);
  u16 head = 0;
  const u64 slot = next_avail_ & (layout_.size - 1u);
  if (!memory_.load(GuestPhys(layout_.driver + kRingOffset + kAvailEntry * slot), &head)) {
    broken("available ring is not in RAM");
    return Pop::broken;
  }
  if (!read_chain(head, chain)) return Pop::broken;
  ++next_avail_;
  ++in_flight_;
  return Pop::chain;
}

bool Virtqueue::reload(u16 head, VirtqChain* chain) { return ready_ && read_chain(head, chain); }

bool Virtqueue::read_chain(u16 head, VirtqChain* chain) {
  chain->readable.clear();  // keeps the room: queues are popped often
  chain->writable.clear();
  chain->readable_size = chain->writable_size = 0;
  chain->head = head;
  u64 table = layout_.descriptors;
  u64 count = layout_.size;
  u64 index = head;
  u64 steps = 0;
  bool in_indirect = false;
  for (;;) {
    if (index >= count) return broken(fmt::format("descriptor {} of a table of {}", index, count));
    // Longer than its table is a loop; the second bound keeps a huge indirect table from taking long.
    if (++steps > std::min<u64>(count, kMaxChainBuffers)) return broken("descriptors form a loop or too long a chain");
    Descriptor descriptor;
    std::array<std::byte, kDescriptorSize> raw;
    if (!memory_.read(GuestPhys(table + kDescriptorSize * index), raw)) return broken("descriptor is not in RAM");
    static_assert(sizeof(Descriptor) == kDescriptorSize && std::endian::native == std::endian::little);
    std::memcpy(&descriptor, raw.data(), sizeof descriptor);

    if ((descriptor.flags & kIndirect) != 0) {
      if (!indirect_) return broken("indirect descriptor without VIRTIO_F_INDIRECT_DESC");
      if (in_indirect) return broken("indirect descriptor in an indirect table");
      if ((descriptor.flags & kNext) != 0) return broken("indirect descriptor with a next one");
      if (descriptor.size == 0 || descriptor.size % kDescriptorSize != 0)
        return broken(fmt::format("indirect table of {} bytes", descriptor.size));
      if (!memory_.is_ram(GuestPhys(descriptor.address), descriptor.size))
        return broken(fmt::format("indirect table at {:#x} is not in RAM", descriptor.address));
      in_indirect = true;
      table = descriptor.address;
      count = descriptor.size / kDescriptorSize;
      index = 0;
      steps = 0;
      continue;
    }
    if (!add_buffer(descriptor, chain)) return false;
    if ((descriptor.flags & kNext) == 0) return true;
    index = descriptor.next;
  }
}

bool Virtqueue::add_buffer(const Descriptor& descriptor, VirtqChain* chain) {
  const bool is_writable = (descriptor.flags & kWrite) != 0;
  if (!is_writable && !chain->writable.empty()) return broken("readable descriptor after a writable one");
  if (descriptor.size == 0) return true;  // says nothing, harms nothing
  if (!memory_.is_ram(GuestPhys(descriptor.address), descriptor.size))
    return broken(fmt::format("buffer of {} bytes at {:#x} is not in RAM", descriptor.size, descriptor.address));
  (is_writable ? chain->writable_size : chain->readable_size) += descriptor.size;
  if (chain->readable_size + chain->writable_size > 0xffffffff) return broken("chain of 4 GiB or more");
  (is_writable ? chain->writable : chain->readable).push_back({descriptor.address, descriptor.size});
  return true;
}

bool Virtqueue::push(std::span<const VirtqUsed> chains) {
  for (const VirtqUsed& chain : chains) {
    const u64 entry = layout_.device + kRingOffset + kUsedEntry * (next_used_ & (layout_.size - 1u));
    if (!memory_.store<u32>(GuestPhys(entry), chain.head) || !memory_.store<u32>(GuestPhys(entry + 4), chain.written))
      return broken("used ring is not in RAM");
    ++next_used_;
    if (in_flight_ != 0) --in_flight_;
  }
  // The entries, and all the device wrote before, are visible before the index.
  std::atomic_thread_fence(std::memory_order_release);
  return memory_.store<u16>(GuestPhys(layout_.device + kIndexOffset), next_used_) || broken("used ring is not in RAM");
}

void Virtqueue::rewind(u16 chains) {
  CHECK(chains <= in_flight_);
  next_avail_ = static_cast<u16>(next_avail_ - chains);
  in_flight_ = static_cast<u16>(in_flight_ - chains);
}

bool Virtqueue::needs_interrupt() {
  // The used index must be out before the driver's wish is read, or both sides wait for each other (2.7.13.4.1
  // mirrored).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const u16 before = signalled_used_;
  const bool was_valid = signalled_valid_;
  signalled_used_ = next_used_;
  signalled_valid_ = true;
  u16 wish = 0;
  if (!event_idx_) return memory_.load(GuestPhys(layout_.driver), &wish) && (wish & kNoInterrupt) == 0;
  if (!memory_.load(GuestPhys(layout_.driver + kRingOffset + kAvailEntry * layout_.size), &wish)) return false;
  // used_event: interrupt when the entry with that index was just used; index arithmetic wraps at 16 bits.
  return !was_valid || static_cast<u16>(next_used_ - wish - 1) < static_cast<u16>(next_used_ - before);
}

void Virtqueue::suppress_notifications() {
  // With the event index the driver only notifies when it passes avail_event, which stays behind: nothing to do.
  if (ready_ && !event_idx_ && !memory_.store<u16>(GuestPhys(layout_.device), kNoNotify))
    broken("used ring is not in RAM");
}

bool Virtqueue::request_notifications(u16 known) {
  if (!ready_) return true;
  const u16 next = static_cast<u16>(next_avail_ + known);
  const u64 where = event_idx_ ? layout_.device + kRingOffset + kUsedEntry * layout_.size : layout_.device;
  if (!memory_.store<u16>(GuestPhys(where), event_idx_ ? next : u16{0})) return true;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  u16 avail = 0;
  return !memory_.load(GuestPhys(layout_.driver + kIndexOffset), &avail) || avail == next;
}

void Virtqueue::visit_state(std::string_view prefix, StateVisitor& visitor) {
  const auto field = [&](std::string_view name, auto& value) {
    visitor.field(fmt::format("{}.{}", prefix, name), value);
  };
  field("size", layout_.size);
  field("descriptors", layout_.descriptors);
  field("driver", layout_.driver);
  field("device", layout_.device);
  field("ready", ready_);
  field("event_idx", event_idx_);
  field("indirect", indirect_);
  field("next_avail", next_avail_);
  field("next_used", next_used_);
  field("signalled_used", signalled_used_);
  field("signalled_valid", signalled_valid_);
  field("in_flight", in_flight_);
  // A saved state is a file like any other: what would not have been accepted from the driver is not used either.
  if (ready_ && !check_layout()) disable();
}

namespace {
// Calls copy(address, span) for consecutive pieces of the buffers until `bytes` is used up.
template <class Byte, class Copy>
bool copy_pieces(std::span<const GuestBuffer>& buffers, u32& used, std::span<Byte> bytes, Copy copy) {
  while (!bytes.empty()) {
    if (buffers.empty()) return false;
    const GuestBuffer& buffer = buffers.front();
    const std::size_t size = std::min<std::size_t>(bytes.size(), buffer.size - used);
    if (!copy(GuestPhys(buffer.address + used), bytes.first(size))) return false;
    bytes = bytes.subspan(size);
    used += static_cast<u32>(size);
    if (used == buffer.size) {
      buffers = buffers.subspan(1);
      used = 0;
    }
  }
  return true;
}
}  // namespace

bool ChainReader::read(std::span<std::byte> out) {
  return copy_pieces(buffers_, used_, out,
                     [&](GuestPhys address, std::span<std::byte> piece) { return memory_.read(address, piece); });
}

bool ChainWriter::write(std::span<const std::byte> bytes) {
  return copy_pieces(buffers_, used_, bytes, [&](GuestPhys address, std::span<const std::byte> piece) {
    return memory_.write(address, piece);
  });
}

void ChainWriter::skip(u64 size) {
  while (size != 0 && !buffers_.empty()) {
    const u64 step = std::min<u64>(size, buffers_.front().size - used_);
    size -= step;
    used_ += static_cast<u32>(step);
    if (used_ == buffers_.front().size) {
      buffers_ = buffers_.subspan(1);
      used_ = 0;
    }
  }
}

}  // namespace pagoda
