// SPDX-License-Identifier: MIT
// Random instructions from the decode tables, for tests and the differential fuzzer.
#pragma once

#include <optional>
#include <random>
#include <vector>

#include "cpu/arm64/decode.h"
#include "cpu/decode_table.h"

namespace pagoda::arm64 {

using Rng = std::mt19937_64;

// A form: a row and one value of each of its capital fields.
struct Form {
  const InsnRow* row;
  u32 mask, match;  // the row's fixed bits and those of the capital fields
};
// Every form that has words.
std::vector<Form> forms();

// A word of the form, everything that is not fixed drawn.
std::optional<u32> random_instruction(const Form& form, Rng& rng);

}  // namespace pagoda::arm64
