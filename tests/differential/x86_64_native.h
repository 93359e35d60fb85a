// SPDX-License-Identifier: MIT
// The host processor as oracle: runs a case's bytes natively, on a stack and in memory of its own.
//
// Everything goes through signals: one enters the case with all its registers, the exception that ends it (the
// breakpoint behind the code, at the latest) gives them back. One object at a time, one thread; it takes over the
// handlers of the synchronous signals while it lives.
#pragma once

#include <memory>

#include "differential/x86_64_case.h"

namespace pagoda::x86_64 {

class NativeProcessor {
 public:
  // Null if the addresses are taken.
  static std::unique_ptr<NativeProcessor> create();
  ~NativeProcessor();
  u8* data();  // kDataBytes at kDataAddress
  void run(const Case& from, Outcome& to);

 private:
  NativeProcessor() = default;
};

}  // namespace pagoda::x86_64
