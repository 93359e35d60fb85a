// SPDX-License-Identifier: MIT
// Rendezvous: how vcpus stop for each other: parked states, posted work, exclusive sections.
//
// A vcpu is *running* (in translated code or a slow path), *parked* (in something that may block, promising to touch no
// guest mapping), or *claimed* (parked, and somebody else works on it). Work posted to a vcpu is done by itself at its
// next safepoint (the run loop between units), or by the poster if the vcpu is parked. Whoever waits for others is
// parked itself, so two vcpus that wait for each other serve each other. Lock order: nobody waits for a safepoint or
// claims a vcpu while holding any other lock (device, code cache).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "base/types.h"

namespace pagoda {

class Vcpu;

class Rendezvous {
 public:
  using Work = std::function<void(Vcpu&)>;

  // Before vcpus run. A vcpu starts parked.
  void add(Vcpu* vcpu);
  const std::vector<Vcpu*>& vcpus() const { return vcpus_; }

  // --- the vcpu's own thread ---
  // Enters and leaves the parked state. unpark() first waits for whoever claimed it; posted work is done before it
  // returns.
  void park(Vcpu& vcpu);
  void unpark(Vcpu& vcpu);
  // Does posted work; blocks while an exclusive section wants this vcpu.
  void safepoint(Vcpu& vcpu);

  // --- any thread; `self` is the calling vcpu (running) or null ---
  // Has every other vcpu do `work`, and returns when all have. The caller does its own share itself.
  void post_and_wait(Vcpu* self, const Work& work);
  // Runs `section` while every other vcpu is held parked.
  void exclusive(Vcpu* self, const std::function<void()>& section);

 private:
  enum class State : u8 { running, parked, claimed };
  struct Request {
    const Work* work;
    std::atomic<u32>* remaining;
  };
  struct Slot {
    std::atomic<State> state{State::parked};
    std::atomic<bool> has_requests{false};
    std::vector<Request> requests;  // under mutex_
  };
  Slot& slot_of(const Vcpu& vcpu);
  bool claim(Slot& slot);
  void release(Slot& slot);
  void drain(Vcpu& vcpu, Slot& slot);
  void serve_if_parked(Vcpu& vcpu, Slot& slot);

  std::vector<Vcpu*> vcpus_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::mutex exclusive_mutex_;
  std::atomic<bool> exclusive_wanted_{false};
};

// Parked for the length of a scope.
class ParkedScope {
 public:
  ParkedScope(Rendezvous& rendezvous, Vcpu& vcpu) : rendezvous_(rendezvous), vcpu_(vcpu) { rendezvous_.park(vcpu_); }
  ~ParkedScope() { rendezvous_.unpark(vcpu_); }
  ParkedScope(const ParkedScope&) = delete;
  ParkedScope& operator=(const ParkedScope&) = delete;

 private:
  Rendezvous& rendezvous_;
  Vcpu& vcpu_;
};

}  // namespace pagoda
