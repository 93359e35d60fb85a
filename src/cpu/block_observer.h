// SPDX-License-Identifier: MIT
// BlockObserver: sees a vcpu after each block it executed, for lockstep runs.
//
// Threading: called on the vcpu's thread, before the guest's handler of an exception that ended the block is entered.
#pragma once

#include "base/types.h"

namespace pagoda {

class Vcpu;
struct Unit;

class BlockObserver {
 public:
  virtual ~BlockObserver() = default;
  // `instructions`: of the block that were executed. With fault set in the frame the next one raised an exception.
  virtual void after_block(Vcpu& vcpu, const Unit& unit, u32 instructions) = 0;
};

}  // namespace pagoda
