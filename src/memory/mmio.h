// SPDX-License-Identifier: MIT
// MmioHandler: the contract between the physical address map and a device.
//
// A handler sees offsets from the start of its window, never addresses. Size is a power of two up to 8 and the offset
// is aligned to it: the map splits what is not. Values are little-endian register values, zero-extended. Threading:
// read and write come from any vcpu thread, in parked state (they may block on the device's own lock); a device states
// in its header how it locks. Nothing here may wait for
// another vcpu, except for all of them by the rendezvous and with no lock held (flash).
#pragma once

#include "base/types.h"
#include "memory/access.h"

namespace pagoda {

class MmioHandler {
 public:
  virtual ~MmioHandler() = default;
  // What the guest does: side effects included. Offsets without a register read as zero and log guest_error.
  virtual u64 read(u64 offset, const Access& access) = 0;
  virtual void write(u64 offset, u64 value, const Access& access) = 0;
  // What the debugger does: the value a read would return, without any side effect.
  virtual u64 peek(u64 offset, u32 size) const = 0;
};

}  // namespace pagoda
