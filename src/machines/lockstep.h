// SPDX-License-Identifier: MIT
// Lockstep of a whole run: -accel tiered,lockstep=on.
//
// Two processes run the same machine with -icount, whose runs repeat exactly: one, the reference, on tier 0 without
// fusion, the other as the command line says. The reference writes down what each block did (LockstepRecorder), the
// other compares after each of its own (LockstepChecker): program counter, mode, all of the guest's state with its
// counters, floating-point flags, the recorded exception, and the memory that the block stored to. At the end the
// hashes of all memory, vcpus and devices are compared, which also finds what was written beside. Devices, time and
// helpers need no care: each process has its own, and the same things happen there at the same instruction. Both
// processes execute block by block, but control passes from block to block by the links that free running code takes.
//
// Threading: observers on the vcpu's thread, the rest on the main loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cpu/block_observer.h"
#include "machines/config.h"

namespace pagoda {

class GuestMemory;

// One process's side of it.
class Lockstep : public BlockObserver {
 public:
  // The vcpu that is compared, before it runs. `on_difference`: ends the run; called once at most, on its thread.
  virtual void attach(Vcpu& vcpu, GuestMemory& memory, std::function<void()> on_difference) = 0;
  // The run is over after so many instructions. The result is what to say about it.
  struct Verdict {
    bool is_equal = true;
    std::string text;  // lines for a person; empty: nothing to say
  };
  virtual Verdict finish(u64 state_hash, u64 instructions) = 0;
};

struct LockstepPair {
  std::unique_ptr<Lockstep> side;  // of this process
  MachineConfig config;            // of this process
  bool is_reference = false;
};
// Forks the reference, which has neither terminal nor monitor nor output of its own. Before there is any thread.
// Fails for a configuration whose runs would not be the same.
Result<LockstepPair> start_lockstep(const MachineConfig& config);

}  // namespace pagoda
