// SPDX-License-Identifier: MIT
// Random sound blocks, made from the op table: a new op occurs in them without further work.
#pragma once

#include <random>

#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"

namespace pagoda::ir {

using Rng = std::mt19937_64;

struct RandomOptions {
  u32 guest_insns = 6;   // at most
  u32 ops_per_insn = 8;  // at most, not counting what is made for operands
  u32 types = ~0u;       // bit n: values of Type n may occur
  // Memory ops occur if there are base slots: i64 slots that hold multiples of 64, are never written, and whose next
  // `memory_bytes` (a power of two, at least 256) bytes are what is accessed.
  u32 base_slot = 0;  // the first one
  u32 base_slots = 0;
  u64 memory_bytes = 4096;
  // Whether a guest instruction may raise an exception: trap_if, misaligned atomics and alignment-checked accesses.
  // Without it helpers that may fault do not occur either.
  bool faults = true;
  // Whatever the verifier accepts, for tests that do not run the block: any address, memory mode, exit, restartable.
  bool anything = false;
};

// The result passes verify(). Fills `block`, which keeps its capacity.
void random_block(Rng& rng, SlotTable slots, HelperTable helpers, const RandomOptions& options, Block& block);

}  // namespace pagoda::ir
