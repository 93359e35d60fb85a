// SPDX-License-Identifier: MIT
// Physical memory protection: what supervisor and user mode must not reach.
#pragma once

namespace pagoda::firmware {

// Hides the firmware and the machine-mode timer and interrupt registers on this hart; everything else is open.
void protect_memory();

}  // namespace pagoda::firmware
