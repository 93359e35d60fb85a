// SPDX-License-Identifier: MIT
// The loader of plugins (tcg/tier/plugin.h). Before anything is translated, with no other thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda::tier {

// Adds the backends of all files *.so in the folder, in the order of their names. Each is first loaded by a child
// process, which may crash, end, or take longer than the limit. Returns a line for each that is not used: its path and
// why. Fails if there is no such folder. A file that was loaded before is passed over.
Result<std::vector<std::string>> load_plugins(const std::string& folder, u32 limit_ms = 10'000);

}  // namespace pagoda::tier
