// SPDX-License-Identifier: MIT
// Softmmu: a vcpu's software TLB: its levels, context generations, slow paths of memory accesses.
//
// First and second level: tcg/abi/tlb.h, tables for each memory mode. Third level: set-associative, shared by all
// modes, looked up in C++ before the guest's page walk; it also knows what the others cannot hold (permissions of pages
// with code, global entries under another context). A *context* is what gives a virtual address its meaning: the guest
// names it by a 64-bit key (for RISC-V: mode, ASID and root of satp), and the softmmu gives each live key a small
// generation number that is part of every tag; switching contexts or memory modes flushes nothing. Key 0 means
// untranslated: global entries of address spaces do not count there. Threading: only the owning vcpu's thread, or
// whoever holds the vcpu parked (cpu/rendezvous.h).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cpu/guest.h"
#include "memory/guest_memory.h"

namespace pagoda {

class Softmmu {
 public:
  // `tables`, `second`: zeroed, one for each of the guest's memory modes; they outlive this.
  Softmmu(Vcpu& vcpu, VcpuFrame& frame, GuestMemory& memory, const Guest& guest, TlbTable* tables,
          SecondTlbTable* second);

  // Says which context a memory mode's accesses belong to from now on. Cheap when nothing changes.
  void set_context(u32 memory_mode, u64 key);
  // Makes a memory mode the current one.
  void select_mode(u32 memory_mode);

  // Flushes. All are immediate for this vcpu.
  void flush_all();
  void flush_context(u64 key);                  // all but global entries of one context
  void flush_page(GuestVirt address);           // one page in every context
  void flush_page(GuestVirt address, u64 key);  // one page of one context, not global entries
  // Another translation of a page into code was made: no entry may write to it directly any more.
  void drop_write_tags(GuestPhys page);
  // Every store takes the slow path, and so reaches GuestMemory::written(). Before the vcpu runs.
  void withhold_write_tags() { withholds_write_tags_ = true; }
  // The machine's watchpoints changed: no tag of old stays.
  void watchpoints_changed();

  // The page of code at an address, filling the TLB. Without `host` the exception is recorded in the frame.
  struct CodePage {
    const u8* host = nullptr;  // of the page
    GuestPhys phys{0};
    u32 end = 0;         // bytes of the page up to here may be executed, from the address on
    bool whole = false;  // all of it may; else this holds for this fetch only
  };
  CodePage fetch_page(GuestVirt address);

  // The first-level entry that grants an access to RAM, with what the second level knows; else null.
  template <u64 TlbEntry::* kTag>
  const TlbEntry* find_entry(u64 address, u32 size, u32 memory_mode) {
    const MemoryContext& context = frame_.contexts[memory_mode];
    TlbEntry& first = tables_[memory_mode].entries[tlb_index(address)];
    if (first.*kTag == tlb_tag(address, size, context.tag)) return &first;
    const TlbEntry& second = second_[memory_mode].entries[second_tlb_index(address)];
    if (second.*kTag == tlb_tag(address, size, context.tag)) return &(first = second);
    if (second.*kTag != tlb_tag(address, size, context.global_tag)) return nullptr;
    const u64 more = context.tag - context.global_tag;  // what was invalid matches nothing with it, either
    return &(first = {second.read_tag + more, second.write_tag + more, second.exec_tag + more, second.addend});
  }

  static const MemorySlowPaths kSlowPaths;

  // The valid entries of the first level as a table for a person.
  std::string listing() const;

  struct Statistics {
    u64 first_level_misses = 0, third_level_hits = 0, walks = 0, mmio = 0, code_page_stores = 0, flushes = 0,
        generation_resets = 0;
  };
  const Statistics& statistics() const { return statistics_; }

 private:
  friend struct SoftmmuPaths;
  struct Context {
    u64 key;
    u32 generation;  // 0: flushed, the next use gets a new one
    bool used;
  };
  static constexpr u64 kNoPage = ~u64{0};
  struct Entry {         // third level
    u64 page = kNoPage;  // virtual page
    u64 phys = 0;
    u32 mode = 0;
    u32 generation = 0;  // of the context; of a global entry: the global generation
    bool readable = false, writable = false, executable = false, global = false;
    Privilege privilege = Privilege::machine;
  };
  struct Found {
    bool ok = false;
    u64 phys = 0;        // of the page
    u8* host = nullptr;  // of the page; null: device
    const GuestMemory::Range* range = nullptr;
    Privilege privilege = Privilege::machine;
    u16 last = kPageSize - 1;  // last byte of the page that may be accessed, from the address on
    bool whole = true;         // no boundary in the page
  };
  // Finds the page for an access and fills all levels; records the exception on failure.
  Found find_page(u64 address, AccessKind kind, u32 memory_mode);
  Found locate(u64 phys, Privilege privilege);
  void fill(u64 address, u32 memory_mode, const Entry& entry, const Found& found);
  u32 generation_of(u64 key);
  Context& context_of(u64 key);
  u32 new_generation();
  void reassign_contexts();
  void forget_everything();
  void invalidate_tables(u64 page);
  void clear_tables();
  void note_large_page(u64 page, u32 page_bits);
  bool is_large(u64 address) const;
  void set_tags(u32 memory_mode, u32 generation);
  // What addresses mean is another thing from now on, for code that jumps and for code that knows pages.
  void mappings_changed() {
    next_code_epoch(frame_);
    ++frame_.mapping_epoch;
  }
  Entry* set_of(u64 page);

  static constexpr u32 kWays = 4;
  static constexpr u32 kSets = 2048;

  Vcpu& vcpu_;
  VcpuFrame& frame_;
  GuestMemory& memory_;
  const Guest& guest_;
  std::span<TlbTable> tables_;
  std::span<SecondTlbTable> second_;
  // Number of the physical page of each second-level entry; by mode, empty until the mode is used.
  std::array<std::vector<u32>, kMemoryModes> phys_;
  std::vector<Entry> third_;
  std::vector<u8> victim_;     // next way to replace, per set
  std::vector<Context> live_;  // keys seen since the last reset of generations, open addressing by hash
  std::array<u64, kMemoryModes> mode_key_{};
  u32 next_generation_ = 1;
  u32 global_generation_ = 1;  // of global entries, which no context's generation can void
  u64 global_tag_ = kNoTlbTag;
  bool withholds_write_tags_ = false;
  // Regions that cover all large leaves cached since the last full flush; a page flush inside one flushes the context.
  struct Region {
    u64 start, mask;
  };
  static constexpr u32 kRegions = 32;
  std::vector<Region> large_;
  Statistics statistics_;
};

}  // namespace pagoda
