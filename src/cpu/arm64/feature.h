// SPDX-License-Identifier: MIT
// Architectural features of a vcpu, as bits.
#pragma once

#include "base/types.h"

namespace pagoda::arm64 {

enum class Feature : u8 {
#define FEATURE(name, official, meaning) name,
#include "cpu/arm64/features.def"
#undef FEATURE
};

struct Features {
  u64 bits = 0;
  constexpr bool has(Feature feature) const { return (bits >> static_cast<u32>(feature) & 1) != 0; }
};
inline constexpr Features kAllFeatures{~u64{0}};
// The Arm ARM's name, "FEAT_LSE".
const char* feature_name(Feature feature);

}  // namespace pagoda::arm64
