// SPDX-License-Identifier: MIT
// The meaning of pure integer ops on known values: the folder uses it, and tests hold every tier against it.
#pragma once

#include <optional>

#include "tcg/ir/ops.h"

namespace pagoda::ir {

constexpr u64 sign_extend(u64 value, u32 bits) {
  return bits >= 64 ? value : static_cast<u64>(static_cast<i64>(value << (64 - bits)) >> (64 - bits));
}

// Result of a two-operand integer op on operands of the given type (at most 64 bits), in the result type's width;
// nothing if the op is not one of them.
std::optional<u64> fold(Op op, Type type, u64 a, u64 b);
// The same for one-operand integer ops.
std::optional<u64> fold(Op op, Type type, u64 a);

}  // namespace pagoda::ir
