// SPDX-License-Identifier: MIT
// Backends: what executes translated guest code. A row says what one is and can; an Engine is one at work in a machine.
//
// A block of IR becomes a unit (tcg/cache/unit.h) by the interpreter's lowering; that is what every engine starts from,
// and what tier 0 executes. A compiler's engine hangs host code on the unit. To add one: a row in registry.cpp, an
// Engine, and the tests of tests/backends run over it by themselves.
// Threading: rows are constants. compile() and compile_batch() with different `thread` numbers at the same time; with
// the same number on one thread at a time. execute() on any thread. The rest: no thread is in compile().
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tcg/abi/helper_table.h"
#include "tcg/abi/tlb.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/interp/interp.h"
#include "tcg/ir/block.h"
#include "tcg/tier/region_switches.h"

namespace pagoda::opt {
struct RegionPlan;
}

namespace pagoda::tier {

struct Services;
const Services& services();

// What an engine has to know of its guest and its machine; the tables outlive it.
struct Setup {
  ir::SlotTable slots;
  HelperTable helpers;
  std::span<const u16> pinned;  // frame offsets of the guest registers worth a host register, hottest first
  u32 memory_modes = 1;
  // Of each memory mode's TLB tables from the frame.
  u32 tlb_offset[kMemoryModes] = {}, second_tlb_offset[kMemoryModes] = {};
  u32 threads = 1;                  // that compile
  u64 code_bytes = u64{128} << 20;  // of host code at most, a power of two of at least 1 MiB
  u32 fusions = interp::kAllFusions;
  const Services* services = &tier::services();  // for plugins
  RegionSwitches regions;
  u32 loop_threshold = 0;         // jumps back after which a loop of several units is compiled as one; 0: never
  bool counts_own_turns = false;  // those of a unit to itself as well: regions are made of them
  u32 turns_again = 1 << 20;      // and after which this is looked at again
};

// What one compilation may cost at most; 0: anything.
struct Budget {
  u64 ns = 0;     // of host time. Who is ready when he notices keeps what he made
  u64 bytes = 0;  // of host code
};

// One compilation. With `block` the unit is made of it; without, `unit` has its threaded code, and is compiled further.
struct Job {
  const ir::Block* block = nullptr;
  const u8* next_page = nullptr;  // as Lowering::lower has it
  Unit* unit = nullptr;           // in or out; the caller's to free
  u32 memory_mode = 0;
  Budget budget;
};
enum class Outcome : u8 {
  done,
  no_room,      // may succeed when units were freed
  refused,      // never will: an op that this backend has no code for. With a block there is a unit all the same
  failed,       // trouble of the backend's own; it may succeed another time. Of the unit as for `refused`
  over_budget,  // as `failed`
};

struct Statistics {
  u64 units = 0, guest_insns = 0, host_bytes = 0, ops = 0;
  u64 stepped_ops = 0;  // that tier 0's handlers do within host code
  u64 no_room = 0, refused = 0, failed = 0, over_budget = 0;
  u64 loops = 0;  // of several units
  u64 regions = 0, region_insns = 0, region_bytes = 0, region_ns = 0;
  u64 fusions[interp::kFusionCount] = {};  // how often each was applied
  u64 timed_insns = 0, ns = 0;             // host time of every 16th unit
  void add(const Statistics& other);
};

class Engine {
 public:
  virtual ~Engine() = default;
  // On success unit->host is what the caller hands to CodeCache::attach, or empty for tier 0.
  virtual Outcome compile(u32 thread, Job& job) = 0;
  // One after the other, up to the first without room; says how many were tried.
  u64 compile_batch(u32 thread, std::span<Job> jobs, std::span<Outcome> outcomes);
  // Code of a loop (CodeCache::find_loop), for CodeCache::attach_loop; empty: this engine makes none, or not of this
  // one.
  virtual LoopCode compile_loop(u32, std::span<const LoopUnit>, u32 /*memory_mode*/) { return {}; }
  // Whether it makes code of regions; then, code of one, for CodeCache::attach_region. Empty: not of this one, or no
  // room, or over the budget, as `outcome` says. On one thread at a time, while others compile units.
  virtual bool makes_regions() const { return false; }
  virtual LoopCode compile_region(const opt::RegionPlan&, const Budget& /*budget*/, Outcome* outcome) {
    *outcome = Outcome::refused;
    return {};
  }
  // Runs from the start of `unit`, which this engine compiled and whose pc is frame.pc; as interp::execute.
  virtual interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) = 0;
  virtual Statistics statistics() const = 0;
  // Host code that belongs to no unit; empty: there is none.
  virtual std::span<const u8> shared_code() const { return {}; }
  virtual u64 code_bytes() const = 0;  // of host code memory in use
  // Forgets statistics and working memory; what was compiled stays.
  virtual void reset() = 0;
};

enum Feature : u32 {
  kFloat = 1,        // scalar floating point in host code
  kSimd = 2,         // vectors in host code
  kAtomics = 4,      // atomics without C++
  kParallel = 8,     // several threads compile at once
  kBatch = 16,       // gains from compile_batch
  kPersistent = 32,  // code may be stored and mapped again
  kHostCode = 64,    // needs executable memory
};
struct FeatureName {
  Feature feature;
  const char* name;
};
std::span<const FeatureName> feature_names();

struct Backend {
  const char* name;
  u32 tier;
  u32 features;
  u32 opt_levels;                       // the highest; 0: there is one
  std::span<const char* const> guests;  // whose IR it takes: names of guests.def; empty: of any guest
  const char* fallback;                 // who takes what this one refuses; null: it refuses nothing
  const char* summary;
  // Fails where the host lacks what it needs.
  Result<std::unique_ptr<Engine>> (*create)(const Setup& setup);
  const char* source = nullptr;  // the plugin's path; null: built in
};

// The built-in ones by rising tier, then those of plugins (plugin.h). A row stays where it is.
std::span<const Backend> backends();
const Backend* find_backend(std::string_view name);
// Whether a plugin's row is sound and its name free; then adds it. Before anything is translated.
Result<> check_backend(const Backend& backend);
Result<> add_backend(const Backend& backend, const char* source);

struct Requirements {
  u32 features = 0;        // all of these
  u32 opt_level = 0;       // can do at least this one
  std::string_view guest;  // whose IR it takes; empty: any
  u32 max_tier = ~u32{0};
  bool is_built_in = false;  // no plugin
  // What counts among those: soon to have code, that is the lowest tier, or fast code.
  enum class Aim : u8 { latency, throughput } aim = Aim::throughput;
};
// The best one that works on this host; the first of equals. Null: there is none.
const Backend* select(const Requirements& needs);
// The built-in one of the highest tier that works on this host.
const Backend& default_backend();
const Backend& fallback_backend();
bool is_available(const Backend& backend);
// What PAGODA_BACKEND names; null where it is not set. Fails for a name that there is not.
Result<const Backend*> backend_of_environment();

// The rows' factories.
Result<std::unique_ptr<Engine>> make_interpreter(const Setup& setup);
Result<std::unique_ptr<Engine>> make_lightweight(const Setup& setup);
Result<std::unique_ptr<Engine>> make_optimizing(const Setup& setup);

}  // namespace pagoda::tier
