// SPDX-License-Identifier: MIT
// Tier 1 as a backend.
#include "tcg/tier/lightweight.h"

namespace pagoda::tier {
Result<std::unique_ptr<Engine>> make_lightweight(const Setup& setup) {
  TRY_ASSIGN(const host::Features features, host::host_features());
  TRY_ASSIGN(auto memory, CodeMemory::create(setup.code_bytes));
  return std::make_unique<Lightweight>(setup, features, std::move(memory));
}

}  // namespace pagoda::tier
