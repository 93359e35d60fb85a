// SPDX-License-Identifier: MIT
// Tier 2 as a backend: units as tier 1 compiles them, and regions.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <mutex>

#include "base/check.h"
#include "base/log.h"
#include "tcg/opt/build.h"
#include "tcg/opt/graph_text.h"
#include "tcg/opt/opt.h"
#include "tcg/opt/passes/passes.h"
#include "tcg/opt/region_count.h"
#include "tcg/opt/select.h"
#include "tcg/tier/lightweight.h"

namespace pagoda::tier {
namespace {

// Of this thread: what the host's other work costs is not the compiler's.
u64 cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

u64 now_ns() { return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch().count()); }

class Optimizing final : public Engine {
 public:
  Optimizing(const Setup& setup, const host::Features& features, std::unique_ptr<CodeMemory> memory)
      : units_(setup, features, std::move(memory)),
        switches_(setup.regions),
        stubs_(units_.stubs()),
        builder_(setup.slots, setup.helpers),
        selector_(units_.stubs().layout),
        emitter_(stubs_) {}

  ~Optimizing() override {
    if (!counts_.empty()) log(Log::tier, "regions:\n{}", opt::report(counts_));
  }

  Outcome compile(u32 thread, Job& job) override { return units_.compile(thread, job); }
  LoopCode compile_loop(u32 thread, std::span<const LoopUnit> loop, u32 memory_mode) override {
    return units_.compile_loop(thread, loop, memory_mode);
  }
  bool makes_regions() const override { return true; }
  LoopCode compile_region(const opt::RegionPlan& plan, const Budget& budget, Outcome* outcome) override {
    *outcome = Outcome::failed;
    if (injection::step_fails()) return {};
    if (statistics_.regions >= switches_.most_regions) return {};
    const u64 start = now_ns(), cpu_start = cpu_ns();
    const auto is_late = [&] {
      const bool late = budget.ns != 0 && now_ns() - start > budget.ns;
      if (late) *outcome = Outcome::over_budget;
      return late;
    };
    builder_.build(plan, graph_);
    if (log_enabled(Log::region)) [[unlikely]]
      log(Log::region, "region of {} parts as built:\n{}", plan.parts.size(), opt::print(graph_));
    opt::run_passes(graph_, {.level = switches_.level, .disabled = switches_.disabled_passes, .fuel = switches_.fuel});
    if (is_late()) return refuse();
    opt::drop_unchanged_slots(graph_);
    if (log_enabled(Log::region)) [[unlikely]]
      log(Log::region, "after the passes:\n{}", opt::print(graph_));
    selector_.select(graph_, {.pages = switches_.pages}, code_);
    code_.root = plan.parts[0].unit;
    for (const opt::Part& part : plan.parts) {
      const i64 distance = i64{part.page} * 4096;
      if (part.page == 0 ||
          std::ranges::find(code_.code_pages, distance, &opt::LirCode::CodePage::distance) != code_.code_pages.end())
        continue;
      code_.code_pages.push_back({distance, part.unit->host_page});
    }
    opt::Registers registers = opt::allocatable_registers();
    if (is_late()) return refuse();
    registers.spill_everything = switches_.spill_everything;
    registers.shuffle_seed = switches_.shuffle_seed;
    if (log_enabled(Log::region)) [[unlikely]]
      log(Log::region, "selected:\n{}", opt::print(code_));
    if (injection::step_fails()) return refuse();
    if (!opt::allocate_registers(code_, registers)) {
      *outcome = Outcome::refused;
      return refuse();
    }
    if (switches_.check) {
      const std::string wrong = opt::check_allocation(code_, registers);
      if (log_enabled(Log::region)) log(Log::region, "allocated:\n{}", opt::print(code_));
      CHECK(wrong.empty(), "register allocation: {}\n{}", wrong, opt::print(code_));
    }
    std::string listing;
    const bool wants_listing = log_enabled(Log::region);
    if (wants_listing) emitter_.set_listing(&listing);
    if (switches_.count) counts_.push_back(opt::count_region(plan, code_));
    const bool fails = injection::step_fails();
    const LoopCode made = fails ? LoopCode{} : emitter_.emit(code_, plan.memory_mode);
    if (wants_listing) {
      emitter_.set_listing(nullptr);
      log(Log::region, "host code:\n{}", listing);
    }
    if (made.start == nullptr) {
      if (!fails) *outcome = Outcome::no_room;
      return refuse();
    }
    if (budget.bytes != 0 && made.bytes > budget.bytes) {
      release(made);
      *outcome = Outcome::over_budget;
      return refuse();
    }
    *outcome = Outcome::done;
    const std::lock_guard lock(mutex_);
    ++statistics_.regions;
    statistics_.region_insns += plan.guest_insns();
    statistics_.region_bytes += made.bytes;
    statistics_.region_ns += cpu_ns() - cpu_start;
    return made;
  }
  interp::LeaveInfo execute(VcpuFrame& frame, Unit& unit) override { return units_.execute(frame, unit); }
  Statistics statistics() const override {
    Statistics total = units_.statistics();
    const std::lock_guard lock(mutex_);
    total.add(statistics_);
    return total;
  }
  std::span<const u8> shared_code() const override { return units_.shared_code(); }
  u64 code_bytes() const override { return units_.code_bytes(); }
  void reset() override {
    units_.reset();
    const std::lock_guard lock(mutex_);
    statistics_ = {};
  }

 private:
  LoopCode refuse() {
    const std::lock_guard lock(mutex_);
    ++statistics_.failed;
    return {};
  }

  Lightweight units_;
  const RegionSwitches switches_;
  const opt::Stubs stubs_;
  opt::GraphBuilder builder_;
  opt::Selector selector_;
  opt::Emitter emitter_;
  opt::Graph graph_;
  opt::LirCode code_;
  std::vector<std::unique_ptr<opt::RegionCount>> counts_;  // of all regions that were made
  mutable std::mutex mutex_;
  Statistics statistics_;
};

}  // namespace

Result<std::unique_ptr<Engine>> make_optimizing(const Setup& setup) {
  TRY_ASSIGN(const host::Features features, host::host_features());
  if (!opt::Stubs::can_run_on(features)) return make_lightweight(setup);
  TRY_ASSIGN(auto memory, CodeMemory::create(setup.code_bytes));
  return std::make_unique<Optimizing>(setup, features, std::move(memory));
}

}  // namespace pagoda::tier
