// SPDX-License-Identifier: MIT
// Dispatch of SBI calls (SBI specification, chapters "Binary Encoding" and "Legacy Extensions").
#include "console.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

constexpr unsigned kA0 = 10;
constexpr unsigned kA1 = 11;
constexpr unsigned kA6 = 16;
constexpr unsigned kA7 = 17;

// Legacy calls have one result, and keep a1.
void legacy_result(Hart& hart, int64_t value) { hart.x[kA0] = static_cast<uint64_t>(value); }

}  // namespace

void sbi_call(Hart& hart) {
  const SbiArguments arguments = &hart.x[kA0];
  const uint64_t function = hart.x[kA6];
  SbiResult result = sbi_error(SbiError::kNotSupported);
  switch (static_cast<SbiExtension>(hart.x[kA7])) {
    case SbiExtension::kTime:
      result = sbi_time(hart, function, arguments);
      break;
    case SbiExtension::kIpi:
      result = sbi_ipi(hart, function, arguments);
      break;
    case SbiExtension::kRfence:
      result = sbi_rfence(hart, function, arguments);
      break;
    case SbiExtension::kHsm:
      result = sbi_hsm(hart, function, arguments);
      break;
    case SbiExtension::kBase:
      result = sbi_base(function, arguments);
      break;
    case SbiExtension::kSrst:
      result = sbi_srst(function, arguments);
      break;
    case SbiExtension::kDbcn:
      result = sbi_dbcn(function, arguments);
      break;
    case SbiExtension::kPmu:
      result = sbi_pmu(hart, function, arguments);
      break;
    case SbiExtension::kFwft:
      result = sbi_fwft(hart, function, arguments);
      break;
    case SbiExtension::kLegacySetTimer:
      timer_set(hart, arguments[0]);
      return legacy_result(hart, 0);
    case SbiExtension::kLegacyPutchar:
      console_put(static_cast<uint8_t>(arguments[0]));
      return legacy_result(hart, 0);
    case SbiExtension::kLegacyGetchar:
      return legacy_result(hart, console_get());
    case SbiExtension::kLegacyShutdown:
      system_shutdown(false);
      return legacy_result(hart, static_cast<int64_t>(SbiError::kNotSupported));
  }
  hart.x[kA0] = static_cast<uint64_t>(result.error);
  hart.x[kA1] = static_cast<uint64_t>(result.value);
}

}  // namespace pagoda::firmware
