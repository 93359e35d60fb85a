// SPDX-License-Identifier: MIT
// Console drivers: 16550 by polling, and the host-target interface of Spike.
#include "console.h"

#include "csr.h"
#include "platform.h"

namespace pagoda::firmware {
namespace {

// 16550 registers and bits (National Semiconductor PC16550D data sheet, chapter 8).
constexpr uint32_t kData = 0;
constexpr uint32_t kInterruptEnable = 1;
constexpr uint32_t kFifoControl = 2;
constexpr uint32_t kLineControl = 3;
constexpr uint32_t kLineStatus = 5;
constexpr uint32_t kFifoEnable = 1;
constexpr uint32_t kEightBits = 3;
constexpr uint32_t kDataReady = 1u << 0;
constexpr uint32_t kHoldingEmpty = 1u << 5;

// HTIF packets: device in bits 63:56, command in bits 55:48, payload below.
constexpr uint64_t kHtifConsoleRead = 1ull << 56;
constexpr uint64_t kHtifConsoleWrite = 1ull << 56 | 1ull << 48;
constexpr uint64_t kHtifCommandShift = 48;

uint32_t lock_word;
bool htif_read_posted;
int htif_received = -1;

uint64_t uart_register(uint32_t index) { return platform.uart.base + (uint64_t{index} << platform.uart.shift); }

uint32_t uart_read(uint32_t index) {
  if (platform.uart.width == 4) return *reinterpret_cast<volatile uint32_t*>(uart_register(index));
  return *reinterpret_cast<volatile uint8_t*>(uart_register(index));
}

void uart_write(uint32_t index, uint32_t value) {
  if (platform.uart.width == 4) {
    *reinterpret_cast<volatile uint32_t*>(uart_register(index)) = value;
  } else {
    *reinterpret_cast<volatile uint8_t*>(uart_register(index)) = static_cast<uint8_t>(value);
  }
}

volatile uint64_t& fromhost() { return *reinterpret_cast<volatile uint64_t*>(platform.htif_fromhost); }
volatile uint64_t& tohost() { return *reinterpret_cast<volatile uint64_t*>(platform.htif_tohost); }

// An answer must be taken before the host sends the next one. Answers to writes carry nothing.
void htif_take_answer() {
  const uint64_t answer = fromhost();
  if (answer == 0) return;
  fromhost() = 0;
  if (answer >> kHtifCommandShift == kHtifConsoleRead >> kHtifCommandShift) {
    htif_received = static_cast<int>(answer & 0xff);
    htif_read_posted = false;
  }
}

void htif_send(uint64_t packet) {
  while (tohost() != 0) htif_take_answer();
  tohost() = packet;
}

int htif_get() {
  htif_take_answer();
  // The host answers a read whenever a key comes, so one request stays posted.
  if (!htif_read_posted && htif_received < 0) {
    htif_read_posted = true;
    htif_send(kHtifConsoleRead);
    htif_take_answer();
  }
  const int byte = htif_received;
  htif_received = -1;
  return byte;
}

}  // namespace

void console_init() {
  if (platform.uart.base == 0) return;
  uart_write(kInterruptEnable, 0);
  uart_write(kLineControl, kEightBits);
  uart_write(kFifoControl, kFifoEnable);
}

bool console_available() { return platform.uart.base != 0 || platform.htif_tohost != 0; }

void console_put(uint8_t byte) {
  if (platform.uart.base != 0) {
    while ((uart_read(kLineStatus) & kHoldingEmpty) == 0) pause();
    uart_write(kData, byte);
  } else if (platform.htif_tohost != 0) {
    htif_send(kHtifConsoleWrite | byte);
  }
}

int console_get() {
  if (platform.uart.base != 0) {
    return (uart_read(kLineStatus) & kDataReady) != 0 ? static_cast<int>(uart_read(kData) & 0xff) : -1;
  }
  return platform.htif_tohost != 0 ? htif_get() : -1;
}

void console_write(const char* text) {
  for (; *text != 0; ++text) {
    if (*text == '\n') console_put('\r');
    console_put(static_cast<uint8_t>(*text));
  }
}

void console_write_hex(uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) {
    const auto digit = static_cast<uint8_t>(value >> shift & 15);
    console_put(static_cast<uint8_t>(digit < 10 ? '0' + digit : 'a' + digit - 10));
  }
}

ConsoleLock::ConsoleLock() {
  while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) != 0) pause();
}

ConsoleLock::~ConsoleLock() { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }

}  // namespace pagoda::firmware
