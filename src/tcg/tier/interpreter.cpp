// SPDX-License-Identifier: MIT
// Tier 0 as a backend.
#include "tcg/tier/backend.h"

#include "base/check.h"

namespace pagoda::tier {
namespace {

class Interpreter final : public Engine {
 public:
  explicit Interpreter(const Setup& setup) : setup_(setup), threads_(setup.threads) { reset(); }

  // A unit without a block has its threaded code already.
  Outcome compile(u32 thread, Job& job) override {
    if (job.block == nullptr) return Outcome::done;
    Thread& mine = threads_[thread];
    job.unit = mine.lowering->lower(*job.block, job.next_page);
    ++mine.statistics.units;
    mine.statistics.guest_insns += job.unit->guest_insns;
    mine.statistics.ops += job.unit->op_count;
    return Outcome::done;
  }
  interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) override { return interp::execute(frame, unit); }
  Statistics statistics() const override {
    Statistics total;
    for (const Thread& thread : threads_) {
      total.add(thread.statistics);
      for (u32 i = 0; i < interp::kFusionCount; ++i)
        total.fusions[i] += thread.lowering->fusion_count(static_cast<interp::Fusion>(i));
    }
    return total;
  }
  u64 code_bytes() const override { return 0; }
  void reset() override {
    for (Thread& thread : threads_)
      thread = {std::make_unique<interp::Lowering>(setup_.slots, setup_.helpers, setup_.fusions), {}};
  }

 private:
  struct Thread {
    std::unique_ptr<interp::Lowering> lowering;
    Statistics statistics;
  };
  const Setup setup_;
  std::vector<Thread> threads_;
};

}  // namespace

Result<std::unique_ptr<Engine>> make_interpreter(const Setup& setup) { return std::make_unique<Interpreter>(setup); }

}  // namespace pagoda::tier
