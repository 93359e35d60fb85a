// SPDX-License-Identifier: MIT
// The oracle: one long-lived process of an emulator of user programs, with our harness inside it.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "differential/riscv64_protocol.h"

namespace pagoda {

class Oracle {
 public:
  Oracle() = default;
  ~Oracle();
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  // Starts `emulator -cpu max harness`.
  Result<> start(const std::string& emulator, const std::string& harness);
  // send() returns while the oracle works; receive() waits for as many outcomes.
  Result<> send(std::span<const Case> cases);
  Result<> receive(std::span<Outcome> outcomes);

 private:
  int to_ = -1, from_ = -1, pid_ = -1;
};

}  // namespace pagoda
