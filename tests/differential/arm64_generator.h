// SPDX-License-Identifier: MIT
// Cases of the ARM64 fuzzer: words of a form with operands that make them run, and short sequences.
#pragma once

#include <vector>

#include "cpu/arm64/random_insn.h"
#include "differential/arm64_protocol.h"

namespace pagoda::arm64 {

// Why a row has no oracle in user mode, or null.
const char* reason_left_out(const InsnRow& row);
// Whether operands of the row are integers in general registers.
bool has_integer_operands(const InsnRow& row);

// Whether its operands are floating-point numbers, and the classes of Special that those of a case belong to.
bool has_float_operands(const InsnRow& row);
u32 float_classes(const Insn& i, const Case& c);

class Generator {
 public:
  explicit Generator(u64 seed) : rng_(seed) {}

  // Appends cases: one word of the form with several sets of operands. Nothing if the form has no word to offer.
  bool append(const Form& form, std::vector<Case>& cases);
  // Appends a case of several instructions that work on few registers and on the flags, the last one perhaps a branch.
  void append_sequence(const std::vector<Form>& all, std::vector<Case>& cases);

 private:
  u64 below(u64 n) { return rng_() % n; }
  bool one_in(u64 n) { return below(n) == 0; }
  bool is_usable(const Insn& i) const;
  u32 confine(const Insn& i);
  // Somewhere in a page, so that all of a case lies in it: units end where a page does.
  u64 code_address() { return kCodeBase + 0x200000 + below(16) * 0x1000 + (1 + below(1023 - kMostWords)) * 4; }
  void fill(Case& c);
  void fill_vector(Vector128& v);
  void place_floats(const Insn& i, Case& c);
  void place_operands(const Insn& i, Case& c);
  void set_base(const Insn& i, u64 offset, u32 bytes, Case& c);
  u64 base_register(Case& c, u32 reg) const { return reg == 31 ? c.sp : c.x[reg]; }

  Rng rng_;
};

}  // namespace pagoda::arm64
