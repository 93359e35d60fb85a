// SPDX-License-Identifier: MIT
// Text of what tier 1 makes of a block, for golden files: the same on every host, as features are given, not detected.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "tcg/abi/helper_table.h"
#include "tcg/ir/block.h"
#include "tcg/light/light.h"

namespace pagoda::golden {

struct Tables {
  ir::SlotTable slots;
  HelperTable helpers;
  std::span<const u16> pinned;
  u32 cpu_bytes;  // of the guest's CPU, behind which the TLB lies
};

class HostCode {
 public:
  // Not available() where the host gives no executable memory.
  HostCode(const Tables& tables, const host::Features& features);
  bool available() const { return memory_ != nullptr; }
  // The way that usually runs, a line each instruction, and their number. Guest registers that have no host register
  // are shown by name in place of their offset in the frame; block entry (poll and budget) is the same everywhere and
  // left out.
  std::string text(const ir::Block& block, u32* count);

 private:
  std::string with_names(const std::string& line) const;

  Tables tables_;
  std::unique_ptr<CodeMemory> memory_;
  std::unique_ptr<light::Stubs> stubs_;
  std::unique_ptr<light::Compiler> compiler_;
  interp::Lowering lowering_;
};

// Instructions in memory order.
std::vector<u8> bytes_of(std::string_view hex);

}  // namespace pagoda::golden
