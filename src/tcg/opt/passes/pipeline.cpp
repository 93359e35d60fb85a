// SPDX-License-Identifier: MIT
// The order of passes, and running them.
#include "tcg/opt/passes/passes.h"

#include <chrono>

#include "base/check.h"
#include "tcg/opt/graph_text.h"
#include "tcg/opt/passes/pass.h"

namespace pagoda::opt {
namespace {

constexpr PassInfo kInfo[] = {
#define PASS(name, level, meaning) {#name, level, meaning},
#include "tcg/opt/passes/passes.def"
#undef PASS
};

constexpr void (*kFunctions[])(passes::Context&) = {
#define PASS(name, level, meaning) passes::name,
#include "tcg/opt/passes/passes.def"
#undef PASS
};

constexpr Pass kPipeline[] = {
    Pass::fold,     Pass::branches, Pass::dead,  Pass::combine, Pass::phi_types, Pass::known,
    Pass::divide,   Pass::combine,  Pass::gvn,   Pass::fold,    Pass::combine,   Pass::known,
    Pass::branches, Pass::dead,     Pass::nests, Pass::licm,    Pass::pointers,  Pass::runs,
};

}  // namespace

const PassInfo& pass_info(Pass pass) { return kInfo[static_cast<u32>(pass)]; }

std::optional<Pass> find_pass(std::string_view name) {
  for (u32 i = 0; i < kPasses; ++i) {
    if (name == kInfo[i].name) return static_cast<Pass>(i);
  }
  return std::nullopt;
}

u64 run_pass(Graph& graph, Pass pass, i64* fuel) {
  passes::Context context{graph, fuel != nullptr ? *fuel : -1};
  if (context.has_fuel()) kFunctions[static_cast<u32>(pass)](context);
  if (fuel != nullptr) *fuel = context.fuel;
  return context.changes;
}

void run_passes(Graph& graph, const PassOptions& options, PassReport* report) {
  using Clock = std::chrono::steady_clock;
  i64 fuel = options.fuel;
  bool any = false;
  for (const Pass pass : kPipeline) {
    if (pass_info(pass).level > options.level || (options.disabled >> static_cast<u32>(pass) & 1) != 0) continue;
    const Clock::time_point begin = report != nullptr ? Clock::now() : Clock::time_point();
    const u64 changes = run_pass(graph, pass, &fuel);
    any |= changes != 0;
    if (report != nullptr) {
      const auto time = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count();
      report->phases.push_back({pass, changes, static_cast<u64>(time)});
    }
    if (changes != 0 && options.dump != nullptr) options.dump(options.dump_context, pass, graph);
    if (options.verify) {
      const std::string wrong = verify(graph);
      CHECK(wrong.empty(), "graph after pass {} is not sound:\n{}{}", pass_info(pass).name, wrong, print(graph));
    }
  }
  // Selection wants both.
  if (any) {
    split_edges(graph);
    find_loops(graph);
  }
  if (report != nullptr) report->fuel = fuel;
}

}  // namespace pagoda::opt
