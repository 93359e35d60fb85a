// SPDX-License-Identifier: MIT
// Cases and outcomes of ARM64 (see protocol.h): up to eight instructions; the words around them are 0, which is UDF.
#pragma once

#include "protocol.h"

// Right behind the code, so that literals can lie in it.
inline constexpr Double kDataBase = kCodeBase + kCodeSize, kDataSize = 0x10000;
inline constexpr Word kMostWords = 8;

struct Vector128 {
  Double half[2];
};

struct Case {
  Double x[31];
  Double sp;
  Vector128 v[32];
  Double pc;      // where the first instruction stands
  Double window;  // address of the bytes below
  Word code[kMostWords];
  Word words;  // of them
  Word nzcv;   // bits 31-28, as in PSTATE
  Word fpcr;
  Word fpsr;
  Byte memory[kWindow];
};

// Why the oracle stopped, in Linux's numbers: 4 SIGILL, 5 SIGTRAP, 7 SIGBUS, 11 SIGSEGV. SIGILL behind the case is the
// normal end.
struct Outcome {
  Double x[31];
  Double sp;
  Vector128 v[32];
  Double pc;
  Word signal;
  Word nzcv;
  Word fpsr;
  Word unused;
  Byte memory[kWindow];
};
