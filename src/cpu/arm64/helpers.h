// SPDX-License-Identifier: MIT
// Numbers and table of the ARM64 helpers in helpers.def.
#pragma once

#include "tcg/abi/helper_table.h"
#include "tcg/ir/ops.h"

namespace pagoda::arm64 {

enum class HelperId : u32 {
#define HELPER(name, effects, meaning) name,
#include "cpu/arm64/helpers.def"
#undef HELPER
};

// Declared effects, for ir::Builder::call.
constexpr u16 helper_effects(HelperId helper) {
  using namespace ir;
  constexpr u16 effects_of[] = {
#define HELPER(name, effects, meaning) static_cast<u16>(effects),
#include "cpu/arm64/helpers.def"
#undef HELPER
  };
  return effects_of[static_cast<u32>(helper)];
}

HelperTable helper_table();

}  // namespace pagoda::arm64
