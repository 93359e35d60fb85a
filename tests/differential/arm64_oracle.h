// SPDX-License-Identifier: MIT
// The ARM64 oracle: an emulator's process that works on one half of shared memory while we work on the other.
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"
#include "differential/arm64_protocol.h"
#include "differential/oracle.h"

namespace pagoda::arm64 {

class ArmOracle {
 public:
  ArmOracle() = default;
  ~ArmOracle();
  ArmOracle(const ArmOracle&) = delete;
  ArmOracle& operator=(const ArmOracle&) = delete;

  Result<> start(const std::string& emulator);
  SharedHalf& half(Word which) { return shared_[which]; }
  // begin() returns while the oracle works; finish() waits for the outcomes. An emulator that ends in between is
  // started anew and gets the batch again, a few times.
  void begin(Word which, Word count);
  Result<> finish();
  u32 restarts() const { return restarts_; }

 private:
  Result<> spawn();
  Oracle oracle_;
  std::string emulator_;
  SharedHalf* shared_ = nullptr;
  int file_ = -1;
  ArmBatch batch_{};
  u32 restarts_ = 0;
};

}  // namespace pagoda::arm64
