// SPDX-License-Identifier: MIT
// A vcpu and memory without a machine around them, for cases of user code: one unit at a time, without the run loop.
//
// The unit holds the instructions of a case and what ends them (an undefined instruction, or a branch that nothing is
// linked to), so that one execution is one case.
#pragma once

#include <span>

#include "cpu/code_manager.h"
#include "cpu/guest.h"
#include "cpu/rendezvous.h"
#include "cpu/vcpu.h"
#include "devices/bus/clock.h"
#include "memory/guest_memory.h"

namespace pagoda {

// A guest of user code only: what the privileged architecture would say is an identity mapping of everything; what is
// no memory is a bus error. `front` has name, state, slots, helpers, translation and causes.
Guest user_guest(Guest front);

class UserMachine {
 public:
  struct Region {
    u64 base, size;
  };
  // `guest` outlives it. `prepare` is called before the vcpu's first reset.
  UserMachine(const Guest& guest, const CodeOptions& options, std::span<const Region> regions,
              void (*prepare)(Vcpu&) = nullptr);
  ~UserMachine();

  Vcpu& vcpu() { return vcpu_; }
  GuestMemory& memory() { return memory_; }
  void put(u64 address, const void* from, u64 size);
  void get(u64 address, void* to, u64 size);
  // Writes the code of a case, unless it stands there already, and takes the last one's away.
  void place(u64 pc, std::span<const u8> code);
  // Executes the unit at the vcpu's pc once. A fault is cleared from the frame, but for its cause.
  interp::LeaveInfo execute();
  u64 runs_of_host_code() const { return runs_of_host_code_; }
  const Unit* last_unit() const { return unit_; }

 private:
  static constexpr u64 kEverything = ~u64{0};
  u64 now_ = 0;
  GuestMemory memory_;
  VirtualClock clock_;
  Rendezvous rendezvous_;
  CodeManager code_;
  Vcpu vcpu_;
  u64 placed_pc_ = 0;
  std::vector<u8> placed_;
  const Unit* unit_ = nullptr;
  u64 runs_of_host_code_ = 0;
};

}  // namespace pagoda
