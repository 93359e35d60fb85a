// SPDX-License-Identifier: MIT
// IrqLine: one interrupt wire from a device to whatever it is wired to (an interrupt controller's input, a vcpu's pin).
//
// Threading: set() may be called from any thread and under the device's own lock. Lock order is device -> interrupt
// controller -> vcpu pin (atomic); a sink must not call back into the device.
#pragma once

#include "base/types.h"

namespace pagoda {

class IrqSink {
 public:
  virtual ~IrqSink() = default;
  // `input` is the sink's own number of the wire, `level` its new level. Repeated equal levels are allowed.
  virtual void set_irq(u32 input, bool level) = 0;
  // The wire is high already and the device has one reason more, or another, to interrupt. An input that is
  // triggered by the level has no use for it.
  virtual void renew_irq(u32 /*input*/) {}
};

// Value type; default-constructed it is not connected and set() does nothing.
struct IrqLine {
  IrqSink* sink = nullptr;
  u32 input = 0;

  void set(bool level) const {
    if (sink != nullptr) sink->set_irq(input, level);
  }
  void renew() const {
    if (sink != nullptr) sink->renew_irq(input);
  }
};

}  // namespace pagoda
