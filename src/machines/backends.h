// SPDX-License-Identifier: MIT
// Which backend a run uses, and "pagoda backends", which lists them.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "machines/config.h"

namespace pagoda {

// The configuration with accel.backend and accel.max_tier as -accel backend= or else PAGODA_BACKEND say. Fails for a
// backend that there is not, that does not work on this host, or that force-tier= excludes.
Result<MachineConfig> with_backend(MachineConfig config);

// Prints the matrix; `arguments`: none, or --json. Returns the program's exit status.
int print_backends(std::span<const std::string> arguments);

}  // namespace pagoda
