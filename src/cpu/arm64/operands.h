// SPDX-License-Identifier: MIT
// Operands by the names that the instruction tables' texts have in braces.
#pragma once

#include <string>
#include <string_view>

#include "cpu/arm64/decode.h"

namespace pagoda::arm64 {

// Appends the operand's text.
using AppendOperand = void (*)(std::string& text, const Insn& insn, u64 pc);
// Null if there is no operand of this name.
AppendOperand find_operand(std::string_view name);

// The same for those of floating-point and vector instructions.
AppendOperand find_vector_operand(std::string_view name);

}  // namespace pagoda::arm64
