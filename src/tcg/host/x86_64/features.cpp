// SPDX-License-Identifier: MIT
// Levels and detection, by asmjit's reading of CPUID.
#include "tcg/host/x86_64/features.h"

#include <asmjit/core.h>

#include <array>
#include <cstdlib>
#include <iterator>

#include "base/suggest.h"

namespace pagoda::host {
namespace {

using X86 = asmjit::CpuFeatures::X86;
static_assert(asmjit::CpuFeatures::kMaxFeatures <= 256);

// The level that a feature comes with; those of level 1 are what every host has. Level 4's AVX512CD is left out: asmjit
// has changed its name.
struct LevelFeature {
  u32 level;
  X86::Id feature;
};
constexpr LevelFeature kLevelFeatures[] = {
    {1, X86::kSSE},       {1, X86::kSSE2},  {2, X86::kCMPXCHG16B}, {2, X86::kLAHFSAHF},  {2, X86::kPOPCNT},
    {2, X86::kSSE3},      {2, X86::kSSSE3}, {2, X86::kSSE4_1},     {2, X86::kSSE4_2},    {3, X86::kAVX},
    {3, X86::kAVX2},      {3, X86::kBMI},   {3, X86::kBMI2},       {3, X86::kF16C},      {3, X86::kFMA},
    {3, X86::kLZCNT},     {3, X86::kMOVBE}, {4, X86::kAVX512_F},   {4, X86::kAVX512_BW}, {4, X86::kAVX512_DQ},
    {4, X86::kAVX512_VL},
};
constexpr std::string_view kLevels[] = {"x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"};

}  // namespace

Features Features::operator&(const Features& other) const {
  Features both = *this;
  both.bits_ &= other.bits_;
  return both;
}

Result<Features> features_of_level(std::string_view level) {
  for (u32 i = 0; i < std::size(kLevels); ++i) {
    if (level != kLevels[i]) continue;
    Features features;
    for (const LevelFeature& one : kLevelFeatures) {
      if (one.level <= i + 1) features.add(one.feature);
    }
    return features;
  }
  return fail("unknown level '{}'{} ({}, {}, {} and {} are known)", level, suggestion(level, kLevels), kLevels[0],
              kLevels[1], kLevels[2], kLevels[3]);
}

Result<Features> host_features() {
  const asmjit::CpuFeatures& cpu = asmjit::CpuInfo::host().features();
  Features has;
  for (u32 feature = 0; feature < asmjit::CpuFeatures::kMaxFeatures; ++feature) {
    if (cpu.has(feature)) has.add(feature);
  }
  const char* level = std::getenv("PAGODA_HOST_FEATURES");
  if (level == nullptr || *level == 0) return has;
  const Result<Features> allowed = features_of_level(level);
  if (!allowed) return fail("PAGODA_HOST_FEATURES: {}", allowed.error().message);
  return has & *allowed;
}

}  // namespace pagoda::host
