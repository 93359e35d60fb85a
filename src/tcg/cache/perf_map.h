// SPDX-License-Identifier: MIT
// PerfMap: names generated code for `perf`: lines "address size name" in /tmp/perf-PID.map (Linux tools/perf,
// Documentation/jit-interface.txt). Any thread.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

class PerfMap {
 public:
  static Result<std::unique_ptr<PerfMap>> create();
  ~PerfMap();
  PerfMap(const PerfMap&) = delete;
  PerfMap& operator=(const PerfMap&) = delete;
  // Code memory is used again: a later line for the same address is the valid one.
  void add(const u8* start, u64 bytes, std::string_view name);

 private:
  explicit PerfMap(std::FILE* file) : file_(file) {}
  std::mutex mutex_;
  std::FILE* file_;
};

}  // namespace pagoda
