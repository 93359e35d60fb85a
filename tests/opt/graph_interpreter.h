// SPDX-License-Identifier: MIT
// What a graph means, for tests: runs it and says how the region was left and what had happened by then.
//
// Integers by ir::fold, floating point by the host's unit as tier 0 does it, memory is an array: an access beyond its
// end, or a misaligned one that asks for alignment, is a fault. Helper 0 is a sum, helper 1 gives the sticky
// floating-point flags and clears them.
#pragma once

#include <string>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

struct GraphValue {
  u64 words[4] = {};
  bool operator==(const GraphValue&) const = default;
};

struct GraphInput {
  std::vector<GraphValue> slots;
  std::vector<u8> memory;
  u64 pc = 0x8000'0000;  // of the region's page
  i64 budget = 100;
  u32 polls = 1000;  // begin_units that poll before the poll word is set
  u32 fp_control = 0;
};

struct GraphOutcome {
  enum class Way : u8 { link, indirect, poll, budget, fault, trap, endless };
  Way way = Way::endless;
  u32 side = 0;   // link
  u64 value = 0;  // indirect: where to; trap: its value
  u64 cause = 0;  // trap
  u64 pc = 0;     // what the state says
  i64 budget = 0;
  std::vector<GraphValue> slots;
  std::vector<GraphValue> replayed;
  std::vector<u8> memory;
  u64 accesses = 0;  // a hash of all accesses and helper calls, in order
  u8 fp_flags = 0;
  u64 operations = 0;  // nodes that ran; not compared

  bool operator==(const GraphOutcome& other) const;
};

GraphOutcome interpret(const Graph& graph, const GraphInput& input);
std::string describe(const Graph& graph, const GraphOutcome& outcome);

}  // namespace pagoda::opt
