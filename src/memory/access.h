// SPDX-License-Identifier: MIT
// Access: who asks a device, and how. Every MMIO access and every DMA carries one.
#pragma once

#include "base/types.h"

namespace pagoda {

// Guest-neutral privilege of the initiator, lowest first.
enum class Privilege : u8 { user, supervisor, hypervisor, machine };

struct Access {
  static constexpr u16 kNoVcpu = 0xffff;  // the initiator is not a vcpu (DMA, debugger)
  static constexpr u16 kNoRequester = 0xffff;

  u16 vcpu = kNoVcpu;            // index of the initiating vcpu
  u16 requester = kNoRequester;  // PCI requester id (bus:8 device:5 function:3) of a DMA
  u8 size = 4;                   // bytes: 1, 2, 4 or 8
  Privilege privilege = Privilege::machine;
  bool secure = false;  // ARM: secure physical address space
};

}  // namespace pagoda
