// SPDX-License-Identifier: MIT
// Our side of the differential fuzzer: one hart on tier 0 with memory where the cases expect it.
#pragma once

#include <memory>

#include "base/types.h"
#include "differential/riscv64_protocol.h"

namespace pagoda::riscv64 {

class Subject {
 public:
  // `fusions`: bits of interp::Fusion. Without any, guest state is not forwarded inside a block either.
  explicit Subject(u32 fusions);
  ~Subject();

  // Executes the one instruction of a case. Outcome::signal says SIGILL where control went on, as the oracle does.
  void run(const Case& from, Outcome& to);

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace pagoda::riscv64
