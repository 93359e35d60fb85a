// SPDX-License-Identifier: MIT
// Disassembler of ARM64: words with their text. What LLVM says of whatever words: arm64_llvm_test.cpp.
#include "cpu/arm64/disassembler.h"

#include <gtest/gtest.h>

namespace pagoda::arm64 {
namespace {

TEST(Arm64Disassembler, KnownWords) {
  struct Known {
    u32 word;
    const char* text;
  };
  constexpr u64 pc = 0x400000;
  constexpr Known known[] = {
      {0x8b020020, "add x0, x1, x2"},
      {0x0b827c20, "add w0, w1, w2, asr #31"},
      {0x910043ff, "add sp, sp, #16"},
      {0x91400420, "add x0, x1, #1, lsl #12"},
      {0xeb01001f, "subs xzr, x0, x1"},
      {0x8b2263e0, "add x0, sp, x2"},
      {0x8b22cc20, "add x0, x1, w2, sxtw #3"},
      {0x92401c20, "and x0, x1, #0xff"},
      {0xd2824680, "movz x0, #4660"},
      {0xf2a24680, "movk x0, #4660, lsl #16"},
      {0xd3427c20, "ubfm x0, x1, #2, #31"},
      {0x54000041, "b.ne 0x400008"},
      {0x97ffffff, "bl 0x3ffffc"},
      {0xb4000040, "cbz x0, 0x400008"},
      {0x37280040, "tbnz w0, #5, 0x400008"},
      {0xd65f03c0, "ret x30"},
      {0xa9bf7bfd, "stp x29, x30, [sp, #-16]!"},
      {0xa8c17bfd, "ldp x29, x30, [sp], #16"},
      {0xf8627820, "ldr x0, [x1, x2, lsl #3]"},
      {0xb862d820, "ldr w0, [x1, w2, sxtw #2]"},
      {0x38401420, "ldrb w0, [x1], #1"},
      {0x88dffc20, "ldar w0, [x1]"},
      {0xc8047c20, "stxr w4, x0, [x1]"},
      {0xf8e20020, "ldaddal x2, x0, [x1]"},
      {0x48227c24, "casp x2, x3, x4, x5, [x1]"},
      {0xfa4b1944, "ccmp x10, #11, #4, ne"},
      {0x9a821420, "csinc x0, x1, x2, ne"},
      {0xd53b4200, "mrs x0, nzcv"},
      {0xd5033bbf, "dmb ish"},
      {0xd4000001, "svc #0"},
      {0x90000000, "adrp x0, 0x400000"},
      {0x1e612800, "fadd d0, d0, d1"},
      {0x1f420020, "fmadd d0, d1, d2, d0"},
      {0x9e660001, "fmov x1, d0"},
      {0xacc10420, "ldp q0, q1, [x1], #32"},
      {0x4ea28420, "add v0.4s, v1.4s, v2.4s"},
      {0x0f0c8400, "shrn v0.8b, v0.8h, #4"},
      {0x4e020020, "tbl v0.16b, { v1.16b }, v2.16b"},
      {0x4e829404, "sdot v4.4s, v0.16b, v2.16b"},
      {0x4e0a1c20, "ins v0.h[2], w1"},
      {0xffffffff, ".inst 0xffffffff"},
  };
  for (const Known& k : known) EXPECT_EQ(disassemble(k.word, pc), k.text) << std::hex << k.word;
}

TEST(Arm64Disassembler, BlockLinesStopAtACutInstruction) {
  const u8 code[] = {0x20, 0x00, 0x02, 0x8b, 0xc0, 0x03};
  EXPECT_EQ(disassemble_block(code, 0x1000), "0x0000000000001000: 8b020020  add x0, x1, x2\n");
}

}  // namespace
}  // namespace pagoda::arm64
