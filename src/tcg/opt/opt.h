// SPDX-License-Identifier: MIT
// Tier 2's host code: from an allocated LirCode to code in code memory.
//
// A region is entered as a unit's tier-1 code is, by light::execute or a jump from another unit: rbp is the frame, the
// budget and the pinned guest registers are in their host registers, all else in the frame. It is left in the same way,
// or by a site: then C++ writes what the site says to the frame. Pages that code keeps (lir.def) stay good over slow
// paths: VcpuFrame::mapping_epoch tells when one of them made them void, and then the region is left. Nothing else can
// change a mapping while a region runs, as its vcpu gets to no safepoint (cpu/rendezvous.h).
//
// Host: x86-64-v3 (AVX2, BMI1, BMI2, FMA, LZCNT, POPCNT).
#pragma once

#include <memory>
#include <string>

#include "tcg/cache/code_memory.h"
#include "tcg/cache/unit.h"
#include "tcg/light/light.h"
#include "tcg/opt/lir.h"

namespace pagoda::opt {

// What the code of all regions shares; one for each code memory. Good while `tier1` is.
class Stubs {
 public:
  explicit Stubs(const light::Stubs& tier1);
  CodeMemory& memory;  // tier 1's, which has room
  const light::Layout& layout;
  const light::Stubs& tier1;
  // Executable addresses; what they take is said where they are written.
  const u8* access[kMemoryModes][2] = {};  // by kind of access: reading, writing
  const u8* leave = nullptr;
  const u8* fp_call = nullptr;
  const u8* helper = nullptr;

  // Constants that code reads, in code memory's data: of 16 bytes, and of 4 or 8.
  struct Wide {
    u64 sign64[2], sign32[2], high_ones[2], low_ones[2];
  };
  struct Narrow {
    u64 nan64, nan32, zero, two63_f64, two63_f32, two32_f64, two32_f32;
  };
  const Wide* wide = nullptr;
  const Narrow* narrow = nullptr;

  static bool can_run_on(const host::Features& features);
};

// The host registers that regions may use.
Registers allocatable_registers();

// One for each compiling thread; it is reused.
class Emitter {
 public:
  explicit Emitter(const Stubs& stubs);
  ~Emitter();
  // Code of a region; it belongs to nobody until it is published. Empty (start is null): no room, or too much code,
  // spilled values or accesses in one instruction.
  LoopCode emit(const LirCode& code, u32 memory_mode);
  // From now on the text of what usually runs goes to `text`; null: no text.
  void set_listing(std::string* text);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
  const Stubs& stubs_;
};

}  // namespace pagoda::opt
