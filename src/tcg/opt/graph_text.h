// SPDX-License-Identifier: MIT
// Graphs for people and for tests: text, and what every sound graph keeps.
//
//   block 2: before 1, 4, count 100                 predecessors in the order of phi arguments
//     v7 = phi.i64 v1, v12
//     begin_unit 3 poll {+8 budget 3; a0=v7}         a state: pc, instructions to give back, slots
//     v9 = load.i64 v7 [size=8] {+8 budget 3; a0=v7; replayed v8, _}
//     branch v11, 2, 3                               or: jump 3 | link 0x5 side 1 {...} | indirect v9 {...}
//
// Only blocks that can be reached are printed, in the order of reverse_postorder().
#pragma once

#include <string>

#include "tcg/opt/graph.h"

namespace pagoda::opt {

std::string print(const Graph& graph);
std::string print_node(const Graph& graph, NodeId id);

// Empty, or what is wrong, a line each. Types by the columns of ops.def; defs before uses on every way, those in states
// and of phis at the ends of predecessors included; predecessors as the ends of blocks say; states where something may
// leave, each slot once and with its type; slot_in in the entry block alone; every node in one place.
std::string verify(const Graph& graph);

}  // namespace pagoda::opt
