// SPDX-License-Identifier: MIT
// Where the oracle is known to be wrong or mute: exceptions.txt, a row, what differs, and the manual's section for
// each.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace pagoda {

// In what two outcomes differ, as bits.
enum Difference : u32 {
  kDiffersInPc = 1,
  kDiffersInX = 2,
  kDiffersInF = 4,
  kDiffersInFlags = 8,
  kDiffersInMemory = 16,
};

class Exceptions {
 public:
  // Lines "row what section reason", what one of pc x f fcsr memory, or all: not compared; # begins a comment.
  Result<> read(const std::string& path);
  // The reason why a row is not compared at all, or null.
  const std::string* no_oracle(std::string_view row) const;
  // Whether everything that differs is listed for this row.
  bool covers(std::string_view row, u32 kinds) const;

 private:
  struct Entry {
    std::string row;
    u32 kinds;  // 0: all
    std::string reason;
  };
  std::vector<Entry> entries_;
};

}  // namespace pagoda
