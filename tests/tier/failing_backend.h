// SPDX-License-Identifier: MIT
// A backend whose compilations end as a test wants: tier 1 behind a script.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "tcg/tier/backend.h"

namespace pagoda {

// What becomes of compilation number n, from 0 on; done: what tier 1 says. Set before a machine is made.
inline std::function<tier::Outcome(u32 n)>& failing_script() {
  static std::function<tier::Outcome(u32)> script;
  return script;
}

// The same for regions, on tier 2.
inline std::function<tier::Outcome(u32 n)>& failing_region_script() {
  static std::function<tier::Outcome(u32)> script;
  return script;
}

class FailingEngine final : public tier::Engine {
 public:
  explicit FailingEngine(std::unique_ptr<tier::Engine> works) : works_(std::move(works)) {}
  tier::Outcome compile(u32 thread, tier::Job& job) override {
    const tier::Outcome outcome = failing_script()(asked_++);
    return outcome == tier::Outcome::done ? works_->compile(thread, job) : outcome;
  }
  bool makes_regions() const override { return works_->makes_regions(); }
  LoopCode compile_region(const opt::RegionPlan& plan, const tier::Budget& budget, tier::Outcome* outcome) override {
    *outcome = failing_region_script()(regions_asked_++);
    return *outcome == tier::Outcome::done ? works_->compile_region(plan, budget, outcome) : LoopCode{};
  }
  interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) override { return works_->execute(frame, unit); }
  tier::Statistics statistics() const override { return works_->statistics(); }
  u64 code_bytes() const override { return works_->code_bytes(); }
  void reset() override { works_->reset(); }

 private:
  std::unique_ptr<tier::Engine> works_;
  u32 asked_ = 0, regions_asked_ = 0;
};

inline const tier::Backend& failing_backend() {
  static const tier::Backend row{.name = "failing",
                                 .tier = 1,
                                 .features = tier::kHostCode,
                                 .opt_levels = 0,
                                 .guests = {},
                                 .fallback = "interpreter",
                                 .summary = "tier 1 that fails on demand",
                                 .create = [](const tier::Setup& setup) -> Result<std::unique_ptr<tier::Engine>> {
                                   TRY_ASSIGN(auto works, tier::make_lightweight(setup));
                                   return std::make_unique<FailingEngine>(std::move(works));
                                 }};
  return row;
}

inline const tier::Backend& failing_region_backend() {
  static const tier::Backend row{.name = "failing-regions",
                                 .tier = 2,
                                 .features = tier::kHostCode,
                                 .opt_levels = 0,
                                 .guests = {},
                                 .fallback = "lightweight",
                                 .summary = "tier 2 that fails on demand",
                                 .create = [](const tier::Setup& setup) -> Result<std::unique_ptr<tier::Engine>> {
                                   TRY_ASSIGN(auto works, tier::make_optimizing(setup));
                                   return std::make_unique<FailingEngine>(std::move(works));
                                 }};
  return row;
}

}  // namespace pagoda
