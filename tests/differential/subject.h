// SPDX-License-Identifier: MIT
// Our side of the differential fuzzer: one hart on one tier with memory where the cases expect it.
#pragma once

#include <memory>

#include "base/types.h"
#include "cpu/code_manager.h"
#include "differential/riscv64_protocol.h"

namespace pagoda::riscv64 {

class Subject {
 public:
  explicit Subject(const CodeOptions& options);
  ~Subject();

  // Executes the one instruction of a case. Outcome::signal says SIGILL where control went on, as the oracle does.
  void run(const Case& from, Outcome& to);
  u64 runs_of_host_code() const;

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace pagoda::riscv64
