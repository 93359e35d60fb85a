// SPDX-License-Identifier: MIT
// Vcpu: one guest hardware thread: its state block, MMU, run loop and mailbox.
//
// Threading: run() on the vcpu's own thread (under -icount the main one); kick(), post and the pins of a guest from any
// thread; the rest only from the owner's thread or with the vcpu held parked by the Rendezvous.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "cpu/guest.h"
#include "cpu/softmmu.h"
#include "devices/bus/clock.h"

namespace pagoda {

class CodeManager;
class Rendezvous;

class Vcpu {
 public:
  struct Environment {
    GuestMemory* memory;
    VirtualClock* clock;
    Rendezvous* rendezvous;
    CodeManager* code;
  };
  Vcpu(u32 index, const Guest& guest, const Environment& environment);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  u32 index() const { return index_; }
  const Guest& guest() const { return guest_; }
  VcpuFrame& frame() { return *frame_; }
  const VcpuFrame& frame() const { return *frame_; }
  // The guest's own state, e.g. Hart& of riscv64; T begins with a VcpuFrame.
  template <class T>
  T& state() {
    return *reinterpret_cast<T*>(frame_);
  }
  template <class T>
  const T& state() const {
    return *reinterpret_cast<const T*>(frame_);
  }
  Softmmu& mmu() { return *mmu_; }
  GuestMemory& memory() { return *environment_.memory; }
  VirtualClock& clock() { return *environment_.clock; }

  // Instructions retired since reset, exact between blocks; a helper adds its instruction's index in the block.
  u64 instructions() const { return instructions_at_start_ + static_cast<u64>(budget_at_start_ - frame_->budget); }

  // Records a guest exception for the current instruction; the caller then returns to translated code.
  void raise(u64 cause, u64 value) {
    frame_->fault = 1;
    frame_->fault_cause = cause;
    frame_->fault_value = value;
  }

  // Makes the vcpu leave translated code (or its sleep) soon and look at interrupts and requests. Any thread.
  void kick();

  enum class Stop : u8 { budget, waiting, stopped };
  // Runs at most `budget` instructions. `waiting`: the guest waits for an interrupt and none is pending.
  Stop run(i64 budget);
  // Blocks until kicked or should_wake; parked meanwhile.
  void sleep();
  void reset();

 private:
  friend class Rendezvous;
  struct Mailbox;

  u32 index_;
  const Guest& guest_;
  Environment environment_;
  VcpuFrame* frame_;
  std::unique_ptr<Softmmu> mmu_;
  std::unique_ptr<JumpCacheEntry[]> jump_cache_;
  u64 instructions_at_start_ = 0;
  i64 budget_at_start_ = 0;
  bool waiting_ = false;
  std::unique_ptr<Mailbox> mailbox_;
};

}  // namespace pagoda
