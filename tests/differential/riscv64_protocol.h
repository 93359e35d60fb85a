// SPDX-License-Identifier: MIT
// Cases and outcomes of RISC-V (see protocol.h): one instruction alone, the halfwords around it are 0.
#pragma once

#include "protocol.h"

// Reaches of all direct jumps lie in the code.
inline constexpr Double kDataBase = 0x50000000, kDataSize = 0x4000;

struct Case {
  Double x[32];  // x[0] is ignored
  Double f[32];
  Double pc;      // where the instruction stands
  Double window;  // address of the bytes below
  Word bits;
  Word length;  // 2 or 4
  Word fcsr;
  Word unused;
  Byte memory[kWindow];
};

// Why the oracle stopped, in Linux's numbers: 4 SIGILL, 5 SIGTRAP, 7 SIGBUS, 11 SIGSEGV. SIGILL anywhere but at
// Case::pc is the normal end.
struct Outcome {
  Double x[32];
  Double f[32];
  Double pc;
  Word signal;
  Word fcsr;
  Byte memory[kWindow];
};
