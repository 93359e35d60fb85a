// SPDX-License-Identifier: MIT
// "pagoda describe GUEST HEX": decode row, IR and code of instruction bytes, on standard output.
#pragma once

#include <span>
#include <string>

namespace pagoda {

// `arguments` are the words after "describe": the guest, then bytes in memory order as hexadecimal digits, in one or
// several words. Returns the exit status: 0, or 1 with one line on stderr.
int describe(std::span<const std::string> arguments);

}  // namespace pagoda
