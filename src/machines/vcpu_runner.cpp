// SPDX-License-Identifier: MIT
// vcpu threads.
#include "machines/vcpu_runner.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "base/check.h"

namespace pagoda {
namespace {

constexpr i64 kEndless = std::numeric_limits<i64>::max() / 2;

}  // namespace

VcpuRunner::~VcpuRunner() { stop(); }

u64 VcpuRunner::now() {
  if (!icount_) return inputs_.now();
  const u64 instructions = vcpus_.empty() ? 0 : vcpus_[0]->instructions_now();
  const u64 time = (instructions << icount_->shift) + idle_ns_;
  inputs_.set_virtual_time(time);
  return time;
}

void VcpuRunner::start(std::vector<Vcpu*> vcpus, bool paused, std::function<void()> on_stop_at,
                       std::function<void(const DebugStop&)> on_debug_stop) {
  CHECK(threads_.empty());
  vcpus_ = std::move(vcpus);
  on_stop_at_ = std::move(on_stop_at);
  on_debug_stop_ = std::move(on_debug_stop);
  actions_.assign(vcpus_.size(), DebugAction::run);
  may_run_ = !paused;
  if (icount_) {
    CHECK(vcpus_.size() == 1);
    inputs_.set_wakeup([this] {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      changed_.notify_all();
    });
    // A timer armed by the guest for a time before the end of the current run cuts that run short.
    clock_->set_wakeup([this] {
      if (running_until_ == 0) return;
      const std::optional<u64> deadline = clock_->next_deadline();
      if (deadline && *deadline < running_until_) vcpus_[0]->request_stop();
    });
  }
  for (Vcpu* vcpu : vcpus_) {
    threads_.emplace_back([this, vcpu] {
      pthread_setname_np(pthread_self(), fmt::format("vcpu {}", vcpu->index()).c_str());
      prctl(PR_SET_TIMERSLACK, 1000UL);  // naps are shorter than the 50 us by which the kernel may be late
      while (wait_for_permission(*vcpu)) {
        if (do_step(*vcpu)) {
          debug_stop(*vcpu);
        } else if (icount_) {
          run_counted(*vcpu);
        } else {
          run_realtime(*vcpu);
        }
        leave();
      }
    });
  }
}

void VcpuRunner::stop() {
  if (threads_.empty()) return;  // the vcpus may be gone by now
  request_pause();
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void VcpuRunner::request_pause() {
  {
    const std::lock_guard lock(mutex_);
    may_run_ = false;
    changed_.notify_all();
  }
  for (Vcpu* vcpu : vcpus_) vcpu->request_stop();
}

void VcpuRunner::pause() {
  request_pause();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return running_ == 0; });
}

void VcpuRunner::resume() {
  const std::vector<DebugAction> all(vcpus_.size(), DebugAction::run);
  resume(all, false);
}

void VcpuRunner::resume(std::span<const DebugAction> actions, bool steps_with_interrupts) {
  const std::lock_guard lock(mutex_);
  actions_.assign(actions.begin(), actions.end());
  steps_with_interrupts_ = steps_with_interrupts;
  may_run_ = true;
  changed_.notify_all();
}

bool VcpuRunner::do_step(Vcpu& vcpu) {
  {
    const std::lock_guard lock(mutex_);
    if (actions_[vcpu.index()] != DebugAction::step) return false;
    actions_[vcpu.index()] = DebugAction::stay;
  }
  vcpu.step(steps_with_interrupts_);
  return true;
}

void VcpuRunner::debug_stop(Vcpu& vcpu) {
  request_pause();
  on_debug_stop_(vcpu.debug_stop());
}

bool VcpuRunner::wait_for_permission(const Vcpu& vcpu) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return (may_run_ && actions_[vcpu.index()] != DebugAction::stay) || ending_; });
  if (ending_) return false;
  ++running_;
  return true;
}

void VcpuRunner::leave() {
  const std::lock_guard lock(mutex_);
  --running_;
  changed_.notify_all();
}

// Returns when a stop was asked for; one that is out of date only costs a round.
void VcpuRunner::run_realtime(Vcpu& vcpu) {
  for (;;) {
    switch (vcpu.run(kEndless)) {
      case Vcpu::Stop::stopped:
        return;
      case Vcpu::Stop::debug:
        return debug_stop(vcpu);
      case Vcpu::Stop::waiting:
        vcpu.sleep();
        break;
      case Vcpu::Stop::budget:
        break;
    }
  }
}

void VcpuRunner::run_counted(Vcpu& vcpu) {
  for (;;) {
    const u64 count = vcpu.instructions();
    if (icount_->stop_at && count >= *icount_->stop_at) {
      request_pause();
      on_stop_at_();
      return;
    }
    if (count % kQuantum == 0 && inputs_.has_pending()) inputs_.deliver();
    const std::optional<u64> deadline = clock_->run_due();

    u64 budget = kQuantum - count % kQuantum;
    if (icount_->stop_at) budget = std::min(budget, *icount_->stop_at - count);
    if (deadline) {
      // Rounded up: the timer is due once the count is reached.
      const u64 time = now();
      const u64 unit = u64{1} << icount_->shift;
      budget = std::min(budget, std::max<u64>((*deadline - time + unit - 1) >> icount_->shift, 1));
    }
    running_until_ = now() + (budget << icount_->shift);
    const Vcpu::Stop stop = vcpu.run(static_cast<i64>(budget));
    running_until_ = 0;
    if (stop == Vcpu::Stop::debug) return debug_stop(vcpu);
    if (stop == Vcpu::Stop::waiting) {
      idle(clock_->next_deadline());
      if (inputs_.has_pending()) inputs_.deliver();
    }
    const std::lock_guard lock(mutex_);
    if (!may_run_) return;
  }
}

void VcpuRunner::idle(std::optional<u64> deadline) {
  const u64 time = now();
  if (deadline && *deadline <= time) return;
  if (deadline && !icount_->sleep) {
    idle_ns_ += *deadline - time;
    return;
  }
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  std::unique_lock lock(mutex_);
  const auto is_over = [this] { return woken_ || !may_run_; };
  if (deadline) {
    changed_.wait_for(lock, std::chrono::nanoseconds(*deadline - time), is_over);
  } else {
    changed_.wait(lock, is_over);
  }
  woken_ = false;
  const auto slept = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  // Without sleep real time must not show.
  if (icount_->sleep)
    idle_ns_ += deadline ? std::min<u64>(static_cast<u64>(slept), *deadline - time) : static_cast<u64>(slept);
}

}  // namespace pagoda
