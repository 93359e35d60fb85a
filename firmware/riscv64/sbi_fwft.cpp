// SPDX-License-Identifier: MIT
// SBI specification 3.0, chapter "Firmware Features Extension (EID #0x46574654 "FWFT")": what a supervisor may choose
// of its hart's machine mode. Both features here are local, so harts differ in them.
#include "csr.h"
#include "sbi.h"

namespace pagoda::firmware {
namespace {

enum Feature : uint32_t { kMisalignedDelegation = 0, kHardwareAccessedDirty = 4, kLastDefined = 5 };

constexpr uint64_t kLock = 1;
constexpr uint64_t kMisalignedExceptions = 1u << 4 | 1u << 6;  // loads, and stores and atomics

// With one of the two extensions listed there is no choice: the device tree has promised how it is.
bool can_choose_updates(const Hart& hart) {
  return (hart.extensions & kIsaSvade) != 0 && (hart.extensions & kIsaSvadu) != 0 && csr_exists<kMenvcfg>();
}

SbiError find(const Hart& hart, uint32_t feature) {
  if (feature > kLastDefined) return SbiError::kDenied;  // reserved, or a platform's own
  if (feature == kMisalignedDelegation) return SbiError::kSuccess;
  if (feature == kHardwareAccessedDirty && can_choose_updates(hart)) return SbiError::kSuccess;
  return SbiError::kNotSupported;
}

void store(uint32_t feature, bool on) {
  if (feature == kMisalignedDelegation) {
    // Not delegated, what the hart itself cannot do misaligned comes back to the supervisor: trap.cpp emulates none.
    if (on) csr_set<kMedeleg>(kMisalignedExceptions);
    if (!on) csr_clear<kMedeleg>(kMisalignedExceptions);
    return;
  }
  if (on) csr_set<kMenvcfg>(kEnvAdue);
  if (!on) csr_clear<kMenvcfg>(kEnvAdue);
  // Translations cached before may hold the other behaviour.
  asm volatile("sfence.vma" : : : "memory");
}

bool load(uint32_t feature) {
  if (feature == kMisalignedDelegation) return (csr_read<kMedeleg>() & kMisalignedExceptions) != 0;
  return (csr_read<kMenvcfg>() & kEnvAdue) != 0;
}

}  // namespace

void features_reset(Hart& hart) {
  hart.features_locked = 0;
  csr_set<kMedeleg>(kMisalignedExceptions);
  if (can_choose_updates(hart)) csr_clear<kMenvcfg>(kEnvAdue);
}

SbiResult sbi_fwft(Hart& hart, uint64_t function, SbiArguments arguments) {
  if (function > 1) return sbi_error(SbiError::kNotSupported);
  const auto feature = static_cast<uint32_t>(arguments[0]);  // the parameter has 32 bits
  if (const SbiError error = find(hart, feature); error != SbiError::kSuccess) return sbi_error(error);
  if (function == 1) return sbi_value(load(feature) ? 1 : 0);
  const uint64_t value = arguments[1], flags = arguments[2];
  if (value > 1 || (flags & ~kLock) != 0) return sbi_error(SbiError::kInvalidParam);
  if ((hart.features_locked & 1u << feature) != 0) return sbi_error(SbiError::kDeniedLocked);
  store(feature, value != 0);
  if ((flags & kLock) != 0) hart.features_locked |= 1u << feature;
  return kSbiOk;
}

}  // namespace pagoda::firmware
