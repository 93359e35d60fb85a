// SPDX-License-Identifier: MIT
// The rules of pass combine, by what they are about. Each is a Rewriter::Rule.
#pragma once

#include "tcg/opt/passes/rewrite.h"

namespace pagoda::opt::passes {

NodeId combine_arithmetic(Rewriter& r, NodeId id);  // add to popcnt
NodeId combine_compare(Rewriter& r, NodeId id);     // comparisons, logic of i1, select
NodeId combine_convert(Rewriter& r, NodeId id);     // widths, bitcasts, boxes, loads and stores of them
NodeId combine_flags(Rewriter& r, NodeId id);       // single condition flags

// The comparison that is true where this one is not; 0 if `id` is no integer comparison.
NodeId make_opposite(Rewriter& r, NodeId id);
bool is_comparison(Op op);
bool is_commutative(Op op);

}  // namespace pagoda::opt::passes
