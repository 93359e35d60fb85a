// SPDX-License-Identifier: MIT
// What generated code may use of the host's processor beyond plain x86-64.
#pragma once

#include <bitset>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::host {

class Features {
 public:
  // `feature` is one of asmjit::CpuFeatures::X86.
  bool has(u32 feature) const { return bits_[feature]; }
  void add(u32 feature) { bits_.set(feature); }
  Features operator&(const Features& other) const;
  bool operator==(const Features&) const = default;

 private:
  std::bitset<256> bits_;
};

// Of a level of the x86-64 psABI (section 3.1.1), whatever this host has: "x86-64", "x86-64-v2", "x86-64-v3" or
// "x86-64-v4". Fails for another name.
Result<Features> features_of_level(std::string_view level);

// What the host has and the level named by PAGODA_HOST_FEATURES allows; all that the host has where it is not set.
// Fails for a level that there is not.
Result<Features> host_features();

}  // namespace pagoda::host
