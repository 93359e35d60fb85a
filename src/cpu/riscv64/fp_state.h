// SPDX-License-Identifier: MIT
// The floating-point state that lives in the host's format (VcpuFrame::fp_control, or the host's register meanwhile).
#pragma once

#include "cpu/riscv64/hart.h"

namespace pagoda {
class Vcpu;
}

namespace pagoda::riscv64 {

// Control word for a rounding mode field and sticky flags. RMM and reserved fields run as to-nearest-even: translations
// made for them carry the rounding themselves (ModeKey).
u32 fp_control(u8 frm, u8 flags);
// Makes it the host's, in guest mode (inside helpers of translated code).
void load_fp_control(u32 control);
// Sticky flags; `in_guest` says that they are in the host's register.
u8 fp_flags(const Hart& hart, bool in_guest);
// mstatus.FS := Dirty.
void mark_fp_dirty(Vcpu& vcpu, Hart& hart);

}  // namespace pagoda::riscv64
