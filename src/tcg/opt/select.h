// SPDX-License-Identifier: MIT
// Selection: from a graph to the machine level. Folds compares into what they decide, constants and additions into
// operands, conversions into registers' classes; decides which memory accesses share a page variable.
#pragma once

#include <memory>
#include <span>

#include "tcg/light/light.h"
#include "tcg/opt/graph.h"
#include "tcg/opt/lir.h"

namespace pagoda::opt {

// Whether selection has code for the node; what it has not, no region may hold.
bool can_select(ir::Op op, ir::Type type, const ir::Inst& inst);

struct SelectOptions {
  bool pages = true;  // accesses may share page checks
};

// Keeps its working memory.
class Selector {
 public:
  explicit Selector(const light::Layout& layout);
  ~Selector();
  // `graph`: with split edges and loops found.
  void select(const Graph& graph, const SelectOptions& options, LirCode& code);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace pagoda::opt
