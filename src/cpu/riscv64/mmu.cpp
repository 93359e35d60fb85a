// SPDX-License-Identifier: MIT
// The page walk.
#include "cpu/riscv64/mmu.h"

#include "base/log.h"
#include "cpu/riscv64/modes.h"
#include "cpu/vcpu.h"
#include "memory/guest_memory.h"

namespace pagoda::riscv64 {
namespace {

// Page-table entries (10.4.1; Svnapot, chapter 12; Svpbmt, chapter 13).
namespace pte {
constexpr u64 kValid = 1, kRead = 2, kWrite = 4, kExecute = 8, kUser = 16, kGlobal = 32, kAccessed = 64, kDirty = 128;
constexpr u64 kReserved = ~u64{0} << 54;
constexpr u64 kMemoryType = u64{3} << 61, kNapot = u64{1} << 63;
constexpr u64 kNotInPointers = kUser | kAccessed | kDirty;  // reserved where the entry is not a leaf
constexpr u32 kPpnShift = 10;
constexpr u64 kPpnMask = (u64{1} << 44) - 1;
}  // namespace pte

constexpr u32 kIndexBits = 9;
// The one size of a contiguous range that exists: 64 KiB, marked by the lowest bits of the page number.
constexpr u32 kNapotBits = 16;
constexpr u64 kNapotMarker = 8, kNapotMarkerMask = 15;

u8 permission_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return pmpcfg::kRead;
    case AccessKind::write:
      return pmpcfg::kWrite;
    case AccessKind::execute:
      return pmpcfg::kExecute;
  }
  return 0;
}

Privilege device_privilege(Mode mode) {
  switch (mode) {
    case Mode::user:
      return Privilege::user;
    case Mode::supervisor:
      return Privilege::supervisor;
    case Mode::machine:
      return Privilege::machine;
  }
  return Privilege::machine;
}

Translation failure(u64 cause) {
  Translation result;
  result.ok = false;
  result.cause = cause;
  return result;
}

// What the leaf permits in a view, as pmpcfg bits.
u8 leaf_permissions(u64 entry, const MemoryView& view) {
  const bool user_page = (entry & pte::kUser) != 0;
  bool data = true, code = true;
  if (view.privilege == Mode::user) {
    data = code = user_page;
  } else if (user_page) {
    data = view.sum;
    code = false;
  }
  u8 permissions = 0;
  const u64 readable = view.mxr ? pte::kRead | pte::kExecute : pte::kRead;
  if (data && (entry & readable) != 0) permissions |= pmpcfg::kRead;
  if (data && (entry & pte::kWrite) != 0) permissions |= pmpcfg::kWrite;
  if (code && (entry & pte::kExecute) != 0) permissions |= pmpcfg::kExecute;
  return permissions;
}

// Completes a translation with what PMP says of the physical page. `address` is the byte asked for.
Translation with_pmp(const Hart& hart, Translation result, u64 address, u8 permissions, AccessKind kind, Mode mode) {
  const PmpResult pmp = pmp_lookup(hart.pmp, address, mode);
  permissions &= pmp.permissions;
  if ((permissions & permission_of(kind)) == 0) return failure(access_fault(kind));
  result.ok = true;
  result.page = GuestPhys(address & kPageMask);
  result.readable = (permissions & pmpcfg::kRead) != 0;
  result.writable = (permissions & pmpcfg::kWrite) != 0;
  result.executable = (permissions & pmpcfg::kExecute) != 0;
  result.last = static_cast<u16>(pmp.last & ~kPageMask);
  result.cacheable = pmp.last - pmp.first == kPageSize - 1;
  result.privilege = device_privilege(mode);
  return result;
}

// Implicit accesses to page tables are supervisor accesses, whatever the mode of the access they serve (3.7.1).
bool table_access_allowed(const Hart& hart, u64 address, u8 permissions) {
  const PmpResult pmp = pmp_lookup(hart.pmp, address, Mode::supervisor);
  return (pmp.permissions & permissions) == permissions && pmp.last - address >= sizeof(u64) - 1;
}

// Bits that must be zero in an entry, whether it is a leaf or not.
u64 reserved_bits(const Hart& hart) {
  u64 reserved = pte::kReserved;
  if (hart.extensions.has(Extension::svnapot)) reserved &= ~pte::kNapot;
  if ((hart.menvcfg & envcfg::kPbmte) != 0) reserved &= ~pte::kMemoryType;
  return reserved;
}

Translation walk_tables(const Hart& hart, GuestMemory& memory, u64 address, AccessKind kind, const MemoryView& view) {
  const u32 levels = static_cast<u32>(hart.satp >> 60) - 8 + 3;
  const u32 address_bits = static_cast<u32>(kPageBits) + levels * kIndexBits;
  const i64 canonical = static_cast<i64>(address << (64 - address_bits)) >> (64 - address_bits);
  if (static_cast<u64>(canonical) != address) return failure(page_fault(kind));

  const u64 reserved = reserved_bits(hart);
  bool global = false;
  u64 table = (hart.satp & pte::kPpnMask) << kPageBits;
  u32 level = levels;
  while (level != 0) {
    --level;
    const u32 shift = static_cast<u32>(kPageBits) + level * kIndexBits;
    const u64 entry_address = table + ((address >> shift & ((1u << kIndexBits) - 1)) << 3);
    if (!table_access_allowed(hart, entry_address, pmpcfg::kRead)) return failure(access_fault(kind));
    u64 entry;
    if (!memory.load<u64>(GuestPhys(entry_address), &entry)) return failure(access_fault(kind));

    if ((entry & pte::kValid) == 0 || (entry & reserved) != 0) return failure(page_fault(kind));
    if ((entry & (pte::kRead | pte::kWrite)) == pte::kWrite) return failure(page_fault(kind));  // reserved encoding
    const u64 next = (entry >> pte::kPpnShift & pte::kPpnMask) << kPageBits;
    if ((entry & (pte::kRead | pte::kExecute)) == 0) {
      if ((entry & (pte::kNotInPointers | pte::kReserved)) != 0) return failure(page_fault(kind));
      global |= (entry & pte::kGlobal) != 0;  // holds for all below
      table = next;
      continue;
    }

    // All of memory behaves alike whatever its type; the fourth one is reserved.
    if ((entry & pte::kMemoryType) == pte::kMemoryType) return failure(page_fault(kind));
    const bool contiguous = (entry & pte::kNapot) != 0;
    if (contiguous && (level != 0 || (next >> kPageBits & kNapotMarkerMask) != kNapotMarker))
      return failure(page_fault(kind));
    const u32 page_bits = contiguous ? kNapotBits : shift;
    const u64 base = contiguous ? next & ~(kNapotMarkerMask << kPageBits) : next;
    const u64 offset_mask = (u64{1} << page_bits) - 1;
    u8 permissions = leaf_permissions(entry, view);
    if ((permissions & permission_of(kind)) == 0) return failure(page_fault(kind));
    if ((base & offset_mask) != 0) return failure(page_fault(kind));  // misaligned superpage

    const u64 wanted = pte::kAccessed | (kind == AccessKind::write ? pte::kDirty : 0);
    if ((entry & wanted) != wanted) {
      if ((hart.menvcfg & envcfg::kAdue) == 0) return failure(page_fault(kind));
      constexpr u8 kUpdate = pmpcfg::kRead | pmpcfg::kWrite;
      if (!table_access_allowed(hart, entry_address, kUpdate)) return failure(access_fault(kind));
      bool swapped = false;
      if (!memory.compare_exchange<u64>(GuestPhys(entry_address), entry, entry | wanted, &swapped))
        return failure(access_fault(kind));
      if (!swapped) {
        ++level;  // somebody changed the entry: look at it anew
        continue;
      }
      entry |= wanted;
    }
    // The first store has to come here again, to set D or to fault.
    if ((entry & pte::kDirty) == 0) permissions &= static_cast<u8>(~pmpcfg::kWrite);
    Translation result;
    result.page_bits = static_cast<u8>(page_bits);
    result.global = global || (entry & pte::kGlobal) != 0;
    return with_pmp(hart, result, base | (address & offset_mask), permissions, kind, view.privilege);
  }
  return failure(page_fault(kind));  // a pointer where only a leaf may be
}

}  // namespace

u64 access_fault(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return cause::kLoadAccess;
    case AccessKind::write:
      return cause::kStoreAccess;
    case AccessKind::execute:
      return cause::kFetchAccess;
  }
  return 0;
}
u64 page_fault(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return cause::kLoadPage;
    case AccessKind::write:
      return cause::kStorePage;
    case AccessKind::execute:
      return cause::kFetchPage;
  }
  return 0;
}
u64 misaligned_fault(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return cause::kLoadMisaligned;
    case AccessKind::write:
      return cause::kStoreMisaligned;
    case AccessKind::execute:
      return cause::kFetchMisaligned;
  }
  return 0;
}

Translation translate_address(const Hart& hart, GuestMemory& memory, GuestVirt address, AccessKind kind,
                              MemoryMode mode) {
  const MemoryView view = memory_view(mode);
  if (view.privilege == Mode::machine || hart.satp >> 60 == 0) {
    constexpr u8 kAll = pmpcfg::kRead | pmpcfg::kWrite | pmpcfg::kExecute;
    return with_pmp(hart, Translation{}, address.value, kAll, kind, view.privilege);
  }
  return walk_tables(hart, memory, address.value, kind, view);
}

Translation walk(Vcpu& vcpu, GuestVirt address, AccessKind kind, u32 memory_mode) {
  const Hart& hart = vcpu.state<Hart>();
  const Translation result =
      translate_address(hart, vcpu.memory(), address, kind, static_cast<MemoryMode>(memory_mode));
  if (log_enabled(Log::mmu)) [[unlikely]] {
    constexpr const char* kinds[] = {"read", "write", "execute"};
    log(Log::mmu, "hart {}: {} {:#x} in memory mode {}: {}", hart.hart_id, kinds[static_cast<u32>(kind)], address.value,
        memory_mode, result.ok ? fmt::format("page {:#x}", result.page.value) : fmt::format("cause {}", result.cause));
  }
  return result;
}

}  // namespace pagoda::riscv64
