// SPDX-License-Identifier: MIT
// Our side of the ARM64 fuzzer: one vcpu on one tier with memory where the cases expect it.
#pragma once

#include <memory>

#include "base/types.h"
#include "cpu/code_manager.h"
#include "differential/arm64_protocol.h"

namespace pagoda::arm64 {

class Subject {
 public:
  explicit Subject(const CodeOptions& options);
  ~Subject();

  // Executes a case. Outcome::signal says SIGILL where control went on, as the oracle does.
  void run(const Case& from, Outcome& to);
  u64 runs_of_host_code() const;

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace pagoda::arm64
