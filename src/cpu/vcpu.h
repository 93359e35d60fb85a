// SPDX-License-Identifier: MIT
// Vcpu: one guest hardware thread: its state block, MMU and run loop.
//
// Threading: run() and sleep() on the vcpu's own thread (under -icount the main one); kick() and poke() from any
// thread; the rest only from the owner's thread or with the vcpu held parked by the Rendezvous.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>

#include "cpu/block_observer.h"
#include "cpu/debug_points.h"
#include "cpu/guest.h"
#include "cpu/rendezvous.h"
#include "cpu/replay.h"
#include "cpu/softmmu.h"
#include "devices/bus/clock.h"
#include "tcg/interp/interp.h"
#include "tcg/opt/form.h"

namespace pagoda {

class CodeManager;
class Semihosting;

class Vcpu {
 public:
  struct Environment {
    GuestMemory* memory;
    VirtualClock* clock;
    Rendezvous* rendezvous;
    CodeManager* code;
    const DebugPoints* points = nullptr;                          // null: none, ever
    Semihosting* semihosting = nullptr;                           // null: breakpoint instructions are the guest's own
    std::function<void(std::span<std::byte>)> entropy = nullptr;  // random bytes; null: there are none. Any thread
    BlockObserver* blocks = nullptr;  // null: nobody looks at each block, which would cost most of the speed
    bool deterministic = false;       // leave after each device write, so that its effects land at an exact instruction
  };
  // `features`: the guest's own set of implemented extensions.
  Vcpu(u32 index, const Guest& guest, u64 features, const Environment& environment);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  u32 index() const { return index_; }
  const Guest& guest() const { return guest_; }
  u64 features() const { return features_; }
  VcpuFrame& frame() { return *frame_; }
  const VcpuFrame& frame() const { return *frame_; }
  // The guest's own state, e.g. Hart& of riscv64; T begins with a VcpuFrame.
  template <class T>
  T& state() {
    return *static_cast<T*>(frame_);
  }
  template <class T>
  const T& state() const {
    return *static_cast<const T*>(frame_);
  }
  Softmmu& mmu() { return *mmu_; }
  GuestMemory& memory() { return *environment_.memory; }
  Replay& replay() { return replay_; }
  VirtualClock& clock() { return *environment_.clock; }
  Rendezvous& rendezvous() { return *environment_.rendezvous; }
  bool deterministic() const { return environment_.deterministic; }

  // Random bytes for the guest's own source of entropy. False: the machine has none.
  bool entropy(std::span<std::byte> out) {
    if (!environment_.entropy) return false;
    environment_.entropy(out);
    return true;
  }

  // Instructions retired since reset at the start of the current block; a helper adds its instruction's index in it.
  u64 instructions() const { return instructions_at_start_ + static_cast<u64>(budget_at_start_ - frame_->budget); }
  // The same within slow paths and helpers, the current instruction not counted.
  u64 instructions_now() const { return instructions() + frame_->insn_index; }

  // Records a guest exception for the current instruction; the caller then returns to translated code.
  void raise(u64 cause, u64 value) {
    frame_->fault = 1;
    frame_->fault_cause = cause;
    frame_->fault_value = value;
  }

  // Makes the vcpu leave translated code, or its sleep, soon and look at interrupts and requests. Any thread.
  void kick();
  // The same without ending a sleep: parked vcpus are served by the poster. Any thread.
  void poke() { frame_->poll.store(1, std::memory_order_release); }
  // Asks run() to return; remembered until it does. Any thread.
  void request_stop();

  enum class Stop : u8 {
    budget,   // the budget is used up, exactly
    waiting,  // the guest waits for an interrupt and none is pending
    stopped,  // request_stop()
    debug,    // a break- or watchpoint, or a step is done: debug_stop() says what
  };
  // Runs at most `budget` instructions; starts and ends parked.
  Stop run(i64 budget);
  // Executes exactly one instruction, or enters the handler of the exception that it raises (with `take_interrupts`, or
  // of a pending interrupt). A breakpoint at the pc does not count, a wait for an interrupt ends. Starts and ends
  // parked.
  void step(bool take_interrupts);
  const DebugStop& debug_stop() const { return debug_stop_; }
  // The debugger moves the vcpu: it goes on at `pc` whatever it was waiting for.
  void set_pc(u64 pc) {
    frame_->pc = pc;
    waiting_ = false;
  }
  // For the softmmu's slow path: the current instruction has accessed these bytes.
  void accessed(u64 address, u32 size, bool reads, bool writes) {
    if (environment_.points != nullptr && environment_.points->any_watchpoint()) [[unlikely]] {
      look_for_watchpoint(address, size, reads, writes);
    }
  }
  // Which tier ran how many instructions, and why it came back, by interp::Leave. Read while the vcpu is parked.
  struct Statistics {
    std::array<u64, 2> tier_instructions{};
    std::array<u64, interp::kLeaveCount> leaves{};
    u64 links_asked = 0;  // those of Leave::lookup that came from an exit without a link yet
    u64 pauses = 0;       // relax()
    u64 naps = 0;         // nap()
  };
  Statistics& statistics() { return statistics_; }
  Semihosting* semihosting() const { return environment_.semihosting; }
  const DebugPoints* debug_points() const { return environment_.points; }
  // Parked: blocks until kicked.
  void sleep();
  // From a helper, for guests that wait for another vcpu in a loop: one round of it. Every so often the host's
  // processor goes to another thread, which may be the vcpu that is waited for.
  void relax();
  // From a helper: sleeps until kicked, at most `nanoseconds` (not 0).
  void nap(u32 nanoseconds);
  void reset();

  // From here on each unit is executed alone, on tier 0, and written down, until there are enough of them or something
  // comes in between; then CodeManager::sampled() gets them. On the vcpu's thread, between units.
  void start_sample() { is_sampling_ = environment_.blocks == nullptr; }
  bool is_sampling() const { return is_sampling_; }

 private:
  enum class Next : u8 { go_on, waiting, stopped, stepped };
  Next at_poll();
  void stop_at_event();
  void wait_for_poll(u32 nanoseconds);
  Unit* next_unit(Link* link);
  template <class Execute>
  interp::LeaveInfo execute_one(Unit& unit, Execute execute);
  interp::LeaveInfo execute_observed(Unit& unit);
  interp::LeaveInfo execute_sampled(Unit& unit);
  interp::LeaveInfo execute(Unit& unit);
  interp::LeaveInfo finish_insn();
  bool at_breakpoint();
  void look_for_watchpoint(u64 address, u32 size, bool reads, bool writes);

  u32 index_;
  const Guest& guest_;
  u64 features_;
  Environment environment_;
  VcpuFrame* frame_;
  Statistics statistics_;
  std::size_t frame_bytes_ = 0;  // with the TLB tables behind it
  std::unique_ptr<Softmmu> mmu_;
  Replay replay_;
  std::unique_ptr<JumpCacheEntry[]> jump_cache_;
  u32 jump_cache_epoch_ = 1;  // code epoch when it was last cleared
  std::vector<HelperFn> helpers_;
  u64 instructions_at_start_ = 0;
  i64 budget_at_start_ = 0;
  i64 withheld_ = 0;  // of the budget, so that run() gets to the guest's next event
  std::vector<opt::Sample> samples_;
  u32 sample_memory_mode_ = 0;
  bool is_sampling_ = false;
  bool waiting_ = false;
  DebugStop debug_stop_;
  bool watchpoint_hit_ = false;    // leave run() behind the current instruction
  bool stepping_ = false;          // run() is step()'s
  bool masks_interrupts_ = false;  // for the step
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> asleep_{false};  // in wait_for_poll()
};

}  // namespace pagoda
