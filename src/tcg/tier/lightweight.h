// SPDX-License-Identifier: MIT
// Tier 1's engine: its code memory, its stubs, a compiler for each thread. Tier 2's has one for units.
#pragma once

#include "tcg/cache/injection.h"
#include "tcg/light/light.h"
#include "tcg/tier/backend.h"

namespace pagoda::tier {

class Lightweight final : public Engine {
 public:
  Lightweight(const Setup& setup, const host::Features& features, std::unique_ptr<CodeMemory> memory)
      : setup_(setup), memory_(std::move(memory)), threads_(setup.threads) {
    light::Layout layout{.pinned = setup.pinned, .helpers = setup.helpers, .features = features};
    layout.memory_modes = setup.memory_modes;
    layout.loop_threshold = setup.loop_threshold;
    layout.turns_again = setup.turns_again;
    layout.counts_own_turns = setup.counts_own_turns;
    for (u32 mode = 0; mode < setup.memory_modes; ++mode) {
      layout.tlb_offset[mode] = setup.tlb_offset[mode];
      layout.second_tlb_offset[mode] = setup.second_tlb_offset[mode];
    }
    stubs_ = std::make_unique<light::Stubs>(*memory_, layout);
    stub_bytes_ = static_cast<u64>(memory_->allocate(1).execute - stubs_->enter);  // pieces follow one another
    reset();
  }

  Outcome compile(u32 thread, Job& job) override {
    Thread& mine = threads_[thread];
    if (job.block != nullptr) {
      if (mine.lowering == nullptr)
        mine.lowering = std::make_unique<interp::Lowering>(setup_.slots, setup_.helpers, setup_.fusions);
      job.unit = mine.lowering->lower(*job.block, job.next_page);
    }
    if (injection::step_fails()) {
      ++mine.failed;
      return Outcome::failed;
    }
    const u64 no_room = mine.compiler->statistics().no_room;
    // No need to look at the time: one pass over a unit, which has a limit.
    if (mine.compiler->compile(*job.unit, job.memory_mode)) {
      if (job.budget.bytes == 0 || job.unit->host.bytes <= job.budget.bytes) return Outcome::done;
      take_back(*job.unit);
      ++mine.over_budget;
      return Outcome::over_budget;
    }
    if (mine.compiler->statistics().no_room != no_room) return Outcome::no_room;
    ++mine.refused;
    return Outcome::refused;
  }
  LoopCode compile_loop(u32 thread, std::span<const LoopUnit> loop, u32 memory_mode) override {
    if (injection::step_fails()) return {};
    return threads_[thread].compiler->compile_loop(loop, memory_mode);
  }
  interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) override { return light::execute(*stubs_, frame, unit); }
  Statistics statistics() const override {
    Statistics total;
    for (const Thread& thread : threads_) {
      total.add(thread.compiler->statistics());
      total.refused += thread.refused;
      total.failed += thread.failed;
      total.over_budget += thread.over_budget;
    }
    return total;
  }
  std::span<const u8> shared_code() const override { return {stubs_->enter, stub_bytes_}; }
  u64 code_bytes() const override { return memory_->used_bytes(); }
  CodeMemory& memory() { return *memory_; }
  const light::Stubs& stubs() const { return *stubs_; }
  void reset() override {
    for (Thread& thread : threads_) thread = {nullptr, std::make_unique<light::Compiler>(*stubs_)};
  }

 private:
  // The code that was made of a unit which nobody has seen.
  static void take_back(Unit& unit) {
    unit.host.memory->release(unit.host.start, unit.host.data);
    unit.host.links[0] = unit.host.links[1] = nullptr;
    unit.host.start = nullptr;
    unit.host.data = nullptr;
    unit.host.memory = nullptr;
    unit.host.bytes = 0;
  }
  struct Thread {
    std::unique_ptr<interp::Lowering> lowering;  // made when a block comes
    std::unique_ptr<light::Compiler> compiler;
    u64 refused = 0, failed = 0, over_budget = 0;
  };
  const Setup setup_;
  std::unique_ptr<CodeMemory> memory_;
  std::unique_ptr<light::Stubs> stubs_;
  u64 stub_bytes_ = 0;
  std::vector<Thread> threads_;
};

}  // namespace pagoda::tier
