// SPDX-License-Identifier: MIT
// Random instructions: fixed bits from the form, the rest drawn until the constraint is met.
#include "cpu/arm64/random_insn.h"

#include "cpu/arm64/constraints.h"
#include "cpu/arm64/sysreg.h"

namespace pagoda::arm64 {
namespace {

u32 capital_bits(const char* pattern) {
  u32 bits = 0;
  for (char letter = 'A'; letter <= 'Z'; ++letter) {
    // N of bit masks and bit fields belongs to an immediate.
    if (letter != 'N') bits |= pattern_letter_bits(pattern, letter);
  }
  return bits;
}

}  // namespace

std::vector<Form> forms() {
  std::vector<Form> all;
  Rng rng(1);
  for (const InsnRow& row : insn_rows()) {
    const u32 capital = capital_bits(row.pattern);
    for (u32 value = capital;; value = (value - 1) & capital) {
      const Form form{&row, row.mask | capital, row.match | value};
      if (random_instruction(form, rng)) all.push_back(form);
      if (value == 0) break;
    }
  }
  return all;
}

std::optional<u32> random_instruction(const Form& form, Rng& rng) {
  constexpr u32 kTries = 1000;  // constraints reject some words, not nearly all
  for (u32 attempt = 0; attempt < kTries; ++attempt) {
    u32 word = (static_cast<u32>(rng()) & ~form.mask) | form.match;
    if (form.row->constraint == constraints::system_register) {  // which hardly any number is
      const u32 number = sysreg_info(static_cast<SysReg>(rng() % kSysRegCount)).number;
      word = (word & ~(0xffffu << 5)) | number << 5;
    }
    Insn insn;
    if (decode(word, kAllFeatures, insn) && insn.row == form.row) return word;
  }
  return std::nullopt;
}

}  // namespace pagoda::arm64
