// SPDX-License-Identifier: MIT
// CHECK: our own invariants. A failure is a bug of the emulator: it prints where and what, then the registered dumps
// (IR, host code, guest pc), and aborts. Never put anything a guest or a user can cause behind a CHECK.
#pragma once

#include <string>

#include <fmt/format.h>

namespace pagoda {

// Adds what this thread is working on to the report of a failed CHECK. The function must not allocate locks that the
// failing code may hold. Returns the previous one so that a scope can restore it. Per thread.
using CheckDump = void (*)(void* context);
struct CheckDumpHook {
  CheckDump dump = nullptr;
  void* context = nullptr;
};
CheckDumpHook set_check_dump(CheckDumpHook hook);

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);

}  // namespace pagoda

#define CHECK(condition, ...)                                                                \
  do {                                                                                       \
    if (!(condition)) [[unlikely]]                                                           \
      ::pagoda::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)

// DCHECK: as CHECK, but only in debug builds; for conditions on hot paths.
#ifdef NDEBUG
#define DCHECK(condition, ...) \
  do {                         \
  } while (false)
#else
#define DCHECK(condition, ...) CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
