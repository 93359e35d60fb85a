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

struct Level {
  const char* name;
  Features features;
};
constexpr Level kLevels[] = {
    {"x86-64", {}},
    {"x86-64-v2", {.popcnt = true}},
    {"x86-64-v3", {.popcnt = true, .bmi = true, .lzcnt = true, .fma = true}},
    {"x86-64-v4", {.popcnt = true, .bmi = true, .lzcnt = true, .fma = true}},
};

}  // namespace

Result<Features> features_of_level(std::string_view level) {
  std::array<std::string_view, std::size(kLevels)> names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (level == kLevels[i].name) return kLevels[i].features;
    names[i] = kLevels[i].name;
  }
  return fail("unknown level '{}'{} (x86-64, x86-64-v2, x86-64-v3 and x86-64-v4 are known)", level,
              suggestion(level, names));
}

Result<Features> host_features() {
  const asmjit::CpuFeatures::X86& cpu = asmjit::CpuInfo::host().features().x86();
  const Features has{
      .popcnt = cpu.hasPOPCNT(), .bmi = cpu.hasBMI() && cpu.hasBMI2(), .lzcnt = cpu.hasLZCNT(), .fma = cpu.hasFMA()};
  const char* level = std::getenv("PAGODA_HOST_FEATURES");
  if (level == nullptr || *level == 0) return has;
  const Result<Features> allowed = features_of_level(level);
  if (!allowed) return fail("PAGODA_HOST_FEATURES: {}", allowed.error().message);
  return Features{.popcnt = has.popcnt && allowed->popcnt,
                  .bmi = has.bmi && allowed->bmi,
                  .lzcnt = has.lzcnt && allowed->lzcnt,
                  .fma = has.fma && allowed->fma};
}

}  // namespace pagoda::host
