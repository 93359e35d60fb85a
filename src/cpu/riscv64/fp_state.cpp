// SPDX-License-Identifier: MIT
// Rounding mode and sticky flags between fcsr and the host's control word.
#include "cpu/riscv64/fp_state.h"

#include "cpu/riscv64/modes.h"
#include "cpu/vcpu.h"
#include "tcg/host/fp.h"

namespace pagoda::riscv64 {

u32 fp_control(u8 frm, u8 flags) {
  using ir::Round;
  constexpr Round rounds[8] = {Round::nearest_even, Round::to_zero,      Round::down,         Round::up,
                               Round::nearest_away, Round::nearest_even, Round::nearest_even, Round::nearest_even};
  return fp::control_word(rounds[frm & 7], flags);
}

void load_fp_control(u32 control) { fp::enter_guest(control); }

u8 fp_flags(const Hart& hart, bool in_guest) { return in_guest ? fp::read_flags() : fp::flags_of(hart.fp_control); }

void mark_fp_dirty(Vcpu& vcpu, Hart& hart) {
  if ((hart.mstatus & status::kFs) == status::kFs) return;
  hart.mstatus |= status::kFs;
  update_mode(vcpu, hart);
}

}  // namespace pagoda::riscv64
