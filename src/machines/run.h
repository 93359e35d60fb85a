// SPDX-License-Identifier: MIT
// run_machine: a configuration's whole life, from opening its files to the exit status.
#pragma once

#include "machines/config.h"
#include "machines/inspect.h"

namespace pagoda {

// Builds the machine, runs it on this thread's main loop until the guest, the user or a signal ends it, and returns the
// program's exit status:
//   0          the guest powered off, or the user quit (Ctrl-A X, the monitor's quit)
//   1          the configuration cannot be run: one line on stderr
//   another    the guest reported a failure (a panic under -no-reboot, a test device's code): see docs
//   128 + N    signal N ended the run: a run that was cut short must not look like a guest that powered off
// `start_monitor` is called once for each of config.monitors.
int run_machine(const MachineConfig& config, const StartMonitor& start_monitor);

}  // namespace pagoda
