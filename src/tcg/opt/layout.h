// SPDX-License-Identifier: MIT
// Layout: in which order the blocks of a region lie.
#pragma once

#include <vector>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

// Whether the graph says anywhere how often something ran.
bool has_counts(const Graph& graph);
// Whether a block is expected to run hardly ever: it is said to be cold, or a sample that has seen others has not seen
// it.
bool is_seldom(const Graph& graph, BlockId id, bool has_counts);

// All blocks that can be reached, the entry first: those that control mostly goes to from each other side by side, then
// the ways out, then what seldom runs. A loop begins with what comes before its header on the way back, where that
// makes its end a branch instead of a branch and a jump.
std::vector<BlockId> lay_out(const Graph& graph);

}  // namespace pagoda::opt
