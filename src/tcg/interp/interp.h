// SPDX-License-Identifier: MIT
// Tier 0: blocks lowered to fused threaded code and executed by computed goto. Needs no executable memory.
#pragma once

#include <memory>
#include <string>

#include "tcg/abi/helper_table.h"
#include "tcg/abi/vcpu_frame.h"
#include "tcg/cache/unit.h"
#include "tcg/ir/block.h"

namespace pagoda::interp {

enum class Fusion : u8 {
#define FUSION(name, meaning) name,
#include "tcg/interp/fusions.def"
#undef FUSION
};
inline constexpr u32 kFusionCount = 0
#define FUSION(name, meaning) +1
#include "tcg/interp/fusions.def"
#undef FUSION
    ;
const char* fusion_name(Fusion fusion);
inline constexpr u32 kAllFusions = (1u << kFusionCount) - 1;

// Lowers one block after another; keeps its working memory. One per translating thread.
class Lowering {
 public:
  Lowering(ir::SlotTable slots, HelperTable helpers, u32 fusions);
  ~Lowering();

  // Makes a unit of the block: one allocation that holds header, code and instruction table, released by free_unit.
  // `next_page`: the host page with the second part of the block's only instruction, which straddles two pages; the
  // unit then checks at its start that this page is the one that the TLB maps there. Null: no check. When the host has
  // no memory left the unit is a spare one (Unit::is_spare): it has to be freed before the next one is made.
  Unit* lower(const ir::Block& block, const u8* next_page = nullptr);
  // How often each fusion was applied.
  u64 fusion_count(Fusion fusion) const { return counts_[static_cast<u32>(fusion)]; }

 private:
  struct Work;
  std::unique_ptr<Work> work_;
  ir::SlotTable slots_;
  HelperTable helpers_;
  u32 fusions_;
  u64 counts_[kFusionCount] = {};
  struct alignas(32) Piece {
    u8 bytes[32];
  };
  std::unique_ptr<Piece[]> spare_;  // for one unit; the host sees its pages when it is used
};
void free_unit(Unit* unit);

// Text of a unit's threaded code, one op a line, for logs and `describe`.
std::string print_code(const Unit& unit, ir::SlotTable slots);

// Why execution left translated code.
enum class Leave : u8 {
  lookup,     // frame.pc has no linked unit: link->target may be set to the one found
  hot,        // frame.pc is at `unit`, which has host code or was entered often enough for a compiler
  budget,     // the next unit has more instructions than the budget allows
  poll,       // frame.poll is set
  exception,  // frame.fault: exception recorded, frame.pc is the faulting instruction
  wait,       // wait for interrupt; frame.pc is the next instruction
};
inline constexpr u32 kLeaveCount = static_cast<u32>(Leave::wait) + 1;
inline constexpr const char* kLeaveNames[kLeaveCount] = {"lookup", "hot", "budget", "poll", "exception", "wait"};
struct LeaveInfo {
  Leave reason;
  Link* link;            // lookup: the exit that was taken, or null
  Unit* unit = nullptr;  // hot
};

// Computes the slots that hold old values before guest instruction `index` of the unit, when it is left there.
void repair(VcpuFrame& frame, const Unit& unit, u32 index);

// Goes on in guest mode behind an op of guest instruction `index` that somebody else executed: does what is left of the
// instruction, from threaded op number `op` on, and leaves; where it is the block's last, as execute() would go on.
// frame.pc and frame.budget are those of the block's start.
LeaveInfo finish(VcpuFrame& frame, const Unit& unit, u32 op, u32 index);

// Executes one op that neither faults nor ends a block, in guest mode.
void step(VcpuFrame& frame, const ThreadedOp& op);

// Runs from the start of `unit`, whose pc is frame.pc, until something needs the caller. Loads the guest's
// floating-point mode from frame.fp_control and stores it back.
LeaveInfo execute(VcpuFrame& frame, const Unit& unit);

}  // namespace pagoda::interp
