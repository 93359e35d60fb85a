// SPDX-License-Identifier: MIT
// Tier 1: host code for one block, made in one pass from the block's placed code (the threaded code of tier 0).
//
// Lowering has already given every value a place: a guest register or a temporary of the frame. The hottest guest
// registers live in host registers while compiled code runs, by one map for all blocks, so that a link is a plain jump
// and nothing is stored back around a memory access: a guest register is exact in its host register at every
// instruction boundary, and the stubs of the slow paths write all of them to the frame. An op without an emitter is
// executed by tier 0's handler through a stub, and counted.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "tcg/abi/helper_table.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/cache/code_memory.h"
#include "tcg/cache/unit.h"
#include "tcg/host/x86_64/features.h"
#include "tcg/interp/interp.h"
#include "tcg/tier/backend.h"

namespace pagoda::light {

// How a piece of compiled code ended: what its leave stub returns, with the unit.
enum class Left : u32 {
  lookup,
  lookup_link0,
  lookup_link1,
  often_link0,
  often_link1,
  budget,
  poll,
  exception,
  later_exception,
  wait
};

// What compiled code of one guest needs to know; the same for all its vcpus.
struct Layout {
  std::span<const u16> pinned;  // frame offsets of the guest registers to keep in host registers, hottest first
  HelperTable helpers;
  u32 memory_modes = 1;
  // Of each memory mode's tables from the frame.
  u32 tlb_offset[kMemoryModes] = {}, second_tlb_offset[kMemoryModes] = {};
  u32 loop_threshold = 0;         // jumps back before a loop of several units is compiled as one; 0: never
  bool counts_own_turns = false;  // of units that jump to themselves, too
  u32 turns_again = 1 << 20;      // and before that is looked at again
  host::Features features;        // that code may use
};

using tier::Statistics;

// The stubs that all code shares; one for each code memory.
class Stubs {
 public:
  Stubs(CodeMemory& memory, const Layout& layout);
  CodeMemory& memory;
  Layout layout;
  // Executable addresses.
  const u8* enter = nullptr;
  const u8* leave = nullptr;
  const u8* leave_at = nullptr;
  const u8* finish = nullptr;
  // By memory mode and handler, from load_u8 and store_8 on.
  const u8* load[kMemoryModes][7] = {};
  const u8* store[kMemoryModes][4] = {};
  const u8* rmw = nullptr;
  const u8* cas = nullptr;
  const u8* load_wide = nullptr;
  const u8* store_wide = nullptr;
  const u8* call = nullptr;
  const u8* call_plain = nullptr;
  const u8* step = nullptr;
  // Indirect jumps without an entry of the jump cache, and with one that has to be looked at.
  const u8* jump_miss = nullptr;
  const u8* jump_check[kMemoryModes] = {};
  // Second level of the TLB, by memory mode and kind of access.
  enum Probe : u32 { for_read, for_write, for_fetch };
  const u8* probe[kMemoryModes][3] = {};
};

// One compiler per translating thread; it is reused.
class Compiler {
 public:
  explicit Compiler(const Stubs& stubs);
  ~Compiler();
  // Makes host code for the unit and hangs it on unit.host; false: no room (counted), or too much code. The unit is not
  // entered by anybody else through its host code until CodeCache::attach has published it.
  bool compile(Unit& unit, u32 memory_mode);
  // Makes host code of several units with code of their own; it belongs to nobody until CodeCache::attach_loop. Empty:
  // no room (counted), or too much code.
  LoopCode compile_loop(std::span<const LoopUnit> loop, u32 memory_mode);
  const Statistics& statistics() const { return statistics_; }
  // From now on the text of each unit's host code goes to `text`, as far as it lies on the usual way: without what
  // rarely runs. Null: no text. For tests and describe.
  void set_listing(std::string* text);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
  const Stubs& stubs_;
  Statistics statistics_;
};

// Runs compiled code from the start of `unit`, whose pc is frame.pc, until something needs the caller; as
// interp::execute.
interp::LeaveInfo execute(const Stubs& stubs, VcpuFrame& frame, const Unit& unit);

}  // namespace pagoda::light
