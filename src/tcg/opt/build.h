// SPDX-License-Identifier: MIT
// From a plan to a graph: blocks of IR put together, guest state as SSA values.
#pragma once

#include <memory>

#include "tcg/abi/helper_table.h"
#include "tcg/opt/graph.h"
#include "tcg/opt/plan.h"

namespace pagoda::opt {

// Whether a region may have this block: all its ops have a meaning in graphs and for the selection.
bool can_build(const ir::Block& block, HelperTable helpers);

// Braun et al., Simple and Efficient Construction of Static Single Assignment Form (2013). Keeps its working memory.
class GraphBuilder {
 public:
  GraphBuilder(ir::SlotTable slots, HelperTable helpers);
  ~GraphBuilder();
  // Every block of the plan is one that can_build() says yes to. All critical edges are split, loops found.
  void build(const RegionPlan& plan, Graph& graph);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace pagoda::opt
