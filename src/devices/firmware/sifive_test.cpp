// SPDX-License-Identifier: MIT
// SiFive test finisher.
#include "devices/firmware/sifive_test.h"

#include <utility>

#include "base/log.h"

namespace pagoda {
namespace {

constexpr u64 kFail = 0x3333;
constexpr u64 kPass = 0x5555;
constexpr u64 kReset = 0x7777;

}  // namespace

std::vector<Register> SifiveTest::make_rows() {
  return {
#define REG(id, ...) Register{.name = #id, __VA_ARGS__},
#include "devices/firmware/sifive_test.def"
#undef REG
  };
}

SifiveTest::SifiveTest(std::string name, PowerSink power)
    : RegisterDevice(std::move(name), make_rows()), power_(std::move(power)) {}

void SifiveTest::finish(u64 value) {
  const u64 command = value & 0xffff;
  switch (command) {
    case kPass:
      return power_({PowerRequest::Action::power_off, 0});
    case kFail:
      return power_({PowerRequest::Action::power_off, static_cast<u32>(value >> 16)});
    case kReset:
      return power_({PowerRequest::Action::reset, 0});
    default:
      log(Log::guest_error, "{}: unknown command {:#x}", name(), value);
  }
}

}  // namespace pagoda
