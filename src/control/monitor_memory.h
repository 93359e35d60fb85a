// SPDX-License-Identifier: MIT
// The monitor's look at memory: "x" and "xp" with QEMU's formats.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "machines/inspect.h"

namespace pagoda {

// Numbers (0x hexadecimal, else decimal) and $registers with + and - between them. Nothing: `*problem` says why not.
std::optional<u64> monitor_address(const DebugHooks& hooks, u32 vcpu, std::string_view text, std::string* problem);

// `words` is "[/[count][format][size]] address": formats x d u o c i, sizes b h w g.
std::string monitor_dump(const DebugHooks& hooks, u32 vcpu, std::string_view words, bool is_physical);

}  // namespace pagoda
