// SPDX-License-Identifier: MIT
// The lane operations of tcg/ir/vec.def on values in memory: what tier 0 calls.
//
// Integer kinds are plain C++ for any host (vec_int.cpp, vec_permute.cpp, vec_cipher.cpp). Floating-point kinds come
// from the host's folder and run in guest mode (fp.h). The result may be one of the operands; nothing needs to be
// aligned.
#pragma once

#include "tcg/ir/vec.h"

namespace pagoda {

struct Vec128 {
  u8 bytes[16];
};

using VecFunction = void (*)(Vec128* d, const Vec128* a, const Vec128* b, const Vec128* c, u32 imm);

// By VecOp.
extern const VecFunction kVecFunctions[ir::kVecOps];

namespace vec {
#define VEC(name, meaning) void name(Vec128* d, const Vec128* a, const Vec128* b, const Vec128* c, u32 imm);
#define VEC_FP(name, meaning) VEC(name, meaning)
#include "tcg/ir/vec.def"
}  // namespace vec

}  // namespace pagoda
