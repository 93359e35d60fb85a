// SPDX-License-Identifier: MIT
// What the differential fuzzer and its harness inside the oracle say to each other over two pipes.
//
// Both ends are little-endian and lay these structures out alike. The host sends batches: a Batch header, then its
// cases; the harness answers with as many outcomes, in order. A header with count 0 ends it. Each case is one
// instruction alone: the halfwords around it are 0, which is no instruction, so that whatever it does the next step is
// an illegal instruction at the place it led to, and the kernel's signal frame holds every register.
#pragma once

using Byte = unsigned char;
using Word = unsigned int;
using Double = unsigned long long;

// Guest addresses, mapped alike on both sides. Code is read, write and execute; reaches of all direct jumps lie in it.
inline constexpr Double kCodeBase = 0x40000000, kCodeSize = 0x400000;
inline constexpr Double kDataBase = 0x50000000, kDataSize = 0x4000;
inline constexpr Word kWindow = 256;  // bytes of data that a case defines and an outcome reports
inline constexpr Word kMaxBatch = 2048;

struct Batch {
  Word count;
};

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
