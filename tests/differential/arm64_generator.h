// SPDX-License-Identifier: MIT
// Cases of the ARM64 fuzzer: words of a form with operands that make them run, and short sequences.
#pragma once

#include <span>
#include <vector>

#include "cpu/arm64/random_insn.h"
#include "differential/arm64_protocol.h"

namespace pagoda::arm64 {

// Why a row has no oracle in user mode, or null.
const char* reason_left_out(const InsnRow& row);
// Whether operands of the row are integers in general registers.
bool has_integer_operands(const InsnRow& row);

// Whether its operands are floating-point numbers, of what width in bits, and the classes of Special that those of a
// case belong to.
bool has_float_operands(const InsnRow& row);
u32 float_width(const Insn& i);
u32 float_classes(const Insn& i, u32 width, const Case& c);

// What of a row decides how its operands are made; found once for many cases.
struct RowTraits {
  bool memory, vector_memory, literal, relative_jump, register_jump, store_exclusive, bare, index, exclusive_pair;
  bool compare_and_swap, cas_pair, writes_fpcr, zero_often, floats, vectors;
};

class Generator {
 public:
  explicit Generator(u64 seed) : rng_(seed) {}

  // Fills `cases` with a word of the form and as many sets of operands. False if the form has no word to offer.
  bool make(const Form& form, std::span<Case> cases);
  // The same with several instructions that work on few registers and on the flags, the last one perhaps a branch.
  void make_sequence(const std::vector<Form>& all, std::span<Case> cases);

 private:
  u64 below(u64 n) { return rng_() % n; }
  bool one_in(u64 n) { return below(n) == 0; }
  bool is_usable(const Insn& i) const;
  u32 confine(const Insn& i);
  // Somewhere in a page, so that all of a case lies in it: units end where a page does.
  u64 code_address() { return kCodeBase + 0x200000 + below(16) * 0x1000 + (1 + below(1023 - kMostWords)) * 4; }
  void fill(Case& c);
  void fill_controls(Case& c);
  void fill_memory(Case& c);
  void refresh(const Insn& i, const RowTraits& traits, Case& c);
  void fill_vector(Vector128& v);
  void place_floats(const Insn& i, u32 width, Case& c);
  void place_operands(const Insn& i, const RowTraits& traits, Case& c);
  void set_base(const Insn& i, const RowTraits& traits, u64 offset, u32 bytes, Case& c);
  void place_expected(const Insn& i, const RowTraits& traits, Case& c);
  u64 base_register(Case& c, u32 reg) const { return reg == 31 ? c.sp : c.x[reg]; }

  Rng rng_;
};

}  // namespace pagoda::arm64
