// SPDX-License-Identifier: MIT
// InterruptFile: an interrupt controller for messages as the vcpu it serves sees it, through registers of its own.
//
// RISC-V's IMSIC (Advanced Interrupt Architecture 1.0, chapter 3) stands behind it; tests stand in for it. Interrupts
// are identities from 1 up, the lowest comes first. Threading: the vcpu's thread; the implementation locks what it
// shares.
#pragma once

#include "base/types.h"

namespace pagoda {

class InterruptFile {
 public:
  virtual ~InterruptFile() = default;
  // Register of the indirect window; false: there is none with this number.
  virtual bool has_register(u32 number) const = 0;
  virtual u64 read_register(u32 number) const = 0;
  virtual void write_register(u32 number, u64 value) = 0;
  // The first identity that is pending, enabled and not held back by the threshold; 0 for none.
  virtual u32 top() const = 0;
  // The identity is no longer pending.
  virtual void claim(u32 identity) = 0;
};

}  // namespace pagoda
