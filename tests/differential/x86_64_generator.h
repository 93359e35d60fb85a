// SPDX-License-Identifier: MIT
// Cases for the x86-64 differential tests, made from the rows of the instruction tables.
#pragma once

#include <optional>
#include <string>

#include "cpu/x86_64/decode.h"
#include "decode/x86_64_bytes.h"
#include "differential/x86_64_case.h"

namespace pagoda::x86_64 {

// Memory that a case wants set in both data windows before it runs.
struct Poke {
  u64 address = 0;  // guest address inside the window; 0: none
  u64 value[4] = {};
  u32 bytes = 0;
};

struct Generated {
  Case from;
  Poke poke;
  u64 ignored = 0;                 // address of four bytes that are the processor's own business; 0: none
  bool any_fault_address = false;  // of several accesses, any may fault first
  u64 flags_mask = 0;              // RFLAGS that the manual defines after it
};

// Why the row is not compared with the host, or empty.
std::string left_out(const Row& row);

// Bytes of one instruction of the row; nothing if these random bytes are not to be run.
std::optional<Generated> instruction_of(Rng& rng, const Row& row);
// Vector registers and MXCSR.
void random_vectors(Rng& rng, FpImage& fp);
// Other operands for the same bytes; with `all`, other values also in vector and x87 registers of instructions that do
// not use them.
void fill_operands(Rng& rng, Generated& generated, bool all = true);

// A run of instructions on registers and on memory off r15, with flags from one used by others; ends with what tells
// them.
Generated sequence(Rng& rng);
// Other operands for the same sequence.
void fill_sequence(Rng& rng, Generated& generated);

}  // namespace pagoda::x86_64
