// SPDX-License-Identifier: MIT
// SBI specification, chapter "Debug Console Extension (EID #0x4442434E "DBCN")".
#include "console.h"
#include "sbi.h"

extern "C" {
int64_t guarded_load_byte(uint64_t address);
int64_t guarded_store_byte(uint64_t address, uint8_t byte);
}

namespace pagoda::firmware {
namespace {

// A buffer that ends in a hole of the address map is used up to there; nothing but a hole is an error.
SbiResult write_buffer(uint64_t size, uint64_t address) {
  ConsoleLock lock;
  uint64_t done = 0;
  for (; done < size; ++done) {
    const int64_t byte = guarded_load_byte(address + done);
    if (byte < 0) break;
    console_put(static_cast<uint8_t>(byte));
  }
  return done == 0 && size != 0 ? sbi_error(SbiError::kInvalidParam) : sbi_value(done);
}

// Takes what is there and does not wait.
SbiResult read_buffer(uint64_t size, uint64_t address) {
  if (size == 0) return kSbiOk;
  // Before a byte is taken from the device: writing back what was read shows whether memory is there.
  const int64_t probe = guarded_load_byte(address);
  if (probe < 0 || guarded_store_byte(address, static_cast<uint8_t>(probe)) < 0) {
    return sbi_error(SbiError::kInvalidParam);
  }
  ConsoleLock lock;
  uint64_t done = 0;
  while (done < size) {
    const int byte = console_get();
    if (byte < 0) break;
    if (guarded_store_byte(address + done, static_cast<uint8_t>(byte)) < 0) break;
    ++done;
  }
  return sbi_value(done);
}

}  // namespace

SbiResult sbi_dbcn(uint64_t function, SbiArguments arguments) {
  if (!console_available()) return sbi_error(SbiError::kNotSupported);
  switch (function) {
    case 0:
    case 1: {
      const uint64_t size = arguments[0];
      const uint64_t address = arguments[1];
      // The upper half of an address only exists for physical addresses wider than a register.
      if (arguments[2] != 0 || !supervisor_range(address, size)) return sbi_error(SbiError::kInvalidParam);
      return function == 0 ? write_buffer(size, address) : read_buffer(size, address);
    }
    case 2: {
      ConsoleLock lock;
      console_put(static_cast<uint8_t>(arguments[0]));
      return kSbiOk;
    }
    default:
      return sbi_error(SbiError::kNotSupported);
  }
}

}  // namespace pagoda::firmware
