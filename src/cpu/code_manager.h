// SPDX-License-Identifier: MIT
// CodeManager: from a guest pc to a unit: fetch, mark the page, translate, publish; and back: invalidate what is
// written.
//
// Marking a page as holding code is a handshake with all vcpus, once per page: afterwards no TLB entry lets anyone
// write to it directly, so that every store reaches code_written(). A unit whose bytes changed while it was made is
// made anew; if that happens again and again it serves for one run, so that a guest that writes beside its code cannot
// stop a vcpu. Threading: unit_at() on a vcpu's thread, running and without locks; code_written() on any thread.
#pragma once

#include <memory>
#include <vector>

#include "cpu/guest.h"
#include "cpu/region_compiler.h"
#include "memory/guest_memory.h"
#include "tcg/cache/code_cache.h"
#include "tcg/cache/perf_map.h"
#include "tcg/interp/interp.h"
#include "tcg/tier/backend.h"
#include "tcg/tier/fallback.h"
#include "tcg/tier/policy.h"

namespace pagoda {

class Rendezvous;

struct CodeOptions {
  u32 fusions = interp::kAllFusions;
  u64 cache_bytes = u64{64} << 20;
  u32 max_block_insns = 48;
  bool forward_state = true;
  u32 max_tier = 0;
  const tier::Backend* backend = nullptr;  // whose code runs above tier 0; null: the best one up to max_tier
  PerfMap* perf_map = nullptr;             // null: code gets no names; outlives the manager
  u32 min_tier = 0;                        // 1: compile a unit before it runs for the first time
  const tier::Policy* policy = nullptr;    // when units are promoted; null: the default one
  u32 tier1_threshold = 8;                 // weighted entries of a unit before tier 1 compiles it
  u32 tier2_threshold = 10000;             // weighted jumps back before a region is compiled; 0: none is
  bool regions_in_background = true;
  tier::RegionSwitches regions;
  u32 loop_threshold = 512;         // jumps back before a loop of several blocks is compiled as one; 0: never
  u64 code_bytes = u64{128} << 20;  // of compiled code at most
};

class CodeManager final : public CodeWriteObserver {
 public:
  CodeManager(GuestMemory& memory, Rendezvous& rendezvous, const Guest& guest, u32 vcpus, const CodeOptions& options);
  ~CodeManager() override;

  // The unit for the vcpu's pc and mode. Null: an exception was recorded in the frame (fetch fault).
  // `max_insns` below max_block_insns gives a unit for one run (Unit::cut_short), which the caller frees; so does code
  // in a page with a protection boundary in it.
  Unit* unit_at(Vcpu& vcpu, u32 max_insns);
  // Runs `unit`, which is at the vcpu's pc, on the best tier there is for it.
  interp::LeaveInfo execute(Vcpu& vcpu, Unit& unit);
  // The same on tier 0, one unit and no more, which the vcpu sees to.
  interp::LeaveInfo interpret(Vcpu& vcpu, Unit& unit);
  // What a vcpu found out about where control goes from the first of these units (Vcpu::start_sample).
  // `memory_mode`: when it began.
  void sampled(Vcpu& vcpu, std::span<const opt::Sample> samples, u32 memory_mode);
  CodeCache& cache() { return cache_; }
  u32 max_block_insns() const { return options_.max_block_insns; }
  // Units end before these offsets in any page and none that begins at one is linked to, so that control passes there
  // by the run loop. Ascending. Only while no vcpu is inside Vcpu::run().
  void set_stops(std::vector<u16> page_offsets);

  void code_written(GuestPhys address, u64 size) override;

  struct Statistics {
    u64 blocks = 0, guest_insns = 0, guest_bytes = 0, pages_marked = 0;
    // Host time of every 16th block: fetch, decode and IR; then lowering to threaded code.
    u64 timed_insns = 0, lift_ns = 0, lower_ns = 0;
    tier::Statistics interpreter, compiler;
    u64 code_bytes = 0;  // of code memory in use
    const char* policy;
    const char* backend;  // of the compiler; null: there is none
    tier::HotSpots::Statistics promotion;
    tier::Guard::Statistics guard;
    RegionCompiler::Statistics regions;
  };
  Statistics statistics() const;

 private:
  struct Translator;  // per vcpu
  void compile(Vcpu& vcpu, Unit& unit);
  void turned_often(Vcpu& vcpu, Unit& root);
  void compile_loop(Vcpu& vcpu, Unit& root, u32 memory_mode);
  void mark_page(Vcpu& vcpu, GuestPhys page);
  void make_room();
  void after_deaths(u64 deaths);
  // What a unit is to be made from.
  struct Source {
    u64 phys;  // of the first byte
    const u8* host_page;
    u32 size;                       // bytes of the page from there on that may be executed
    u64 phys_next = 0;              // an instruction that straddles: its second page
    const u8* host_next = nullptr;  // null: it does not
    u32 max_insns;
    bool once;  // for one run only: what it depends on is not in its key
  };
  // Both: null without a fault when bytes changed between two looks at them, and it has to start over.
  Unit* try_unit_at(Vcpu& vcpu, u32 max_insns);
  Unit* find_or_translate(Vcpu& vcpu, const Source& source);

  GuestMemory& memory_;
  Rendezvous& rendezvous_;
  const Guest& guest_;
  CodeOptions options_;
  std::unique_ptr<tier::Engine> interpreter_;
  tier::HotSpots hot_spots_;
  std::unique_ptr<tier::Guard> guard_;      // of the compiler
  std::unique_ptr<tier::Engine> compiler_;  // null: no compiler tier; outlives the cache, whose units hold its memory
  CodeCache cache_;
  std::unique_ptr<RegionCompiler> regions_;  // null: no regions
  std::vector<u16> stops_;
  std::vector<std::unique_ptr<Translator>> translators_;
};

}  // namespace pagoda
