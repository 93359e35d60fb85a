// SPDX-License-Identifier: MIT
// SBI specification, chapter "System Reset Extension (EID #0x53525354 "SRST")".
#include "csr.h"
#include "platform.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

constexpr uint32_t kShutdown = 0;
constexpr uint32_t kColdReboot = 1;
constexpr uint32_t kWarmReboot = 2;
constexpr uint32_t kNoReason = 0;
constexpr uint32_t kSystemFailure = 1;

// Values of the finisher (SiFive test device); the exit code is in the upper half.
constexpr uint32_t kFinisherPass = 0x5555;
constexpr uint32_t kFinisherFail = 0x3333 | 1u << 16;
constexpr uint32_t kFinisherReset = 0x7777;

// The host takes an odd packet as exit code * 2 + 1.
constexpr uint64_t kHtifExitSuccess = 1;
constexpr uint64_t kHtifExitFailure = 1 << 1 | 1;

void write_word(uint64_t address, uint32_t value) { *reinterpret_cast<volatile uint32_t*>(address) = value; }

bool write_syscon(const SysconWrite& write) {
  if (write.address == 0) return false;
  const uint32_t kept =
      write.mask == 0xffffffff ? 0 : *reinterpret_cast<volatile uint32_t*>(write.address) & ~write.mask;
  write_word(write.address, kept | (write.value & write.mask));
  return true;
}

// The device may take effect a little later. This hart does nothing more.
[[noreturn]] void wait_for_the_end() {
  csr_write<kMie>(0);
  for (;;) wait_for_interrupt();
}

bool can_shut_down() { return platform.finisher != 0 || platform.poweroff.address != 0 || platform.htif_tohost != 0; }

bool can_reboot() { return platform.finisher != 0 || platform.reboot.address != 0; }

void system_reboot() {
  if (!can_reboot()) return;
  if (platform.finisher != 0) {
    write_word(platform.finisher, kFinisherReset);
  } else {
    write_syscon(platform.reboot);
  }
  wait_for_the_end();
}

}  // namespace

bool reset_available() { return can_shut_down() || can_reboot(); }

void system_shutdown(bool failure) {
  if (!can_shut_down()) return;
  if (platform.finisher != 0) {
    write_word(platform.finisher, failure ? kFinisherFail : kFinisherPass);
  } else if (!write_syscon(platform.poweroff)) {
    *reinterpret_cast<volatile uint64_t*>(platform.htif_tohost) = failure ? kHtifExitFailure : kHtifExitSuccess;
  }
  wait_for_the_end();
}

SbiResult sbi_srst(uint64_t function, SbiArguments arguments) {
  if (function != 0) return sbi_error(SbiError::kNotSupported);
  const auto type = static_cast<uint32_t>(arguments[0]);
  const auto reason = static_cast<uint32_t>(arguments[1]);
  if (type > kWarmReboot || (reason != kNoReason && reason != kSystemFailure)) {
    return sbi_error(SbiError::kInvalidParam);
  }
  if (type == kShutdown) system_shutdown(reason == kSystemFailure);
  if (type == kColdReboot || type == kWarmReboot) system_reboot();
  // Only reached if the platform has no device for it.
  return sbi_error(SbiError::kNotSupported);
}

}  // namespace pagoda::firmware
