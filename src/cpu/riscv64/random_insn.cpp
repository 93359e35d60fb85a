// SPDX-License-Identifier: MIT
// Random instructions: fixed bits from the row, the rest from the generator, retried while a more special row wins.
#include "cpu/riscv64/random_insn.h"

#include <utility>

namespace pagoda::riscv64 {

std::optional<u32> random_instruction(const InsnRow& row, Rng& rng, const RegisterChoice& choice) {
  constexpr u32 kTries = 1000;  // a special row hides at most half of what it overlaps
  const u32 width_mask = row.length == 4 ? ~0u : 0xffffu;
  for (u32 attempt = 0; attempt < kTries; ++attempt) {
    u32 word = (static_cast<u32>(rng()) & ~row.mask & width_mask) | row.match;
    const std::pair<char, int> fields[] = {{'a', choice.a}, {'b', choice.b}, {'c', choice.c}, {'d', choice.d}};
    for (const auto& [letter, value] : fields) {
      if (value >= 0) word = set_pattern_field(row.pattern, letter, static_cast<u32>(value), word);
    }
    Insn insn;
    if (decode(word, kAllExtensions, insn) && insn.row == &row) return word;
  }
  return std::nullopt;
}

std::optional<u32> random_instruction(const InsnRow& row, Rng& rng) { return random_instruction(row, rng, {}); }

}  // namespace pagoda::riscv64
