// SPDX-License-Identifier: MIT
// SBI specification, chapter "Hart State Management Extension (EID #0x48534D "HSM")".
#include "csr.h"
#include "sbi.h"

extern "C" int64_t guarded_load_byte(uint64_t address);

namespace pagoda::firmware {
namespace {

// Types of suspension; bits above the lowest 32 carry no meaning. All others are reserved or a platform's own.
constexpr uint32_t kRetentive = 0;
constexpr uint32_t kNonRetentive = 0x80000000;

// Where a hart is to run: an instruction boundary, in memory that exists, and not the firmware's.
bool executable_address(uint64_t address) {
  constexpr uint64_t kParcel = 2;
  return address % kParcel == 0 && supervisor_range(address, kParcel) && guarded_load_byte(address) >= 0;
}

SbiResult start(uint64_t id, uint64_t address, uint64_t argument) {
  Hart* target = find_hart(id);
  if (target == nullptr) return sbi_error(SbiError::kInvalidParam);
  if (hart_state(*target) != HartState::kStopped) return sbi_error(SbiError::kAlreadyAvailable);
  if (!executable_address(address)) return sbi_error(SbiError::kInvalidAddress);
  // Of several callers one wins.
  if (!change_hart_state(*target, HartState::kStopped, HartState::kStartPending)) {
    return sbi_error(SbiError::kAlreadyAvailable);
  }
  target->start_address = address;
  target->start_argument = argument;
  __atomic_store_n(&target->start_ready, 1, __ATOMIC_RELEASE);
  ring_hart(*target);
  return kSbiOk;
}

[[noreturn]] void stop(Hart& hart) {
  set_hart_state(hart, HartState::kStopPending);
  csr_write<kSie>(0);
  timer_stop(hart);
  hart_wait_for_start(hart);
}

// Sleeps until the supervisor has an interrupt to take. Fences are served meanwhile, or their senders would wait.
void sleep_until_interrupt(Hart& hart) {
  set_hart_state(hart, HartState::kSuspended);
  while ((csr_read<kMip>() & csr_read<kMie>() & kSupervisorInterrupts) == 0) {
    wait_for_interrupt();
    const uint64_t pending = csr_read<kMip>() & csr_read<kMie>();
    if ((pending & kMachineSoft) != 0) serve_mailbox(hart);
    if ((pending & kMachineTimer) != 0) timer_expired(hart);
  }
}

SbiResult suspend(Hart& hart, uint32_t type, uint64_t address, uint64_t argument) {
  if (type != kRetentive && type != kNonRetentive) return sbi_error(SbiError::kInvalidParam);
  if (type == kNonRetentive && !executable_address(address)) return sbi_error(SbiError::kInvalidAddress);
  set_hart_state(hart, HartState::kSuspendPending);
  sleep_until_interrupt(hart);
  set_hart_state(hart, HartState::kResumePending);
  set_hart_state(hart, HartState::kStarted);
  if (type == kNonRetentive) enter_supervisor(hart, address, argument);
  return kSbiOk;
}

}  // namespace

void hart_wait_for_start(Hart& hart) {
  csr_write<kMie>(kMachineSoft);
  csr_clear<kMip>(kSupervisorSoft);
  set_hart_state(hart, HartState::kStopped);
  while (__atomic_exchange_n(&hart.start_ready, 0, __ATOMIC_ACQUIRE) == 0) {
    wait_for_interrupt();
    // Also the fences of harts that saw this one still running.
    if ((csr_read<kMip>() & kMachineSoft) != 0) serve_mailbox(hart);
  }
  csr_clear<kMip>(kSupervisorSoft);
  features_reset(hart);
  const uint64_t address = hart.start_address;
  const uint64_t argument = hart.start_argument;
  set_hart_state(hart, HartState::kStarted);
  enter_supervisor(hart, address, argument);
}

SbiResult sbi_hsm(Hart& hart, uint64_t function, SbiArguments arguments) {
  switch (function) {
    case 0:
      return start(arguments[0], arguments[1], arguments[2]);
    case 1:
      stop(hart);
    case 2: {
      const Hart* target = find_hart(arguments[0]);
      if (target == nullptr) return sbi_error(SbiError::kInvalidParam);
      return sbi_value(static_cast<uint64_t>(hart_state(*target)));
    }
    case 3:
      return suspend(hart, static_cast<uint32_t>(arguments[0]), arguments[1], arguments[2]);
    default:
      return sbi_error(SbiError::kNotSupported);
  }
}

}  // namespace pagoda::firmware
