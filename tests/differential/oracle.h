// SPDX-License-Identifier: MIT
// The oracle: one long-lived process of an emulator of user programs, with our harness inside it.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "differential/protocol.h"

namespace pagoda {

class Oracle {
 public:
  Oracle() = default;
  ~Oracle();
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  // Starts `emulator -cpu model harness`; instead of one that was started before, if there is one. `shared` is a file
  // that the harness has as descriptor 3, or -1. It is the caller's.
  Result<> start(const std::string& emulator, const std::string& model, const std::string& harness, int shared = -1);
  // send() returns while the oracle works; receive() waits for as many outcomes. Both are of the guest's types.
  template <class Case>
  Result<> send(const std::vector<Case>& cases) {
    return send_bytes(static_cast<Word>(cases.size()), std::as_bytes(std::span(cases)));
  }
  template <class Outcome>
  Result<> receive(std::vector<Outcome>& outcomes) {
    return receive_bytes(std::as_writable_bytes(std::span(outcomes)));
  }

  // For harnesses whose cases lie in shared memory: what is said about them.
  template <class T>
  Result<> tell(const T& what) {
    return put_bytes(std::as_bytes(std::span(&what, 1)));
  }
  template <class T>
  Result<> hear(T& what) {
    return receive_bytes(std::as_writable_bytes(std::span(&what, 1)));
  }

 private:
  void stop();
  Result<> put_bytes(std::span<const std::byte> bytes);
  Result<> send_bytes(Word count, std::span<const std::byte> cases);
  Result<> receive_bytes(std::span<std::byte> outcomes);
  int to_ = -1, from_ = -1, pid_ = -1;
};

}  // namespace pagoda
