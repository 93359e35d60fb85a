// SPDX-License-Identifier: MIT
// Log lines for illegal-instruction exceptions: what we lack is `unimp`, what the guest did wrong `guest_errors`.
#pragma once

#include "cpu/riscv64/hart.h"

namespace pagoda::riscv64 {

// For the illegal-instruction exception recorded in the frame, before it is taken. Says nothing of instructions that
// are turned off for the hart to trap, such as floating point under mstatus.FS: guests rely on that.
void log_illegal_instruction(const Hart& hart);

}  // namespace pagoda::riscv64
