// SPDX-License-Identifier: MIT
// Accesses of one block that share a page check.
//
// Code saves and restores registers, copies structures, fills frames, updates what it has read: several loads and
// stores at fixed distances from one register, to which nothing but constants is added in between. A run is such a set.
// Its first access checks once that the whole run lies in one page which the TLB holds, and that all of it is aligned;
// the others take the result. What the check found stays true until the vcpu can come to a safepoint, which inside a
// block is any slow path or helper: helpers end a run, and behind a slow path the result is void, so that later
// accesses look for themselves.
#pragma once

#include <span>
#include <vector>

#include "tcg/abi/vcpu_frame.h"
#include "tcg/cache/unit.h"
#include "tcg/interp/handlers.h"

namespace pagoda::light {

struct PageRun {
  u16 base = 0;        // place of the address
  bool write = false;  // has stores: the check is for writing, which no page allows that cannot be read
  bool kept = false;   // ops of other kinds lie between its accesses: the result of the check waits in the frame
  u8 slot = 0;         // there, in VcpuFrame::page_addends; no other run in use at the same time has it
  u32 first = 0;       // index of its first op
  u32 last = 0;        // and of its last
  u32 count = 0;
  // Bytes from the base as it is at the first access. [low, end) is what the run touches; at `check` an address has to
  // be aligned to `size`, the largest size of an access: then all of them are, and check is in the page of end - 1.
  i32 low = 0, end = 0, check = 0;
  u32 size = 0;
};

class PageRuns {
 public:
  // Finds the runs of a unit; `handlers` has one element an op (the second of a pair of ops: count).
  void find(const Unit& unit, std::span<const interp::Handler> handlers);
  // The run that an op belongs to, or null.
  const PageRun* of(u32 op) const { return run_of_op_[op] == 0 ? nullptr : &runs_[run_of_op_[op] - 1u]; }
  std::span<const PageRun> all() const { return runs_; }

 private:
  void add(u32 op, const interp::ThreadedOp& step, bool write, u32 size);
  void close(u32 candidate);
  void close_changed(u32 place, u32 bytes);
  void move_base(u32 place, u64 distance);

  struct Candidate : PageRun {
    bool open = false;
    i64 added = 0;  // to the base since the first access
    u32 ops[64];    // indices of the accesses
  };
  Candidate candidates_[kPageAddends];
  std::vector<PageRun> runs_;
  std::vector<u16> run_of_op_;
};

}  // namespace pagoda::light
