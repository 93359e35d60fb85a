// SPDX-License-Identifier: MIT
// What differential fuzzers and their harnesses inside an oracle say to each other over two pipes, whatever the guest.
//
// Both ends are little-endian and lay structures out alike. The host sends batches: a Batch header, then its cases; the
// harness answers with as many outcomes, in order. A header with count 0 ends it. A case is an instruction or a few:
// the memory around them is 0, which is no instruction, so that whatever they do the next step is an illegal
// instruction at the place they led to, and the kernel's signal frame holds every register. Case and Outcome are the
// guest's (riscv64_protocol.h, arm64_protocol.h).
#pragma once

using Byte = unsigned char;
using Word = unsigned int;
using Double = unsigned long long;

// Guest addresses, mapped alike on both sides. Code is read, write and execute.
inline constexpr Double kCodeBase = 0x40000000, kCodeSize = 0x400000;
inline constexpr Word kWindow = 256;  // bytes of data that a case defines and an outcome reports
inline constexpr Word kMaxBatch = 2048;

struct Batch {
  Word count;
};
