// SPDX-License-Identifier: MIT
// The pass manager of tier 2: which passes there are, in what order they run, and what became of them.
//
// Passes change a Graph and keep its meaning: which accesses happen, in what order, what every state says and which way
// the region is left. Each change costs one unit of fuel; when there is none left nothing more is changed, so the
// change that breaks something is found by halving. Thread safe: nothing is shared.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

enum class Pass : u8 {
#define PASS(name, level, meaning) name,
#include "tcg/opt/passes/passes.def"
#undef PASS
};
inline constexpr u32 kPasses = 0
#define PASS(name, level, meaning) +1
#include "tcg/opt/passes/passes.def"
#undef PASS
    ;
static_assert(kPasses <= 64, "PassOptions::disabled has a bit for each");

struct PassInfo {
  const char* name;
  u32 level;
  const char* meaning;
};
const PassInfo& pass_info(Pass pass);
std::optional<Pass> find_pass(std::string_view name);

#ifdef PAGODA_VERIFY_IR
inline constexpr bool kVerifyGraphs = true;
#else
inline constexpr bool kVerifyGraphs = false;
#endif

struct PassOptions {
  u32 level = 3;                // O0 to O3; O0: the graph stays as it was built
  u64 disabled = 0;             // bit n: Pass n does not run
  i64 fuel = -1;                // changes that may be made; negative: any number
  bool verify = kVerifyGraphs;  // after each pass; a graph that is not sound is a CHECK failure
  // Called with the graph after each pass that changed it.
  void (*dump)(void* context, Pass pass, const Graph& graph) = nullptr;
  void* dump_context = nullptr;
};

struct PassReport {
  struct Phase {
    Pass pass;
    u64 changes;
    u64 nanoseconds;
  };
  std::vector<Phase> phases;  // in the order in which they ran
  i64 fuel = -1;              // what is left
};

// Afterwards, if anything changed, edges are split and loops found again.
void run_passes(Graph& graph, const PassOptions& options, PassReport* report = nullptr);
// One pass alone, whatever its level; returns the number of changes. `fuel` as above; what was used is taken off.
u64 run_pass(Graph& graph, Pass pass, i64* fuel = nullptr);

}  // namespace pagoda::opt
