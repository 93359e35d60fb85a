// SPDX-License-Identifier: MIT
// Our side of the x86-64 differential tests: one user-mode processor on one tier, without a machine around it.
#pragma once

#include <memory>

#include "differential/x86_64_case.h"
#include "tcg/interp/interp.h"

namespace pagoda::x86_64 {

// How a side executes: on tier 0 or by compiled code (tier 1), made by a lowering with these fusions.
struct Side {
  const char* name;
  u32 fusions;
  bool compiled;
};
constexpr u32 without(interp::Fusion fusion) { return interp::kAllFusions & ~(1u << static_cast<u32>(fusion)); }
// The first four execute single instructions, where flags are never replaced; all of them sequences.
inline constexpr Side kSides[] = {
    {"tier 0 unfused", 0, false},
    {"tier 0 fused", interp::kAllFusions, false},
    {"tier 1 unfused", 0, true},
    {"tier 1 fused", interp::kAllFusions, true},
    {"tier 0 without dead_flags", without(interp::Fusion::dead_flags), false},
    {"tier 1 without dead_flags", without(interp::Fusion::dead_flags), true},
};
inline constexpr u32 kFormSides = 4;

class Subject {
 public:
  explicit Subject(const Side& side);
  ~Subject();
  u8* data();  // kDataBytes that the case sees at kDataAddress

  // Executes the whole case. `to.vector` is Outcome::kRanOn where control went on. Code is made once for cases in a row
  // with the same bytes.
  void run(const Case& from, Outcome& to);
  // Of all executions of blocks, those that were done by host code (tier 1).
  u64 compiled_runs() const;
  u64 runs() const;

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace pagoda::x86_64
