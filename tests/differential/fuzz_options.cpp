// SPDX-License-Identifier: MIT
// Options from arguments and environment.
#include "differential/fuzz_options.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

namespace pagoda {
namespace {

std::string emulator_of(const Fuzzer& fuzzer) {
  if (const char* path = std::getenv(fuzzer.variable)) return path;
  const char* other = std::getenv("PAGODA_QEMU_USER");
  if (other == nullptr) return {};
  const std::string_view path = other;
  const std::string sibling = std::string(path.substr(0, path.rfind('/') + 1)) + fuzzer.emulator;
  return ::access(sibling.c_str(), X_OK) == 0 ? sibling : std::string();
}

Result<FuzzOptions> parse(const Fuzzer& fuzzer, int argc, char** argv) {
  FuzzOptions options;
  options.emulator = emulator_of(fuzzer);
  options.count = fuzzer.count;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) return fail("{}: needs a value (usage: --qemu PATH [--seed N] [--count N] [--row NAME])", name);
    char* end = argv[i + 1];
    if (name == "--qemu") {
      options.emulator = argv[i + 1];
    } else if (name == "--row") {
      options.row = argv[i + 1];
    } else if (name == "--seed" || name == "--count") {
      (name == "--seed" ? options.seed : options.count) = std::strtoull(argv[i + 1], &end, 0);
      if (*end != 0 || end == argv[i + 1]) return fail("{}: '{}' is not a number", name, argv[i + 1]);
    } else {
      return fail("{}: unknown option (there are --qemu PATH, --seed N, --count N, --row NAME)", name);
    }
  }
  if (options.emulator.empty())
    return fail("--qemu: the path of {} is needed (or {})", fuzzer.emulator, fuzzer.variable);
  return options;
}

}  // namespace

int run_fuzzer(const Fuzzer& fuzzer, int argc, char** argv, Result<int> (*run)(const FuzzOptions&)) {
  if (argc == 1 && emulator_of(fuzzer).empty()) {
    fmt::print("{} is not set (path to {} 10): nothing compared\n", fuzzer.variable, fuzzer.emulator);
    return 77;  // skipped, to meson
  }
  const auto options = parse(fuzzer, argc, argv);
  const Result<int> status = options ? run(*options) : std::unexpected(options.error());
  if (!status) std::fprintf(stderr, "%s: %s\n", fuzzer.name, status.error().message.c_str());
  return status.value_or(1);
}

}  // namespace pagoda
