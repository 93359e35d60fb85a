// SPDX-License-Identifier: MIT
// VecOp: what the ops vec and vec_fp do to lanes; rows of vec.def.
#pragma once

#include "base/types.h"

namespace pagoda::ir {

enum class VecOp : u16 {
#define VEC(name, meaning) name,
#define VEC_FP(name, meaning) name,
#include "tcg/ir/vec.def"
};

inline constexpr u32 kVecIntOps = 0
#define VEC(name, meaning) +1
#define VEC_FP(name, meaning)
#include "tcg/ir/vec.def"
    ;
inline constexpr u32 kVecOps = kVecIntOps
#define VEC(name, meaning)
#define VEC_FP(name, meaning) +1
#include "tcg/ir/vec.def"
    ;

inline constexpr const char* kVecNames[kVecOps] = {
#define VEC(name, meaning) #name,
#define VEC_FP(name, meaning) #name,
#include "tcg/ir/vec.def"
};

constexpr bool is_fp(VecOp op) { return static_cast<u32>(op) >= kVecIntOps; }

}  // namespace pagoda::ir
