// SPDX-License-Identifier: MIT
// The SBI binary interface (RISC-V SBI specification v2.0): errors, extensions, and one handler for each extension.
#pragma once

#include <stdint.h>

#include "hart.h"

namespace pagoda::firmware {

// Chapter "Binary Encoding", table "Standard SBI Errors".
enum class SbiError : int64_t {
  kSuccess = 0,
  kFailed = -1,
  kNotSupported = -2,
  kInvalidParam = -3,
  kDenied = -4,
  kInvalidAddress = -5,
  kAlreadyAvailable = -6,
  kAlreadyStarted = -7,
  kAlreadyStopped = -8,
  kDeniedLocked = -14,
};

struct SbiResult {
  SbiError error;
  int64_t value;
};

inline constexpr SbiResult kSbiOk{SbiError::kSuccess, 0};
constexpr SbiResult sbi_value(uint64_t value) { return {SbiError::kSuccess, static_cast<int64_t>(value)}; }
constexpr SbiResult sbi_error(SbiError error) { return {error, 0}; }

enum class SbiExtension : uint64_t {
  kLegacySetTimer = 0x00,
  kLegacyPutchar = 0x01,
  kLegacyGetchar = 0x02,
  kLegacyShutdown = 0x08,
  kBase = 0x10,
  kTime = 0x54494d45,
  kIpi = 0x735049,
  kRfence = 0x52464e43,
  kHsm = 0x48534d,
  kSrst = 0x53525354,
  kDbcn = 0x4442434e,
  kPmu = 0x504d55,
  kFwft = 0x46574654,
};

// The arguments of a call: a0 to a5.
using SbiArguments = const uint64_t*;

SbiResult sbi_base(uint64_t function, SbiArguments arguments);
SbiResult sbi_time(Hart& hart, uint64_t function, SbiArguments arguments);
SbiResult sbi_ipi(Hart& hart, uint64_t function, SbiArguments arguments);
SbiResult sbi_rfence(Hart& hart, uint64_t function, SbiArguments arguments);
SbiResult sbi_hsm(Hart& hart, uint64_t function, SbiArguments arguments);
SbiResult sbi_srst(uint64_t function, SbiArguments arguments);
SbiResult sbi_dbcn(uint64_t function, SbiArguments arguments);
SbiResult sbi_pmu(Hart& hart, uint64_t function, SbiArguments arguments);
SbiResult sbi_fwft(Hart& hart, uint64_t function, SbiArguments arguments);

// Dispatches the ECALL whose registers are in `hart.x` and stores its results there.
void sbi_call(Hart& hart);

// Timer (sbi_time.cpp).
bool timer_available(const Hart& hart);
void timer_set(Hart& hart, uint64_t deadline);
void timer_stop(Hart& hart);
void timer_expired(Hart& hart);

// Programmable counters (sbi_pmu.cpp): all stopped, none in use.
void counters_stop(Hart& hart);

// Firmware features of this hart as they are when it starts (sbi_fwft.cpp).
void features_reset(Hart& hart);

// Mailboxes (sbi_ipi.cpp, sbi_rfence.cpp).
void ring_hart(Hart& target);
void serve_mailbox(Hart& hart);
void serve_fences(Hart& hart);

// System reset (sbi_srst.cpp).
bool reset_available();
void system_shutdown(bool failure);

// A hart that is stopped stays here until HSM starts it (sbi_hsm.cpp).
[[noreturn]] void hart_wait_for_start(Hart& hart);

// Chapter "Binary Encoding", "Shared Memory Physical Address Range Parameter": whether supervisor mode may own the
// range.
bool supervisor_range(uint64_t address, uint64_t size);

}  // namespace pagoda::firmware
