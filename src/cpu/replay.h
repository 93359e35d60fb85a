// SPDX-License-Identifier: MIT
// Replay: finishes an instruction that compiled code left behind one of its accesses (VcpuFrame::replay_count).
//
// The instruction is executed once more, by tier 0. Its accesses, in their order, all come to functions that first hand
// out the results of those that were done, and do nothing for stores among them; the others happen. Threading: the
// vcpu's own thread.
#pragma once

#include <array>
#include <memory>

#include "tcg/abi/vcpu_frame.h"
#include "tcg/interp/interp.h"

namespace pagoda {

class Replay {
 public:
  // Takes what the frame recorded and executes `unit`, which begins with the instruction at frame.pc; at most one
  // instruction.
  interp::LeaveInfo run(VcpuFrame& frame, const Unit& unit);
  // Where frame.vcpu is this replay's vcpu, while it runs: the next result of an access that was done.
  bool take(u64* result);

 private:
  std::array<u64, kMostReplayed> results_{};
  u32 count_ = 0, next_ = 0;
  // What the accesses look into meanwhile: it grants none. Made when there is a first replay.
  std::unique_ptr<TlbTable> nothing_;
};

}  // namespace pagoda
