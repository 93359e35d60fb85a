// SPDX-License-Identifier: MIT
// Parallel moves: a set of moves that happen at once, as a list of ones that happen one after the other. Internal to
// the register allocator.
#pragma once

#include <vector>

#include "tcg/opt/regalloc.h"

namespace pagoda::opt::ra {

// A place: a register's number, or kSlots + number of a spill slot.
inline constexpr u32 kSlots = kRegs;

struct Step {
  enum Kind : u8 { move, constant, exchange } kind = move;
  u32 to = 0, from = 0;
  VReg reg = 0;  // whose value it is; of a constant: which one
};

class ParallelMoves {
 public:
  // `to` is no other's. From a place to itself is nothing.
  void add(const Step& step) {
    if (step.kind == Step::constant || step.to != step.from) moves_.push_back(step);
  }
  // Appends the list to `out`. `free`: registers that hold nothing before and after. What needs a place to put
  // something aside and finds no register takes the slot number `spare`; returns how many such slots it took.
  u32 put_in_order(const LirCode& code, u32 free, u32 spare, std::vector<Step>& out);

 private:
  std::vector<Step> moves_;
};

}  // namespace pagoda::opt::ra
