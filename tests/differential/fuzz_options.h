// SPDX-License-Identifier: MIT
// Command line of the differential fuzzers: --qemu PATH [--seed N] [--count N] [--row NAME].
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

struct FuzzOptions {
  std::string emulator;
  std::string row;  // empty: all
  u64 seed = 1;
  u64 count = 0;  // comparisons wanted of each row
};

struct Fuzzer {
  const char* name;
  const char* variable;  // of the environment: path of the emulator; a sibling of PAGODA_QEMU_USER serves as well
  const char* emulator;  // its file name
  u64 count;             // unless said otherwise
};

// What main() does: options, the run, its status. Without an emulator a line says so and the status is 77, "skipped".
int run_fuzzer(const Fuzzer& fuzzer, int argc, char** argv, Result<int> (*run)(const FuzzOptions&));

}  // namespace pagoda
