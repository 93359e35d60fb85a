// SPDX-License-Identifier: MIT
// SBI specification, chapter "IPI Extension (EID #0x735049 "sPI: s-mode IPI")", and the mailbox of each hart.
#include "csr.h"
#include "sbi.h"

namespace pagoda::firmware {

void ring_hart(Hart& target) {
  if (target.msip == nullptr) return;
  fence_all();
  *target.msip = 1;
}

// Clearing comes before looking: mail that arrives in between rings again.
void serve_mailbox(Hart& hart) {
  *hart.msip = 0;
  fence_all();
  if (__atomic_exchange_n(&hart.soft_pending, 0, __ATOMIC_ACQ_REL) != 0) csr_set<kMip>(kSupervisorSoft);
  serve_fences(hart);
}

SbiResult sbi_ipi(Hart& hart, uint64_t function, SbiArguments arguments) {
  if (function != 0) return sbi_error(SbiError::kNotSupported);
  const HartSelection selection = select_harts(arguments[0], arguments[1]);
  if (!selection.valid) return sbi_error(SbiError::kInvalidParam);
  for_each_hart(selection.mask, [&](Hart& target) {
    if (&target == &hart) {
      csr_set<kMip>(kSupervisorSoft);
    } else if (hart_listens(target)) {
      __atomic_store_n(&target.soft_pending, 1, __ATOMIC_RELEASE);
      ring_hart(target);
    }
  });
  return kSbiOk;
}

}  // namespace pagoda::firmware
