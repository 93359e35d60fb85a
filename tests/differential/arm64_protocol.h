// SPDX-License-Identifier: MIT
// Cases and outcomes of ARM64 (see protocol.h): up to eight instructions; the words around them are 0, which is UDF.
//
// They lie in memory that both sides map. A batch is a half of it: the host names it and says how many cases it holds,
// the harness sends the same back when their outcomes are there.
#pragma once

#include "protocol.h"

// Right behind the code, so that literals can lie in it.
inline constexpr Double kDataBase = kCodeBase + kCodeSize, kDataSize = 0x10000;
inline constexpr Word kMostWords = 8;

struct Vector128 {
  Double half[2];
};

// Case::kinds.
enum : Word {
  kStraight = 1,    // control reaches what follows the last instruction, unless an instruction traps
  kUsesMemory = 2,  // the window counts; else nobody looks at it
};

struct Case {
  Double x[31];
  Double sp;
  Vector128 v[32];
  Double pc;      // where the first instruction stands, not the first word of a page
  Double window;  // address of the bytes below
  Word code[kMostWords];
  Word words;  // of them
  Word kinds;
  Word nzcv;  // bits 31-28, as in PSTATE
  Word unused;
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

inline constexpr Word kHalf = 256;  // cases
struct SharedHalf {
  Case cases[kHalf];
  Outcome outcomes[kHalf];
};
inline constexpr Double kSharedBase = 0x50000000;
inline constexpr int kSharedFd = 3;
struct ArmBatch {
  Word half, count;  // count 0: the end
};
