// SPDX-License-Identifier: MIT
// A qcow2 file made from fuzzer bytes, looked at, checked, written to and repaired.
#pragma once

#include <span>

#include "base/types.h"

namespace pagoda::test {

// Input: which sound image to start from, then patches to it and requests, as they come. Ends the program if something
// that must not happen does: an inconsistent file made from a consistent one, a request that is not answered.
void run_qcow2_input(std::span<const u8> input);

}  // namespace pagoda::test
