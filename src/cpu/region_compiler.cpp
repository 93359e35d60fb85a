// SPDX-License-Identifier: MIT
// The queue of regions and the thread that compiles them.
#include "cpu/region_compiler.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <csignal>

#include <fmt/format.h>

#include "base/check.h"
#include "memory/guest_memory.h"

namespace pagoda {
namespace {

constexpr u64 kMostWaiting = 64;

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

bool may_have(const Unit& unit, u32 mode) {
  return unit.mode.load(std::memory_order_relaxed) == mode && unit.linkable && !unit.cut_short && unit.phys_next == 0 &&
         unit.host.start != nullptr && unit.host.entry.load(std::memory_order_acquire) != nullptr &&
         unit.ends != Unit::Ends::other;
}

}  // namespace

RegionCompiler::RegionCompiler(const Guest& guest, const tier::Backend& backend, tier::Engine& engine, CodeCache& cache,
                               u32 reader, const Options& options)
    : guest_(guest),
      engine_(engine),
      cache_(cache),
      guard_(backend, tier::kRegionBudget),
      reader_(reader),
      options_(options) {
  if (!options.in_background) return;
  // Signals are the main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RegionCompiler::~RegionCompiler() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  for (const std::unique_ptr<Job>& job : queue_) cache_.end_making(&job->making, {});
}

RegionCompiler::Statistics RegionCompiler::statistics() const {
  const std::lock_guard lock(mutex_);
  Statistics all = statistics_;
  all.guard = guard_.statistics();
  return all;
}

bool RegionCompiler::request(std::span<const opt::Sample> samples, u32 memory_mode, u64 features, u64 time) {
  if (!guard_.may_try(samples[0].unit->warmth, time)) return false;
  auto job = std::make_unique<Job>();
  job->plan = opt::form_region(samples, memory_mode, options_.limits, may_have);
  if (job->plan.parts.empty()) {
    // Control may go other ways later, but there is an end to asking.
    guard_.note_nothing(samples[0].unit->warmth);
    samples[0].unit->host.is_region_asked = false;
    const std::lock_guard lock(mutex_);
    ++statistics_.unformed;
    return false;
  }
  job->pc = samples[0].pc;
  job->mode = samples[0].unit->mode.load(std::memory_order_relaxed);
  job->features = features;
  job->time = time;
  job->root = samples[0].unit;
  for (const opt::Part& part : job->plan.parts) {
    if (std::ranges::find(job->making.units, part.unit) != job->making.units.end()) continue;
    job->making.units.push_back(part.unit);
    std::vector<u8>& bytes = job->bytes.emplace_back(part.unit->guest_bytes + kMaxInsnBytes);
    ram_copy_out(reinterpret_cast<std::byte*>(bytes.data()), part.unit->host_page + (part.unit->phys & ~kPageMask),
                 part.unit->guest_bytes);
  }
  // Whoever writes these bytes from here on takes their unit out of use, which is noticed.
  if (!cache_.begin_making(&job->making)) return false;
  if (!options_.in_background) {
    {
      const std::lock_guard lock(mutex_);
      ++statistics_.requested;
    }
    const std::lock_guard lock(compile_mutex_);
    compile(*job);
    return true;
  }
  {
    const std::lock_guard lock(mutex_);
    ++statistics_.requested;
    if (queue_.size() == kMostWaiting) {  // the oldest one is not what is hot now
      ++statistics_.dropped;
      Job& oldest = *queue_.front();
      if (cache_.stands(oldest.making)) oldest.root->host.is_region_asked = false;
      cache_.end_making(&oldest.making, {});
      queue_.pop_front();
    }
    queue_.push_back(std::move(job));
    statistics_.longest = std::max(statistics_.longest, u64{queue_.size()});
  }
  wake_.notify_one();
  return true;
}

void RegionCompiler::work() {
  pthread_setname_np(pthread_self(), "region compiler");
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ends_ || !queue_.empty(); });
      if (ends_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    // A reader from here on: what the job's units are made of stays.
    cache_.enter_epoch(reader_, false);
    if (cache_.stands(job->making)) {
      compile(*job);
    } else {
      cache_.end_making(&job->making, {});
      const std::lock_guard lock(mutex_);
      ++statistics_.stale;
    }
    cache_.enter_epoch(reader_, true);
  }
}

void RegionCompiler::compile(Job& job) {
  std::vector<Unit*>& units = job.making.units;
  blocks_.resize(units.size());
  bool all = true;
  for (u64 i = 0; i < units.size() && all; ++i) {
    ir_builder_.start(&blocks_[i], guest_.slots, options_.forward_state);
    guest_.translate(ir_builder_, {.code = {job.bytes[i].data(), units[i]->guest_bytes, 0},
                                   .mode = job.mode,
                                   .max_insns = units[i]->guest_insns,
                                   .features = job.features});
    all = blocks_[i].guest_insns == units[i]->guest_insns && blocks_[i].guest_bytes == units[i]->guest_bytes &&
          (opt::can_build(blocks_[i], guest_.helpers) || i != 0);
  }
  LoopCode code;
  if (all) {
    for (opt::Part& part : job.plan.parts) {
      const auto unit = static_cast<u64>(std::ranges::find(units, part.unit) - units.begin());
      part.block = &blocks_[unit];
    }
    opt::leave_out_unbuildable(job.plan, guest_.helpers);
    tier::Outcome outcome;
    const u64 start = now_ns();
    code = engine_.compile_region(job.plan, guard_.budget(), &outcome);
    guard_.note(outcome, job.root->warmth, now_ns() - start, job.time);
    if (outcome != tier::Outcome::done && outcome != tier::Outcome::refused) job.root->host.is_region_asked = false;
  }
  if (code.start != nullptr && options_.perf_map != nullptr) {
    options_.perf_map->add(
        code.start, code.bytes,
        fmt::format("{}_region_{:x}_mode{:x}_{}_insns", guest_.name, job.pc, job.mode, job.plan.guest_insns()));
  }
  const bool published = cache_.end_making(&job.making, code);
  const std::lock_guard lock(mutex_);
  ++(published ? statistics_.published : code.start == nullptr ? statistics_.failed : statistics_.stale);
}

}  // namespace pagoda
