// SPDX-License-Identifier: MIT
// The target description that a debugger reads (GDB manual, appendix "Target Descriptions").
#pragma once

#include <string>

#include "machines/inspect.h"

namespace pagoda::gdb {

// One XML document with all features of the guest.
std::string description_xml(const DebugHooks& hooks);

}  // namespace pagoda::gdb
