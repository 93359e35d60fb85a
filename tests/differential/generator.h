// SPDX-License-Identifier: MIT
// Cases of one decode row, made from its table entry: a new row of a known operand format is fuzzed without further
// work.
#pragma once

#include <optional>
#include <vector>

#include "cpu/riscv64/decode.h"
#include "cpu/riscv64/random_insn.h"
#include "differential/operands.h"
#include "differential/riscv64_protocol.h"

namespace pagoda::riscv64 {

// Why a row is not compared, or null if it is. These are left out by name: what they do is not the program's alone.
const char* reason_left_out(const InsnRow& row);

// What a row does with its operands, from the operand text of its format.
struct RowPlan {
  explicit RowPlan(const InsnRow& row);

  const InsnRow* row;
  u32 float_width = 0;          // of the operands read from f registers, 0 if there are none
  bool reads_integers = false;  // other than addresses
  bool is_memory = false;       // rs1 is an address
  bool must_align = false;
  bool is_swap = false;      // compares memory with rd
  bool is_jump = false;      // goes to rs1 + immediate
  bool is_relative = false;  // goes to pc + immediate
  bool is_csr = false;
  bool rounds = false;

  // Classes of Special that this row must meet.
  u32 classes() const;
};

// Rounding that a case uses: 0..4 in the instruction, 5..9 the same from fcsr; none for other rows and reserved modes.
inline constexpr u32 kRoundings = 10;
inline constexpr u32 kNoRounding = ~u32{0};
u32 rounding_of(const RowPlan& plan, const Case& c);
// Classes that the operands of a case belong to.
u32 specials_of(const RowPlan& plan, const Case& c);

class Generator {
 public:
  Generator(const InsnRow& row, u64 seed) : plan_(row), rng_(seed) {}
  const RowPlan& plan() const { return plan_; }

  // Appends cases: one instruction word with several sets of operands. False if the row has no word to offer.
  bool append(std::vector<Case>& cases);

 private:
  bool draw_word();
  void fill(Case& c);

  RowPlan plan_;
  Rng rng_;
  u64 pc_ = 0;
  Insn insn_{};
};

}  // namespace pagoda::riscv64
