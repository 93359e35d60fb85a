// SPDX-License-Identifier: MIT
// The walk of the register allocator: blocks in reverse postorder, instructions in order, with the set of values that
// are in registers. Internal to it.
//
// When a register is short, the value whose next use is farthest leaves, with distances over the whole region
// (regalloc.h). What enters a block in registers is decided when the block begins: at a loop's header what the loop
// uses, then what only lives through it if there is room in the whole loop. Where predecessors disagree, moves on their
// edges make up for it. A value that is in no register is in its spill slot, or is a constant that is made anew.
#pragma once

#include <vector>

#include "tcg/opt/parallel_moves.h"
#include "tcg/opt/regalloc.h"

namespace pagoda::opt::ra {

// Registers at one point: which value each holds, and whether that value's spill slot holds it as well.
struct Held {
  VReg at[kRegs] = {};
  u32 held = 0;    // bits of registers that hold one
  u32 stored = 0;  // ... that the slot holds as well
};

// A move in a block, before instruction `at`; spill slots are named by register: kSlots + vreg.
struct Event {
  u32 at;
  Step step;
  bool is_store = false;
};

// Values that are better not in a register when a loop begins: the loop has to let go of them, and load them again at
// its end. By header and register, in order.
using Unfit = std::vector<std::pair<u32, VReg>>;

class Walk {
 public:
  Walk(LirCode& code, const Registers& registers, const Facts& facts, const Unfit& unfit);
  // False: an instruction wants more registers than there are.
  bool run();
  // Adds what this walk has found out; false: nothing.
  bool find_unfit(Unfit& unfit) const;

  // Notes that `reg` is written to its spill slot, from where it is, in `block`.
  void note_store(VReg reg, u32 block) {
    needs_slot[reg] = 1;
    store_cost[reg] += facts_.blocks[block].frequency;
  }

  std::vector<Held> entry, exit;  // by block
  std::vector<Event> events;
  std::vector<u8> needs_slot;   // by vreg
  std::vector<u64> store_cost;  // by vreg: how often its stores are expected to happen
  u32 spare_slots = 0;          // used by moves in blocks, named from kSlots + number of vregs

  u32 allocatable() const { return allocatable_; }

 private:
  // A position in a block at which an instruction wants a register, for a value or (0) to destroy it.
  struct Want {
    u32 at;
    VReg reg;
    bool is_wish;  // a value's favourite register: it may have another
  };
  struct Candidate {
    VReg reg;
    u32 key;             // how far its next use is
    u64 have = 0;        // how often control comes with it in a register
    u32 remade = 0;      // ... with it being a constant
    u64 votes[16] = {};  // by register
    bool is_phi = false;
  };
  enum Flag : u8 { kDies = 1, kLate = 2, kOperand = 4, kMoved = 8 };

  // regalloc_walk.cpp
  void join_webs();
  void block(u32 b);
  void look_ahead(u32 b);
  void look_back(u32 b);
  void look_at(const LirBlock& block, u32 position);
  void set_live(VReg reg, u32 position);
  void note_stored();
  void leave_block(u32 b);
  // regalloc_enter.cpp
  void enter_block(u32 b);
  void enter_from(u32 before);
  void collect(u32 b);
  void collect_phis(u32 b, u32 from, u32 before, u64 weight);
  bool is_worth(const Candidate& candidate, u64 total) const;
  void keep_nearest(u32 b, RegClass of, u64 total);
  void assign(u32 b);
  bool is_stored(u32 b, VReg reg) const;
  bool is_stable(u32 b, VReg reg) const;
  Candidate& candidate(VReg reg, u32 distance);
  // regalloc_insn.cpp
  void insn(u32 index, u32 position);
  void gather();
  void mark_moved(VReg reg, u32 from);
  void clear_wanted();
  void place_displaced(u32 displaced);
  void place_fixed_uses();
  void place_uses();
  void place_temps();
  void place_defs();
  void write_moves();
  void finish_insn();
  void place_site();
  // regalloc_choose.cpp
  u32 choose(VReg reg, u32 allowed, u32 hint);
  u32 take(VReg reg, u32 allowed, u32 hint);
  u32 make_room(u32 allowed);
  void evict(VReg reg);
  u32 farness(VReg reg) const;
  void put(VReg reg, u32 r);
  u32 source_of(VReg reg) const;
  Step load(VReg reg, u32 to) const;
  void evict_all(u32 at);

  bool is_remade(VReg reg) const { return facts_.is_remade(code_, reg); }
  RegClass of(VReg reg) const { return code_.vregs[reg].of; }
  u32 home(VReg reg) const { return home_[web_[reg]]; }

  LirCode& code_;
  const Registers& registers_;
  const Facts& facts_;
  const Unfit& unfit_;
  const u32 allocatable_;
  u32 rank_[kRegs];  // registers are tried in this order
  u32 random_ = 0;

  // By vreg.
  std::vector<u32> web_;        // values that are to share a register: phis and their arguments
  std::vector<u8> home_;        // by web: the register it had last, at a loop's header if there is one
  std::vector<u8> reg_of_;      // where it is now
  std::vector<u8> old_reg_;     // where it was, of what moves before the current instruction
  std::vector<u8> stored_;      // of those in registers: the spill slot holds it as well
  std::vector<u8> flags_;       // of operands of the current instruction
  std::vector<u32> live_;       // stamp of the block it lives in
  std::vector<u32> next_use_;   // position in the block, or more
  std::vector<u32> end_;        // position of its last use in the block; kNever: lives on
  std::vector<u8> hint_;        // register that its next uses want it in
  std::vector<u32> entering_;   // stamp of the block at whose start it lives
  std::vector<u32> distance_;   // of those: to the next use
  std::vector<u32> candidate_;  // index in candidates_ or kNone
  // By operand: what the value is for afterwards.
  std::vector<u32> after_;
  std::vector<u8> hint_after_;
  std::vector<u32> site_after_;  // as Facts::site_regs

  std::vector<Want> wants_[kRegs];
  std::vector<Candidate> candidates_;
  std::vector<u32> chosen_, near_, far_;
  Held now_;
  u32 block_ = 0, stamp_ = 0;
  bool failed_ = false;

  // The current instruction.
  u32 index_ = 0, position_ = 0;
  Wants wanted_;
  VReg to_[kRegs] = {};  // what the registers hold when it runs
  u32 held_ = 0;         // registers of to_ that hold something
  u32 copied_ = 0;       // fixed uses that only hold a copy for the instruction
  VReg fixed_at_[kRegs] = {};
  u32 locked_ = 0;  // not to be evicted: operands
  u32 temps_ = 0;   // fixed and not
  u32 late_copies_ = 0;
  std::vector<Step> stores_;
  std::vector<Step> moves_;
  std::vector<Step> list_;
  std::vector<VReg> moved_;
  u32 held_before_ = 0;
  ParallelMoves parallel_;
};

}  // namespace pagoda::opt::ra
