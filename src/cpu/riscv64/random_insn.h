// SPDX-License-Identifier: MIT
// Random instructions from the decode tables, for tests and the differential fuzzer.
#pragma once

#include <optional>
#include <random>

#include "cpu/decode_table.h"
#include "cpu/riscv64/decode.h"

namespace pagoda::riscv64 {

using Rng = std::mt19937_64;

// A word that decodes to `row`: its fixed bits, everything else drawn. Nothing for a row that stands for a reserved
// encoding. Fields that a pattern leaves to any value (`.`) are drawn as well.
std::optional<u32> random_instruction(const InsnRow& row, Rng& rng);

// The same with chosen register numbers where the format has them as full five-bit fields: fields a (rs1), b (rs2),
// c (rs3) and d (rd) of the pattern. A negative number means drawn.
struct RegisterChoice {
  int a = -1, b = -1, c = -1, d = -1;
};
std::optional<u32> random_instruction(const InsnRow& row, Rng& rng, const RegisterChoice& choice);

}  // namespace pagoda::riscv64
