// SPDX-License-Identifier: MIT
// A guest that uses each semihosting call and prints what came of it; tests/unit/options_test.py reads that.
#include "guest.h"

extern "C" {

u64 semihosting(u64 operation, const void* parameter);
asm(R"(
  .text
  .balign 16
  .option push
  .option norvc
semihosting:
  slli zero, zero, 31
  ebreak
  srai zero, zero, 7
  .option pop
  ret
)");

static u64 length_of(const char* text) {
  u64 length = 0;
  while (text[length] != 0) ++length;
  return length;
}
static void print(const char* text) { semihosting(0x04, text); }
static void print_number(const char* what, u64 value) {
  char text[24];
  char* at = text + sizeof(text);
  *--at = 0;
  *--at = '\n';
  bool negative = static_cast<long>(value) < 0;
  if (negative) value = -value;
  do *--at = static_cast<char>('0' + value % 10);
  while ((value /= 10) != 0);
  if (negative) *--at = '-';
  print(what);
  print(" ");
  print(at);
}
static u64 open(const char* name, u64 mode) {
  const u64 block[3] = {reinterpret_cast<u64>(name), mode, length_of(name)};
  return semihosting(0x01, block);
}
static u64 transfer(u64 operation, u64 handle, const void* bytes, u64 size) {
  const u64 block[3] = {handle, reinterpret_cast<u64>(bytes), size};
  return semihosting(operation, block);
}
static u64 with_handle(u64 operation, u64 handle) { return semihosting(operation, &handle); }

static char buffer[256];

void trap(u64 cause, u64 pc, u64) {
  print_number("trap", cause);
  asm volatile("csrw mepc, %0" ::"r"(pc + 4));
}

void hart_main(u32) {
  constexpr u64 kRead = 0, kWrite = 4;
  print("hello\n");
  const char letter = '!';
  semihosting(0x03, &letter);
  print("\n");
  const u64 console = open(":tt", kWrite);
  print_number("is tty", with_handle(0x09, console));
  print_number("left", transfer(0x05, console, "to the console\n", 15));

  const u64 line[2] = {reinterpret_cast<u64>(buffer), sizeof(buffer)};
  print_number("command line", semihosting(0x15, line));
  print(buffer);
  print_number("\nits length", line[1]);

  const u64 input = open("input.txt", kRead);
  print_number("length", with_handle(0x0c, input));
  print_number("left", transfer(0x06, input, buffer, 10));
  const u64 position[2] = {input, 6};
  print_number("seek", semihosting(0x0a, position));
  print_number("left", transfer(0x06, input, buffer + 10, 100));
  buffer[15] = 0;
  print(buffer);
  print("\n");
  print_number("is tty", with_handle(0x09, input));
  print_number("close", with_handle(0x02, input));
  print_number("close again", with_handle(0x02, input));

  const u64 output = open("output.txt", kWrite);
  print_number("left", transfer(0x05, output, "from the guest", 14));
  with_handle(0x02, output);

  const char* const names[] = {"../secret", "/etc/passwd", "link", "folder/../../secret", "pipe", "missing"};
  for (const char* name : names) print_number(name, open(name, kRead));
  print_number("errno", semihosting(0x13, nullptr));
  print_number("bad pointer", semihosting(0x01, reinterpret_cast<const void*>(8)));
  print_number("bad handle", transfer(0x06, 99, buffer, 1));
  print_number("unknown", semihosting(0x77, nullptr));

  u64 heap[4] = {};
  const u64 heap_block = reinterpret_cast<u64>(heap);
  semihosting(0x16, &heap_block);
  print_number("heap", heap[1] - heap[0]);
  print_number("time", semihosting(0x11, nullptr));
  print_number("ticks", semihosting(0x31, nullptr));
  print_number("clock is small", semihosting(0x10, nullptr) < 100000);

  // A breakpoint without its neighbours is the guest's own.
  asm volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory");
  const u64 end[2] = {0x20026, 42};
  semihosting(0x20, end);
  print("not reached\n");
}

}  // extern "C"
