// SPDX-License-Identifier: MIT
// Slow paths of memory accesses: first-level misses, page crossings, misaligned and big-endian accesses, devices,
// stores to pages with code.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "cpu/softmmu.h"
#include "cpu/vcpu.h"
#include "tcg/host/atomic16.h"
#include "tcg/host/fp.h"
#include "tcg/interp/integer_ops.h"

namespace pagoda {
namespace {

constexpr u32 kMaxBytes = 32;

u64 extend(u64 value, ir::MemOp op) {
  const u32 bits = op.size() * 8;
  if (bits >= 64) return value;
  if (op.big_endian) value = __builtin_bswap64(value) >> (64 - bits);
  const u32 shift = 64 - bits;
  return op.sign ? static_cast<u64>(static_cast<i64>(value << shift) >> shift) : value << shift >> shift;
}

}  // namespace

// The slow paths' view of a Softmmu; statically bound to the function pointers of the frame.
struct SoftmmuPaths {
  using Found = Softmmu::Found;

  Vcpu& vcpu;
  Softmmu& mmu;
  ir::MemOp op;
  u32 mode;

  SoftmmuPaths(VcpuFrame* frame, u32 bits)
      : vcpu(*static_cast<Vcpu*>(frame->vcpu)),
        mmu(vcpu.mmu()),
        op(ir::MemOp::unpack(bits)),
        mode(op.mode == 0 ? frame->memory_mode : op.mode - 1u) {}

  bool check_alignment(u64 address, AccessKind kind) {
    if (!op.align || (address & (op.size() - 1)) == 0) return true;
    vcpu.raise(vcpu.guest().misaligned_cause(kind), address);
    return false;
  }

  // A protection boundary inside the page may cut an access short.
  bool check_reach(const Found& found, u64 address, u32 size, AccessKind kind) {
    if ((address & ~kPageMask) + size - 1 <= found.last) return true;
    vcpu.raise(vcpu.guest().bus_error_cause(kind), address);
    return false;
  }

  // One device access of up to 8 bytes inside a page, split into naturally aligned pieces.
  template <class F>
  void device_pieces(u64 offset, u32 size, F&& piece) {
    u32 done = 0;
    while (done < size) {
      u32 step = 8;
      while (step > size - done || ((offset + done) & (step - 1)) != 0) step /= 2;
      piece(offset + done, step, done);
      done += step;
    }
  }

  Access access_of(const Found& found, u32 size) const {
    return {.vcpu = static_cast<u16>(vcpu.index()), .size = static_cast<u8>(size), .privilege = found.privilege};
  }

  void read_device(const Found& found, u64 address, u32 size, u8* to) {
    ++mmu.statistics_.mmio;
    const u64 offset = found.phys + (address & ~kPageMask) - found.range->start + found.range->mmio_offset;
    const fp::HostFpScope scope;
    const ParkedScope parked(vcpu.rendezvous(), vcpu);
    device_pieces(offset, size, [&](u64 at, u32 step, u32 done) {
      const u64 value = found.range->mmio->read(at, access_of(found, step));
      std::memcpy(to + done, &value, step);
    });
  }

  void write_device(const Found& found, u64 address, u32 size, const u8* from) {
    ++mmu.statistics_.mmio;
    const u64 offset = found.phys + (address & ~kPageMask) - found.range->start + found.range->mmio_offset;
    if (vcpu.deterministic()) vcpu.frame().leave = 1;
    const fp::HostFpScope scope;
    const ParkedScope parked(vcpu.rendezvous(), vcpu);
    device_pieces(offset, size, [&](u64 at, u32 step, u32 done) {
      u64 value = 0;
      std::memcpy(&value, from + done, step);
      found.range->mmio->write(at, value, access_of(found, step));
    });
  }

  void read_piece(const Found& found, u64 address, u32 size, u8* to) {
    if (found.host == nullptr) return read_device(found, address, size, to);
    const u8* host = found.host + (address & ~kPageMask);
    if ((address & (size - 1)) != 0) return ram_copy_out(reinterpret_cast<std::byte*>(to), host, size);
    read_ram(host, size, to);
  }
  static void read_ram(const u8* host, u32 size, u8* to) {
    switch (size) {  // single-copy atomic where aligned
      case 1:
        return copy_value(to, ram_load<u8>(host));
      case 2:
        return copy_value(to, ram_load<u16>(host));
      case 4:
        return copy_value(to, ram_load<u32>(host));
      case 8:
        return copy_value(to, ram_load<u64>(host));
      default:
        return ram_copy_out(reinterpret_cast<std::byte*>(to), host, size);
    }
  }

  template <class T>
  static void copy_value(u8* to, T value) {
    std::memcpy(to, &value, sizeof(T));
  }
  template <class T>
  static T value_at(const u8* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }

  void write_piece(const Found& found, u64 address, u32 size, const u8* from) {
    if (found.range->mmio != nullptr) return write_device(found, address, size, from);  // flash, too
    if (found.range->read_only) return;
    u8* host = found.host + (address & ~kPageMask);
    if ((address & (size - 1)) != 0) {
      ram_copy_in(host, reinterpret_cast<const std::byte*>(from), size);
    } else {
      write_ram(host, size, from);
    }
    written(found, address, size);
  }
  static void write_ram(u8* host, u32 size, const u8* from) {
    switch (size) {  // single-copy atomic
      case 1:
        return ram_store<u8>(host, *from);
      case 2:
        return ram_store<u16>(host, value_at<u16>(from));
      case 4:
        return ram_store<u32>(host, value_at<u32>(from));
      case 8:
        return ram_store<u64>(host, value_at<u64>(from));
      default:
        return ram_copy_in(host, reinterpret_cast<const std::byte*>(from), size);
    }
  }

  void written(const Found& found, u64 address, u32 size) {
    const u64 phys = found.phys + (address & ~kPageMask);
    const std::atomic<u8>& marks = found.range->marks[(found.phys - found.range->start) >> kPageBits];
    if ((marks.load(std::memory_order_relaxed) & GuestMemory::kHasCode) != 0) ++mmu.statistics_.code_page_stores;
    vcpu.memory().written(*found.range, phys, size);
  }

  // Both pages of an access are found before anything happens on either.
  bool read_bytes(u64 address, u8* to) {
    const u32 size = op.size();
    if (!check_alignment(address, AccessKind::read)) return false;
    const Found found = mmu.find_page(address, AccessKind::read, mode);
    if (!found.ok) return false;
    const u64 room = kPageSize - (address & ~kPageMask);
    if (size <= room) {
      if (!check_reach(found, address, size, AccessKind::read)) return false;
      read_piece(found, address, size, to);
      vcpu.accessed(address, size, true, false);
      return true;
    }
    if (!check_reach(found, address, static_cast<u32>(room), AccessKind::read)) return false;
    const u64 next_page = (address & kPageMask) + kPageSize;
    const Found next = mmu.find_page(next_page, AccessKind::read, mode);
    if (!next.ok || !check_reach(next, next_page, size - static_cast<u32>(room), AccessKind::read)) return false;
    read_run(found, address, static_cast<u32>(room), to);
    read_run(next, address + room, size - static_cast<u32>(room), to + room);
    vcpu.accessed(address, size, true, false);
    return true;
  }

  void read_run(const Found& found, u64 address, u32 size, u8* to) {
    if (found.host == nullptr) return read_device(found, address, size, to);
    ram_copy_out(reinterpret_cast<std::byte*>(to), found.host + (address & ~kPageMask), size);
  }
  void write_run(const Found& found, u64 address, u32 size, const u8* from) {
    if (found.range->mmio != nullptr) return write_device(found, address, size, from);  // flash, too
    if (found.range->read_only) return;
    ram_copy_in(found.host + (address & ~kPageMask), reinterpret_cast<const std::byte*>(from), size);
    written(found, address, size);
  }

  void write_bytes(u64 address, const u8* from) {
    const u32 size = op.size();
    if (!check_alignment(address, AccessKind::write)) return;
    const Found found = mmu.find_page(address, AccessKind::write, mode);
    if (!found.ok) return;
    const u64 room = kPageSize - (address & ~kPageMask);
    if (!check_reach(found, address, static_cast<u32>(std::min<u64>(size, room)), AccessKind::write)) return;
    if (size <= room) {
      write_piece(found, address, size, from);
      vcpu.accessed(address, size, false, true);
      return;
    }
    const u64 next_page = (address & kPageMask) + kPageSize;
    const Found next = mmu.find_page(next_page, AccessKind::write, mode);
    if (!next.ok || !check_reach(next, next_page, size - static_cast<u32>(room), AccessKind::write)) return;
    write_run(found, address, static_cast<u32>(room), from);
    write_run(next, address + room, size - static_cast<u32>(room), from + room);
    vcpu.accessed(address, size, false, true);
  }

  // Host address for an atomic step on RAM; null after recording a fault.
  u8* atomic_target(u64 address, Found* found) {
    if ((address & (op.size() - 1)) != 0) {
      vcpu.raise(vcpu.guest().misaligned_cause(AccessKind::write), address);
      return nullptr;
    }
    *found = mmu.find_page(address, AccessKind::write, mode);
    if (!found->ok || !check_reach(*found, address, op.size(), AccessKind::write)) return nullptr;
    if (found->host == nullptr || found->range->read_only) {  // atomics need main memory
      vcpu.raise(vcpu.guest().bus_error_cause(AccessKind::write), address);
      return nullptr;
    }
    vcpu.accessed(address, op.size(), true, true);
    return found->host + (address & ~kPageMask);
  }

  template <class T>
  u64 rmw_as(u8* host, u64 value, ir::Rmw kind) {
    T old = ram_load<T>(host);
    for (;;) {
      const T operand = static_cast<T>(value);
      T now = operand;
      switch (kind) {
        case ir::Rmw::swap:
          break;
        case ir::Rmw::add:
          now = interp::op_add(old, operand);
          break;
        case ir::Rmw::and_:
          now = interp::op_and_(old, operand);
          break;
        case ir::Rmw::or_:
          now = interp::op_or_(old, operand);
          break;
        case ir::Rmw::xor_:
          now = interp::op_xor_(old, operand);
          break;
        case ir::Rmw::min_s:
          now = interp::op_min_s(old, operand);
          break;
        case ir::Rmw::max_s:
          now = interp::op_max_s(old, operand);
          break;
        case ir::Rmw::min_u:
          now = interp::op_min_u(old, operand);
          break;
        case ir::Rmw::max_u:
          now = interp::op_max_u(old, operand);
          break;
      }
      if (__atomic_compare_exchange_n(reinterpret_cast<T*>(host), &old, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return old;
    }
  }
  template <class T>
  u64 cas_as(u8* host, u64 expected, u64 desired) {
    T old = static_cast<T>(expected);
    __atomic_compare_exchange_n(reinterpret_cast<T*>(host), &old, static_cast<T>(desired), false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return old;
  }

  // --- the table's functions ---
  static u64 load(VcpuFrame* frame, u64 address, u32 bits) {
    SoftmmuPaths path(frame, bits);
    const u32 size = path.op.size();
    if (const TlbEntry* entry = path.mmu.find_entry<&TlbEntry::read_tag>(address, size, path.mode); entry != nullptr) {
      u8 bytes[8] = {};
      path.read_ram(reinterpret_cast<const u8*>(address + entry->addend), size, bytes);
      return path.finish_load(bytes);
    }
    u8 bytes[8] = {};
    if (!path.read_bytes(address, bytes)) return 0;
    return path.finish_load(bytes);
  }
  u64 finish_load(const u8* bytes) const {
    u64 value = value_at<u64>(bytes);
    if (op.big_endian && op.size() == 8) value = __builtin_bswap64(value);
    return extend(value, op);
  }
  static void store(VcpuFrame* frame, u64 address, u64 value, u32 bits) {
    SoftmmuPaths path(frame, bits);
    if (path.op.big_endian) value = __builtin_bswap64(value) >> (64 - path.op.size() * 8);
    u8 bytes[8];
    std::memcpy(bytes, &value, 8);
    const u32 size = path.op.size();
    if (const TlbEntry* entry = path.mmu.find_entry<&TlbEntry::write_tag>(address, size, path.mode); entry != nullptr) {
      return write_ram(reinterpret_cast<u8*>(address + entry->addend), size, bytes);
    }
    path.write_bytes(address, bytes);
  }
  static u64 rmw(VcpuFrame* frame, u64 address, u64 value, u32 bits, u32 kind) {
    SoftmmuPaths path(frame, bits);
    Found found;
    u8* host = path.atomic_target(address, &found);
    if (host == nullptr) return 0;
    const auto rmw_kind = static_cast<ir::Rmw>(kind);
    u64 old = 0;
    switch (path.op.size()) {
      case 1:
        old = path.rmw_as<u8>(host, value, rmw_kind);
        break;
      case 2:
        old = path.rmw_as<u16>(host, value, rmw_kind);
        break;
      case 4:
        old = path.rmw_as<u32>(host, value, rmw_kind);
        break;
      default:
        old = path.rmw_as<u64>(host, value, rmw_kind);
        break;
    }
    path.written(found, address, path.op.size());
    return old;
  }
  static u64 cas(VcpuFrame* frame, u64 address, u64 expected, u64 desired, u32 bits) {
    SoftmmuPaths path(frame, bits);
    Found found;
    u8* host = path.atomic_target(address, &found);
    if (host == nullptr) return 0;
    u64 old = 0;
    switch (path.op.size()) {
      case 1:
        old = path.cas_as<u8>(host, expected, desired);
        break;
      case 2:
        old = path.cas_as<u16>(host, expected, desired);
        break;
      case 4:
        old = path.cas_as<u32>(host, expected, desired);
        break;
      default:
        old = path.cas_as<u64>(host, expected, desired);
        break;
    }
    path.written(found, address, path.op.size());
    return old;
  }
  static void load_wide(VcpuFrame* frame, u64 address, void* to, u32 bits) {
    SoftmmuPaths path(frame, bits);
    std::array<u8, kMaxBytes> bytes{};
    if (path.read_bytes(address, bytes.data())) std::memcpy(to, bytes.data(), path.op.size());
  }
  static void store_wide(VcpuFrame* frame, u64 address, const void* from, u32 bits) {
    SoftmmuPaths path(frame, bits);
    path.write_bytes(address, static_cast<const u8*>(from));
  }
  static void cas_wide(VcpuFrame* frame, u64 address, u64 expected[2], const u64 desired[2], u32 bits) {
    SoftmmuPaths path(frame, bits);
    Found found;
    u8* host = path.atomic_target(address, &found);
    if (host == nullptr) return;
    host_compare_exchange_16(host, expected, desired);
    path.written(found, address, path.op.size());
  }
};

const MemorySlowPaths Softmmu::kSlowPaths = {
    .load = SoftmmuPaths::load,
    .store = SoftmmuPaths::store,
    .rmw = SoftmmuPaths::rmw,
    .cas = SoftmmuPaths::cas,
    .load_wide = SoftmmuPaths::load_wide,
    .store_wide = SoftmmuPaths::store_wide,
    .cas_wide = SoftmmuPaths::cas_wide,
};

}  // namespace pagoda
