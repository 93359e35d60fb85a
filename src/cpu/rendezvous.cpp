// SPDX-License-Identifier: MIT
// Parked states and posted work.
#include "cpu/rendezvous.h"

#include <memory>

#include "base/check.h"
#include "cpu/vcpu.h"

namespace pagoda {

void Rendezvous::add(Vcpu* vcpu) {
  CHECK(vcpu->index() == vcpus_.size());
  vcpus_.push_back(vcpu);
  slots_.push_back(std::make_unique<Slot>());
}

Rendezvous::Slot& Rendezvous::slot_of(const Vcpu& vcpu) { return *slots_[vcpu.index()]; }

bool Rendezvous::claim(Slot& slot) {
  State expected = State::parked;
  return slot.state.compare_exchange_strong(expected, State::claimed);
}

void Rendezvous::release(Slot& slot) {
  slot.state.store(State::parked);
  const std::lock_guard lock(mutex_);  // a waiter is either before its check or in its wait
  changed_.notify_all();
}

// Called by the owner while running, or by whoever claimed the vcpu.
void Rendezvous::drain(Vcpu& vcpu, Slot& slot) {
  while (slot.has_requests.load()) {
    std::vector<Request> requests;
    {
      const std::lock_guard lock(mutex_);
      requests.swap(slot.requests);
      slot.has_requests.store(false);
    }
    for (const Request& request : requests) (*request.work)(vcpu);
    const std::lock_guard lock(mutex_);
    for (const Request& request : requests) request.remaining->fetch_sub(1);
    changed_.notify_all();
  }
}

void Rendezvous::serve_if_parked(Vcpu& vcpu, Slot& slot) {
  while (slot.has_requests.load() && claim(slot)) {
    drain(vcpu, slot);
    release(slot);
  }
}

void Rendezvous::park(Vcpu& vcpu) {
  Slot& slot = slot_of(vcpu);
  drain(vcpu, slot);
  slot.state.store(State::parked);
  // A request posted after drain() found the vcpu running; its poster waits for us.
  serve_if_parked(vcpu, slot);
  if (exclusive_wanted_.load()) {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

void Rendezvous::unpark(Vcpu& vcpu) {
  Slot& slot = slot_of(vcpu);
  for (;;) {
    State expected = State::parked;
    if (!exclusive_wanted_.load() && slot.state.compare_exchange_strong(expected, State::running)) break;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !exclusive_wanted_.load() && slot.state.load() == State::parked; });
  }
  drain(vcpu, slot);
}

void Rendezvous::safepoint(Vcpu& vcpu) {
  Slot& slot = slot_of(vcpu);
  drain(vcpu, slot);
  if (exclusive_wanted_.load()) {
    park(vcpu);
    unpark(vcpu);
  }
}

void Rendezvous::post_and_wait(Vcpu* self, const Work& work) {
  std::atomic<u32> remaining{0};
  {
    const std::lock_guard lock(mutex_);
    for (Vcpu* vcpu : vcpus_) {
      if (vcpu == self) continue;
      Slot& slot = slot_of(*vcpu);
      slot.requests.push_back({&work, &remaining});
      slot.has_requests.store(true);
      remaining.fetch_add(1);
    }
  }
  if (remaining.load() == 0) return;
  if (self != nullptr) park(*self);
  for (Vcpu* vcpu : vcpus_) {
    if (vcpu == self) continue;
    vcpu->poke();
    serve_if_parked(*vcpu, slot_of(*vcpu));
  }
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return remaining.load() == 0; });
  }
  if (self != nullptr) unpark(*self);
}

void Rendezvous::exclusive(Vcpu* self, const std::function<void()>& section) {
  if (self != nullptr) park(*self);
  {
    const std::lock_guard exclusive_lock(exclusive_mutex_);
    exclusive_wanted_.store(true);
    for (Vcpu* vcpu : vcpus_) {
      Slot& slot = slot_of(*vcpu);
      vcpu->poke();
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return claim(slot); });
    }
    for (Vcpu* vcpu : vcpus_) drain(*vcpu, slot_of(*vcpu));
    section();
    exclusive_wanted_.store(false);
    for (Vcpu* vcpu : vcpus_) release(slot_of(*vcpu));
    // Work posted meanwhile found them claimed; nobody else may come by.
    for (Vcpu* vcpu : vcpus_) serve_if_parked(*vcpu, slot_of(*vcpu));
  }
  if (self != nullptr) unpark(*self);
}

}  // namespace pagoda
