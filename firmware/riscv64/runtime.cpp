// SPDX-License-Identifier: MIT
// The two functions compilers call on their own account, even in freestanding code.
#include <stddef.h>
#include <stdint.h>

extern "C" {

void* memset(void* destination, int value, size_t size) {
  auto* bytes = static_cast<volatile uint8_t*>(destination);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(value);
  return destination;
}

void* memcpy(void* destination, const void* source, size_t size) {
  auto* to = static_cast<volatile uint8_t*>(destination);
  const auto* from = static_cast<const uint8_t*>(source);
  for (size_t i = 0; i < size; ++i) to[i] = from[i];
  return destination;
}
}
