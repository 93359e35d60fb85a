// SPDX-License-Identifier: MIT
// The debug console: a 16550 or HTIF, whichever the device tree names first in this order.
#pragma once

#include <stdint.h>

namespace pagoda::firmware {

void console_init();
bool console_available();

// Waits until the device takes the byte.
void console_put(uint8_t byte);
// -1 if no byte is waiting.
int console_get();

// For the firmware's own messages: adds a carriage return to each line end.
void console_write(const char* text);
void console_write_hex(uint64_t value);

// Keeps the bytes of one call together when several harts write.
class ConsoleLock {
 public:
  ConsoleLock();
  ~ConsoleLock();
  ConsoleLock(const ConsoleLock&) = delete;
  ConsoleLock& operator=(const ConsoleLock&) = delete;
};

}  // namespace pagoda::firmware
