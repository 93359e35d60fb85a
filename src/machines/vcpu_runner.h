// SPDX-License-Identifier: MIT
// VcpuRunner: the threads that vcpus run on, and how they are paused.
//
// Real time: a thread per vcpu; timers run on the main loop. Instruction counting (-icount): one thread runs the vcpu,
// the timers and what Inputs delivers, so that all of it happens at exact instruction counts:
//   - virtual time is (instructions retired << shift) + time spent idle;
//   - a timer runs when the count reaches its deadline, neither earlier nor later;
//   - events from outside (keys, say) wait for the next multiple of kQuantum instructions, or for the vcpu to be idle;
//   - an idle vcpu's time jumps to the next deadline at once (sleep=off), or after that long in real time (sleep=on),
//   where
//     an event from outside ends the wait early.
// Threading: owner (main loop) thread, but for request_pause().
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "cpu/vcpu.h"
#include "machines/config.h"
#include "machines/inputs.h"

namespace pagoda {

class VcpuRunner {
 public:
  static constexpr u64 kQuantum = 1 << 16;

  VcpuRunner(Inputs& inputs, std::optional<IcountConfig> icount) : inputs_(inputs), icount_(icount) {}
  ~VcpuRunner();
  VcpuRunner(const VcpuRunner&) = delete;
  VcpuRunner& operator=(const VcpuRunner&) = delete;

  // Virtual nanoseconds: what the machine's VirtualClock reads. Instruction counting: exact on the vcpu's thread only.
  u64 now();
  void set_clock(VirtualClock* clock) { clock_ = clock; }
  // `on_stop_at`: called on the vcpu's thread, paused, when IcountConfig::stop_at is reached.
  // `on_debug_stop`: called on a vcpu's thread when it stopped for the debugger; the others are on their way to stop.
  void start(std::vector<Vcpu*> vcpus, bool paused, std::function<void()> on_stop_at,
             std::function<void(const DebugStop&)> on_debug_stop);
  // Ends the threads. Afterwards nothing runs.
  void stop();

  // Any thread, also a vcpu's own inside a device: the vcpus leave guest code soon and wait for resume().
  void request_pause();
  // Returns when every vcpu is outside of Vcpu::run().
  void pause();
  void resume();
  // For the debugger, paused: some vcpus go on, some do one step each.
  void resume(std::span<const DebugAction> actions, bool steps_with_interrupts);

 private:
  void run_realtime(Vcpu& vcpu);
  void run_counted(Vcpu& vcpu);
  // Counted: waits while the vcpu has nothing to do; moves virtual time on.
  void idle(std::optional<u64> deadline);
  // Waits until vcpus may run; false: the thread is to end.
  bool wait_for_permission(const Vcpu& vcpu);
  void leave();
  // True if the vcpu was to do one step; it has done it.
  bool do_step(Vcpu& vcpu);
  void debug_stop(Vcpu& vcpu);

  Inputs& inputs_;
  const std::optional<IcountConfig> icount_;
  VirtualClock* clock_ = nullptr;
  std::vector<Vcpu*> vcpus_;
  std::vector<std::thread> threads_;
  std::function<void()> on_stop_at_;
  std::function<void(const DebugStop&)> on_debug_stop_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool may_run_ = false;
  bool ending_ = false;
  bool woken_ = false;                // counted: something came from outside
  u32 running_ = 0;                   // threads between wait_for_permission() and leave()
  std::vector<DebugAction> actions_;  // of each vcpu while may_run_; a step turns into staying
  bool steps_with_interrupts_ = false;

  // Counted, vcpu's thread only.
  u64 idle_ns_ = 0;        // virtual time that no instruction accounts for
  u64 running_until_ = 0;  // virtual time at which the current run() ends; 0 outside of it
};

}  // namespace pagoda
