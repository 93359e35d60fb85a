// SPDX-License-Identifier: MIT
// A move may happen when no other has still to read the place it writes. Where all wait for another, they form cycles:
// general registers exchange, others put one value aside.
#include "tcg/opt/parallel_moves.h"

#include <algorithm>
#include <bit>

namespace pagoda::opt::ra {

u32 ParallelMoves::put_in_order(const LirCode& code, u32 free, u32 spare, std::vector<Step>& out) {
  u32 spares = 0;
  while (!moves_.empty()) {
    bool progress = false;
    for (size_t i = 0; i < moves_.size();) {
      const Step step = moves_[i];
      const bool is_read = std::ranges::any_of(moves_, [&](const Step& other) {
        return other.kind == Step::move && other.from == step.to && other.to != step.to;
      });
      if (is_read) {
        ++i;
        continue;
      }
      out.push_back(step);
      moves_[i] = moves_.back();
      moves_.pop_back();
      progress = true;
    }
    if (progress || moves_.empty()) continue;
    // Each place that is left to write is still to be read, and no move reads two: these are cycles and nothing else.
    const Step step = moves_.back();
    if (step.to < 16 && step.from < 16) {
      out.push_back({Step::exchange, step.to, step.from, step.reg});
      moves_.pop_back();
      for (Step& other : moves_) {
        if (other.kind == Step::move && other.from == step.to) other.from = step.from;
      }
    } else {
      // Its destination's value is put aside; who wants that reads it there.
      const Step& reader = *std::ranges::find_if(
          moves_, [&](const Step& other) { return other.kind == Step::move && other.from == step.to; });
      const u32 mask = class_mask(code.vregs[reader.reg].of);
      u32 aside = kSlots + spare;
      if ((free & mask) != 0) {
        aside = static_cast<u32>(std::countr_zero(free & mask));
        free &= ~bit(aside);
      } else {
        spares = 1;
      }
      out.push_back({Step::move, aside, step.to, reader.reg});
      for (Step& other : moves_) {
        if (other.kind == Step::move && other.from == step.to) other.from = aside;
      }
    }
    std::erase_if(moves_, [](const Step& other) { return other.kind == Step::move && other.from == other.to; });
  }
  return spares;
}

}  // namespace pagoda::opt::ra
