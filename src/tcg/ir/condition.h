// SPDX-License-Identifier: MIT
// Conditions over condition flags, as a guest's branches, selects and set instructions ask for them.
//
// The flags value need not be computed for that: where the op that made it is known, the condition is a comparison of
// that op's operands. What remains takes single flags out of the value.
#pragma once

#include "tcg/ir/builder.h"

namespace pagoda::ir {

// By what they test. C as the guest has it: the borrow itself after flags_sub, its inverse after flags_subc.
enum class Condition : u8 {
  z,            // equal
  c,            // carry
  n,            // negative
  v,            // overflow
  c_or_z,       // unsigned below or equal where C is the borrow
  c_and_not_z,  // unsigned above where C is the inverted borrow
  n_xor_v,      // signed less
  less_equal,   // signed less or equal: Z or N != V
  p,            // even parity
};

// The truth value of `condition`, or with `invert` of its opposite.
Value condition_value(Builder& b, Value flags, Condition condition, bool invert);

}  // namespace pagoda::ir
