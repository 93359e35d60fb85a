// SPDX-License-Identifier: MIT
// What is known of integer values: bits that are always 0 or always 1, and how many of the upper bits equal the sign.
#pragma once

#include "tcg/opt/graph.h"

namespace pagoda::opt::passes {

struct Known {
  u64 zeros = 0, ones = 0;  // bits known to be 0, to be 1; above the width all are zeros
  u32 signs = 1;            // upper bits of the width that are known to be equal, the sign bit among them

  bool is_constant() const { return (zeros | ones) == ~u64{0}; }
  u64 most() const { return ~zeros; }  // the greatest value it can have, unsigned
  u64 least() const { return ones; }
};

// By node; of what is no integer of at most 64 bits, nothing. Phis of loops are found by starting from everything and
// taking back what does not hold.
std::vector<Known> find_known_bits(const Graph& graph);

}  // namespace pagoda::opt::passes
