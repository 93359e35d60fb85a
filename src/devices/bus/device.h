// SPDX-License-Identifier: MIT
// Device: what every device of a machine has besides its registers.
#pragma once

#include <string>

#include "base/types.h"
#include "devices/bus/state.h"

namespace pagoda {

// Threading: reset() and visit_state() are called with all vcpus stopped or in an exclusive section.
class Device {
 public:
  virtual ~Device() = default;
  // Unique in its machine, e.g. "serial0"; names the device in logs, listings and snapshots.
  virtual const std::string& name() const = 0;
  // Power-on and system reset. Cancels what is in flight and lowers interrupt lines.
  virtual void reset() = 0;
  // Increase it when the state list changes incompatibly.
  virtual u32 state_version() const { return 1; }
  virtual void visit_state(StateVisitor& visitor) = 0;
  // After a whole state was restored: bring what is derived from it (timers, interrupt lines, caches) in line.
  virtual void state_restored() {}
};

}  // namespace pagoda
