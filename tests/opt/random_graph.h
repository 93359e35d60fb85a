// SPDX-License-Identifier: MIT
// Random sound graphs, made from the op table, as a guest's loops and branches could be, and inputs for them.
#pragma once

#include <random>

#include "opt/graph_interpreter.h"
#include "tcg/opt/graph.h"

namespace pagoda::opt {

using Rng = std::mt19937_64;

// Guest state of random graphs: integer registers, f registers as i64 (singles are boxed), one slot of most other
// types.
extern const ir::SlotTable kGraphSlots;

struct RandomGraphOptions {
  u32 blocks = 10;           // at most, without the entry
  u32 nodes_per_block = 12;  // at most, not counting what is made for operands
  bool memory = true;
  bool floating_point = true;
  bool vectors = true;
  bool helpers = true;
  // Ops that may occur; none: all.
  bool (*allows)(const Node& node) = nullptr;
};

Graph random_graph(Rng& rng, const RandomGraphOptions& options = {});
GraphInput random_input(Rng& rng);

}  // namespace pagoda::opt
