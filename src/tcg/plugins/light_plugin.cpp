// SPDX-License-Identifier: MIT
// The example of a plugin: tier 1 once more, from the same sources, behind the plugins' door.
#include "tcg/plugins/door.h"
#include "tcg/tier/plugin.h"

namespace {

using namespace pagoda;

Result<std::unique_ptr<tier::Engine>> make(const tier::Setup& setup) {
  tier::enter_door(setup);
  return tier::make_lightweight(setup);
}

constexpr tier::Backend kBackend{.name = "light-plugin",
                                 .tier = 1,
                                 .features = tier::kFloat | tier::kAtomics | tier::kParallel | tier::kHostCode,
                                 .opt_levels = 0,
                                 .guests = {},
                                 .fallback = "interpreter",
                                 .summary = "the lightweight compiler as a plugin",
                                 .create = make};

}  // namespace

PAGODA_BACKEND_PLUGIN(kBackend)
