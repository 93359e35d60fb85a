// SPDX-License-Identifier: MIT
// Software TLB: contexts, both levels, flushes, fetch.
#include "cpu/softmmu.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "cpu/vcpu.h"

namespace pagoda {
namespace {

// Each key that enters the table takes a generation, so it never gets half full before the generations run out.
constexpr u32 kKeySlots = 512;
static_assert(kKeySlots > 2 * kTlbGenerations);

u32 key_slot(u64 key) { return static_cast<u32>((key * 0x9e3779b97f4a7c15) >> 55) & (kKeySlots - 1); }

// Where `page` is among the numbers (a multiple of 64 of them); in pieces that the compiler can make vector code of.
template <class F>
void for_each_equal(std::span<const u32> numbers, u32 page, F&& found) {
  constexpr u32 kPiece = 64;
  for (std::size_t start = 0; start < numbers.size(); start += kPiece) {
    const u32* piece = numbers.data() + start;  // an index of 32 bits might wrap: no vector code
    u32 any = 0;
    for (u32 i = 0; i < kPiece; ++i) any |= piece[i] == page ? ~0u : 0u;
    if (any == 0) continue;
    for (u32 i = 0; i < kPiece; ++i) {
      if (piece[i] == page) found(static_cast<u32>(start) + i);
    }
  }
}

}  // namespace

Softmmu::Softmmu(Vcpu& vcpu, VcpuFrame& frame, GuestMemory& memory, const Guest& guest, TlbTable* tables,
                 SecondTlbTable* second)
    : vcpu_(vcpu),
      frame_(frame),
      memory_(memory),
      guest_(guest),
      tables_(tables, guest.memory_modes),
      second_(second, guest.memory_modes),
      third_(kSets * kWays),
      victim_(kSets),
      live_(kKeySlots) {
  CHECK(guest.memory_modes <= kMemoryModes);
  for (u32 mode = 0; mode < guest.memory_modes; ++mode) {
    frame_.contexts[mode] = {&tables_[mode], 0, kNoTlbTag};
  }
  frame_.memory_mode = 0;
  reassign_contexts();
}

// Gives every memory mode's current context a generation and makes the frame see it.
void Softmmu::reassign_contexts() {
  u64 resets;
  do {  // generations given out before a reset are void
    resets = statistics_.generation_resets;
    if (global_tag_ == kNoTlbTag) global_tag_ = u64{new_generation()} << 4;
    for (u32 mode = 0; mode < guest_.memory_modes; ++mode) set_tags(mode, generation_of(mode_key_[mode]));
  } while (resets != statistics_.generation_resets);
  frame_.memory = frame_.contexts[frame_.memory_mode];
  mappings_changed();
}

void Softmmu::set_tags(u32 memory_mode, u32 generation) {
  MemoryContext& context = frame_.contexts[memory_mode];
  context.tag = u64{generation} << 4;
  context.global_tag = mode_key_[memory_mode] != 0 ? global_tag_ : kNoTlbTag;
}

// The key's place in the table: where it is, or where it would go. No key is ever displaced by another: a memory mode
// may still run on the generation of a key that was not looked up for long, and a flush must find it.
Softmmu::Context& Softmmu::context_of(u64 key) {
  u32 slot = key_slot(key);
  while (live_[slot].used && live_[slot].key != key) slot = (slot + 1) & (kKeySlots - 1);
  return live_[slot];
}

u32 Softmmu::generation_of(u64 key) {
  const Context& context = context_of(key);
  if (context.used && context.generation != 0) return context.generation;
  const u32 generation = new_generation();  // may empty the table
  context_of(key) = {key, generation, true};
  return generation;
}

u32 Softmmu::new_generation() {
  if (next_generation_ > kTlbGenerations) {
    ++statistics_.generation_resets;
    forget_everything();
  }
  return next_generation_++;
}

void Softmmu::forget_everything() {
  clear_tables();
  std::fill(third_.begin(), third_.end(), Entry{});
  std::fill(live_.begin(), live_.end(), Context{});
  next_generation_ = 1;
  global_tag_ = kNoTlbTag;
  large_.clear();
}

void Softmmu::set_context(u32 memory_mode, u64 key) {
  if (mode_key_[memory_mode] == key) return;
  mode_key_[memory_mode] = key;
  const u64 resets = statistics_.generation_resets;
  const u32 generation = generation_of(key);
  if (resets != statistics_.generation_resets) return reassign_contexts();  // the other modes' ones are void
  set_tags(memory_mode, generation);
  mappings_changed();
  if (frame_.memory_mode == memory_mode) frame_.memory = frame_.contexts[memory_mode];
}

void Softmmu::select_mode(u32 memory_mode) {
  frame_.memory_mode = memory_mode;
  frame_.memory = frame_.contexts[memory_mode];
}

void Softmmu::flush_all() {
  ++statistics_.flushes;
  // Old generations simply never match again.
  ++global_generation_;
  global_tag_ = kNoTlbTag;
  std::fill(live_.begin(), live_.end(), Context{});
  large_.clear();
  reassign_contexts();
}

void Softmmu::flush_context(u64 key) {
  ++statistics_.flushes;
  Context& context = context_of(key);
  if (!context.used) return;  // nothing of it is left
  context.generation = 0;
  reassign_contexts();
}

void Softmmu::clear_tables() {
  for (u32 mode = 0; mode < guest_.memory_modes; ++mode) {
    if (phys_[mode].empty()) continue;
    std::memset(static_cast<void*>(&tables_[mode]), 0, sizeof(TlbTable));
    std::memset(static_cast<void*>(&second_[mode]), 0, sizeof(SecondTlbTable));
  }
}

void Softmmu::invalidate_tables(u64 page) {
  for (u32 mode = 0; mode < guest_.memory_modes; ++mode) {
    if (phys_[mode].empty()) continue;
    tables_[mode].entries[tlb_index(page)] = {};
    second_[mode].entries[second_tlb_index(page)] = {};
  }
}

void Softmmu::flush_page(GuestVirt address) {
  ++statistics_.flushes;
  if (is_large(address.value)) return flush_all();
  const u64 page = address.value & kPageMask;
  invalidate_tables(page);
  Entry* set = set_of(page);
  for (u32 way = 0; way < kWays; ++way) {
    if (set[way].page == page) set[way] = Entry{};
  }
  mappings_changed();
}

void Softmmu::flush_page(GuestVirt address, u64 key) {
  ++statistics_.flushes;
  if (is_large(address.value)) return flush_context(key);
  const Context& context = context_of(key);
  if (!context.used || context.generation == 0) return;
  const u64 page = address.value & kPageMask;
  invalidate_tables(page);
  Entry* set = set_of(page);
  for (u32 way = 0; way < kWays; ++way) {
    if (set[way].page == page && set[way].generation == context.generation && !set[way].global) set[way] = Entry{};
  }
  mappings_changed();
}

void Softmmu::drop_write_tags(GuestPhys page) {
  const GuestMemory::Range* range = memory_.find(page);
  if (range == nullptr || !range->is_ram()) return;
  const u64 host = reinterpret_cast<u64>(range->host + (page.value - range->start));
  ++frame_.mapping_epoch;  // also where no entry is left: compiled code may remember what there was
  for (u32 mode = 0; mode < guest_.memory_modes; ++mode) {
    for_each_equal(phys_[mode], static_cast<u32>(page.value >> kPageBits), [&](u32 i) {
      TlbEntry& entry = second_[mode].entries[i];
      if (entry.write_tag == kTlbInvalid || (entry.write_tag & kTlbPageMask) + entry.addend != host) return;
      TlbEntry& first = tables_[mode].entries[tlb_index(entry.write_tag)];
      // The first level's is the same page, perhaps under another tag, or another page's.
      if ((first.write_tag & kTlbPageMask) == (entry.write_tag & kTlbPageMask)) first.write_tag = kTlbInvalid;
      entry.write_tag = kTlbInvalid;
    });
  }
}

std::string Softmmu::listing() const {
  std::string text;
  for (u32 mode = 0; mode < guest_.memory_modes; ++mode) {
    for (u32 i = 0; i < phys_[mode].size(); ++i) {
      const TlbEntry& entry = second_[mode].entries[i];
      const u64 tag = std::max({entry.read_tag, entry.write_tag, entry.exec_tag});
      const u64 context = tag & ~kTlbPageMask;
      if (context != frame_.contexts[mode].tag && context != frame_.contexts[mode].global_tag) continue;
      text += fmt::format("{:016x} {:016x} {}{}{} memory mode {}\n", tag & kTlbPageMask,
                          u64{phys_[mode][i]} << kPageBits, entry.read_tag != kTlbInvalid ? 'r' : '-',
                          entry.write_tag != kTlbInvalid ? 'w' : '-', entry.exec_tag != kTlbInvalid ? 'x' : '-', mode);
    }
  }
  return text.empty() ? "the TLB is empty\n" : "vaddr            paddr            attr\n" + text;
}

void Softmmu::watchpoints_changed() {
  clear_tables();
  mappings_changed();
}

Softmmu::Entry* Softmmu::set_of(u64 page) {
  const u64 number = page >> kPageBits;
  return &third_[((number ^ number >> 11) & (kSets - 1)) * kWays];
}

void Softmmu::fill(u64 address, u32 memory_mode, const Entry& entry, const Found& found) {
  if (found.host == nullptr) return;
  const u64 page = address & kTlbPageMask;
  bool readable = entry.readable;
  bool writable = entry.writable && !found.range->read_only && !withholds_write_tags_;
  if (const DebugPoints* points = vcpu_.debug_points(); points != nullptr && points->any_watchpoint()) [[unlikely]] {
    const DebugPoints::Watched watched = points->watched(page);
    readable = readable && !watched.reads;
    writable = writable && !watched.writes;
  }
  writable = writable && readable;  // compiled code takes a write tag for both (tcg/light/page_runs.h)
  if (writable) {
    // The mark is read after the page was chosen for writing: whoever marks it later asks this vcpu to drop the tag.
    std::atomic<u8>& marks = found.range->marks[(found.phys - found.range->start) >> kPageBits];
    const u8 bits = marks.load(std::memory_order_seq_cst);
    writable = (bits & GuestMemory::kHasCode) == 0;
    if (writable && (bits & GuestMemory::kDirty) == 0) marks.fetch_or(GuestMemory::kDirty, std::memory_order_acq_rel);
  }
  if (phys_[memory_mode].empty()) phys_[memory_mode].resize(kSecondTlbEntries);
  const auto filled = [&](u64 with) -> TlbEntry {
    return {.read_tag = readable ? page + with : kTlbInvalid,
            .write_tag = writable ? page + with : kTlbInvalid,
            .exec_tag = entry.executable ? page + with : kTlbInvalid,
            .addend = reinterpret_cast<u64>(found.host) - page};
  };
  const MemoryContext& context = frame_.contexts[memory_mode];
  const bool is_shared = entry.global && context.global_tag != kNoTlbTag;
  tables_[memory_mode].entries[tlb_index(address)] = filled(context.tag);
  second_[memory_mode].entries[second_tlb_index(address)] = filled(is_shared ? context.global_tag : context.tag);
  phys_[memory_mode][second_tlb_index(address)] = static_cast<u32>(found.phys >> kPageBits);
}

Softmmu::Found Softmmu::locate(u64 phys, Privilege privilege) {
  const GuestMemory::Range* range = memory_.find(GuestPhys(phys));
  if (range == nullptr) return {};
  return {.ok = true,
          .phys = phys & kPageMask,
          .host = range->is_ram() ? range->host + ((phys & kPageMask) - range->start) : nullptr,
          .range = range,
          .privilege = privilege};
}

Softmmu::Found Softmmu::find_page(u64 address, AccessKind kind, u32 memory_mode) {
  ++statistics_.first_level_misses;
  const u64 page = address & kPageMask;
  const u32 generation = static_cast<u32>(frame_.contexts[memory_mode].tag >> 4);
  const bool translated = mode_key_[memory_mode] != 0;
  Entry* set = set_of(page);
  const auto is_this = [&](const Entry& entry) {
    if (entry.page != page || entry.mode != memory_mode) return false;
    return entry.global ? translated && entry.generation == global_generation_ : entry.generation == generation;
  };
  for (u32 way = 0; way < kWays; ++way) {
    const Entry& entry = set[way];
    if (!is_this(entry)) continue;
    const bool allowed = kind == AccessKind::read    ? entry.readable
                         : kind == AccessKind::write ? entry.writable
                                                     : entry.executable;
    if (!allowed) break;  // walk: for the fault, or because a write still has to set the dirty bit
    ++statistics_.third_level_hits;
    const Found found = locate(entry.phys | (address & ~kPageMask), entry.privilege);
    if (found.ok) {
      fill(address, memory_mode, entry, found);
      return found;
    }
    break;
  }
  ++statistics_.walks;
  const Translation translation = guest_.walk(vcpu_, GuestVirt(address), kind, memory_mode);
  if (!translation.ok) {
    vcpu_.raise(translation.cause, address);
    return {};
  }
  Found found = locate(translation.page.value | (address & ~kPageMask), translation.privilege);
  found.last = translation.last;
  found.whole = translation.cacheable;
  if (!found.ok) {
    log(Log::guest_error, "vcpu {}: access to {:#x}, physical {:#x}: neither RAM nor a device", vcpu_.index(), address,
        translation.page.value | (address & ~kPageMask));
    vcpu_.raise(guest_.bus_error_cause(kind), address);
    return {};
  }
  if (!translation.cacheable) return found;
  if (translation.page_bits > kPageBits) note_large_page(page, translation.page_bits);
  Entry entry{
      .page = page,
      .phys = translation.page.value,
      .mode = memory_mode,
      .generation = translation.global ? global_generation_ : static_cast<u32>(frame_.contexts[memory_mode].tag >> 4),
      .readable = translation.readable,
      .writable = translation.writable,
      .executable = translation.executable,
      .global = translation.global,
      .privilege = translation.privilege};
  u32 way = 0;
  while (way < kWays && !is_this(set[way])) ++way;
  if (way == kWays) {
    u8& victim = victim_[static_cast<std::size_t>(set - third_.data()) / kWays];
    way = victim++ % kWays;
  }
  set[way] = entry;
  fill(address, memory_mode, entry, found);
  return found;
}

bool Softmmu::is_large(u64 address) const {
  return std::ranges::any_of(large_, [&](const Region& region) { return (address & region.mask) == region.start; });
}

void Softmmu::note_large_page(u64 page, u32 page_bits) {
  Region added{.start = page & ~u64{0} << page_bits, .mask = ~u64{0} << page_bits};
  if (std::ranges::any_of(large_, [&](const Region& region) {
        return (added.start & region.mask) == region.start && (added.mask & region.mask) == region.mask;
      })) {
    return;
  }
  // Two halves become one; without room the last region grows until it covers both.
  for (bool merged = true; merged;) {
    merged = false;
    for (std::size_t i = 0; i < large_.size(); ++i) {
      const u64 wider = added.mask << 1;
      const bool is_half = large_[i].mask == added.mask && (large_[i].start & wider) == (added.start & wider);
      if (!is_half && (i + 1 < kRegions || large_.size() < kRegions)) continue;
      u64 mask = is_half ? wider : added.mask & large_[i].mask;
      while (((large_[i].start ^ added.start) & mask) != 0) mask <<= 1;
      added = {.start = added.start & mask, .mask = mask};
      large_.erase(large_.begin() + static_cast<std::ptrdiff_t>(i));
      merged = true;
      break;
    }
  }
  large_.push_back(added);
}

Softmmu::CodePage Softmmu::fetch_page(GuestVirt address) {
  const u32 mode = guest_.fetch_mode(vcpu_);
  if (const TlbEntry* entry = find_entry<&TlbEntry::exec_tag>(address.value, 1, mode); entry != nullptr) {
    return {.host = reinterpret_cast<const u8*>((address.value & kPageMask) + entry->addend),
            .phys = GuestPhys(u64{phys_[mode][second_tlb_index(address.value)]} << kPageBits),
            .end = kPageSize,
            .whole = true};
  }
  const Found found = find_page(address.value, AccessKind::execute, mode);
  if (!found.ok) return {};
  if (found.host == nullptr) {  // no code is fetched from devices
    vcpu_.raise(guest_.bus_error_cause(AccessKind::execute), address.value);
    return {};
  }
  return {.host = found.host, .phys = GuestPhys(found.phys), .end = found.last + 1u, .whole = found.whole};
}

}  // namespace pagoda
