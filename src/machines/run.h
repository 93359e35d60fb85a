// SPDX-License-Identifier: MIT
// run_machine: a configuration's whole life, from opening its files to the exit status.
#pragma once

#include "machines/config.h"
#include "machines/inspect.h"

namespace pagoda {

// Builds the machine, runs it on this thread's main loop until the guest, the user or a signal ends it, and returns the
// program's exit status:
//   0          the guest powered off, the user quit (Ctrl-A X, the monitor's quit), or -icount's stop-at was reached
//   1          the configuration cannot be run; or, on `spike`, a test failed
//   2          the guest reset the machine under -no-reboot: a panic with panic=N on the kernel's command line, or a
//              reboot (the two look alike from outside); a reset by the monitor is the user's quit
//   N          the guest powered off with failure code N of a test device (its low 8 bits; 255 if those are 0)
//   128 + N    signal N ended the run: a run that was cut short must not look like a guest that powered off
// Every status but 0 comes with one line on stderr.
//
// With -icount nothing from outside but console input reaches the guest: entropy (a -object rng-random's, too) and the
// time of day are a fixed sequence and a fixed date.
int run_machine(const MachineConfig& config, const Controls& controls);

}  // namespace pagoda
