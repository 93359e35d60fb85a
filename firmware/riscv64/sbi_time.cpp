// SPDX-License-Identifier: MIT
// SBI specification, chapter "Timer Extension (EID #0x54494D45 "TIME")": by Sstc, else by the machine timer.
#include "csr.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

constexpr uint64_t kNever = ~uint64_t{0};

bool has_sstc(const Hart& hart) { return (hart.extensions & kIsaSstc) != 0; }

}  // namespace

bool timer_available(const Hart& hart) { return has_sstc(hart) || hart.mtimecmp != nullptr; }

void timer_set(Hart& hart, uint64_t deadline) {
  if (has_sstc(hart)) {
    csr_write<kStimecmp>(deadline);
  } else if (hart.mtimecmp != nullptr) {
    *hart.mtimecmp = deadline;
    // The call also withdraws an interrupt that is pending.
    csr_clear<kMip>(kSupervisorTimer);
    csr_set<kMie>(kMachineTimer);
  }
}

void timer_stop(Hart& hart) {
  if (hart.mtimecmp != nullptr) *hart.mtimecmp = kNever;
  csr_clear<kMie>(kMachineTimer);
  if (has_sstc(hart)) {
    csr_write<kStimecmp>(kNever);
  } else {
    csr_clear<kMip>(kSupervisorTimer);
  }
}

// The machine timer stays masked until the next deadline is set, as its condition holds until then.
void timer_expired(Hart&) {
  csr_clear<kMie>(kMachineTimer);
  csr_set<kMip>(kSupervisorTimer);
}

SbiResult sbi_time(Hart& hart, uint64_t function, SbiArguments arguments) {
  if (function != 0 || !timer_available(hart)) return sbi_error(SbiError::kNotSupported);
  timer_set(hart, arguments[0]);
  return kSbiOk;
}

}  // namespace pagoda::firmware
