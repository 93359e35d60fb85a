// SPDX-License-Identifier: MIT
// Which instruction-set extensions a processor has, as a set of bits.
#pragma once

#include "base/types.h"

namespace pagoda::x86_64 {

enum class Feature : u8 {
#define FEATURE(name, cpuid, meaning) name,
#include "cpu/x86_64/cpu_features.def"
#undef FEATURE
};

struct Features {
  u64 bits = 0;
  constexpr bool has(Feature feature) const { return (bits >> static_cast<u32>(feature) & 1) != 0; }
  constexpr Features without(Feature feature) const { return {bits & ~(u64{1} << static_cast<u32>(feature))}; }
};
inline constexpr Features kAllFeatures{~u64{0}};

const char* feature_name(Feature feature);

}  // namespace pagoda::x86_64
