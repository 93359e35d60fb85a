// SPDX-License-Identifier: MIT
// SBI specification, chapter "Base Extension (EID #0x10)".
#include "console.h"
#include "csr.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

constexpr uint64_t kSpecificationVersion = 2u << 24;  // 2.0
// Ids of known implementations are small numbers the SBI project hands out; this one ("PAGO") stays clear of them.
constexpr uint64_t kImplementationId = 0x5041474f;
constexpr uint64_t kImplementationVersion = 1u << 16;  // 1.0

bool available(SbiExtension extension) {
  switch (extension) {
    case SbiExtension::kBase:
    case SbiExtension::kHsm:
    case SbiExtension::kFwft:
      return true;
    case SbiExtension::kPmu:
      return csr_exists<kMcountinhibit>();
    case SbiExtension::kIpi:
    case SbiExtension::kRfence:
      return this_hart().msip != nullptr;
    case SbiExtension::kTime:
    case SbiExtension::kLegacySetTimer:
      return timer_available(this_hart());
    case SbiExtension::kDbcn:
    case SbiExtension::kLegacyPutchar:
    case SbiExtension::kLegacyGetchar:
      return console_available();
    case SbiExtension::kSrst:
    case SbiExtension::kLegacyShutdown:
      return reset_available();
  }
  return false;
}

}  // namespace

SbiResult sbi_base(uint64_t function, SbiArguments arguments) {
  switch (function) {
    case 0:
      return sbi_value(kSpecificationVersion);
    case 1:
      return sbi_value(kImplementationId);
    case 2:
      return sbi_value(kImplementationVersion);
    case 3:
      return sbi_value(available(static_cast<SbiExtension>(arguments[0])) ? 1 : 0);
    case 4:
      return sbi_value(csr_read<kMvendorid>());
    case 5:
      return sbi_value(csr_read<kMarchid>());
    case 6:
      return sbi_value(csr_read<kMimpid>());
    default:
      return sbi_error(SbiError::kNotSupported);
  }
}

}  // namespace pagoda::firmware
