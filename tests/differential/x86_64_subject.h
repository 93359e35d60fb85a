// SPDX-License-Identifier: MIT
// Our side of the x86-64 differential tests: one user-mode processor on one tier, without a machine around it.
#pragma once

#include <memory>

#include "differential/x86_64_case.h"

namespace pagoda::x86_64 {

enum class Tier : u8 { reference, fused, compiled };  // tier 0 without and with fusion, tier 1
inline constexpr const char* kTierNames[] = {"tier 0 unfused", "tier 0 fused", "tier 1"};

class Subject {
 public:
  explicit Subject(Tier tier);
  ~Subject();
  u8* data();  // kDataBytes that the case sees at kDataAddress

  // Executes the whole case. `to.vector` is Outcome::kRanOn where control went on.
  void run(const Case& from, Outcome& to);
  // Of all executions, those that were done by host code (tier 1).
  u64 compiled_runs() const;
  u64 runs() const;

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace pagoda::x86_64
