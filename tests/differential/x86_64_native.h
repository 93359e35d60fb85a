// SPDX-License-Identifier: MIT
// The host processor as oracle: runs a case's bytes natively, on a stack and in memory of its own.
//
// A case is entered with all its registers; it comes back by a jump behind its code or, after an exception (the
// breakpoints behind the code, at the latest), by a signal. One object at a time, one thread; it takes over the
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
  u32 code_bytes_ = 0;  // of the case that is in the code page
  bool falls_through_ = false;
};

}  // namespace pagoda::x86_64
