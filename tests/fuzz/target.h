// SPDX-License-Identifier: MIT
// What the fuzz targets share: how they are entered, and how they take numbers from their input.
//
// A target is linked either with libFuzzer, which looks for inputs, or with seeded_main.cpp, which draws a number of
// them from a fixed seed.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/types.h"

extern "C" int LLVMFuzzerTestOneInput(const pagoda::u8* data, std::size_t size);

namespace pagoda::test {

// Well-formed inputs that seeded_main.cpp mutates, for targets that refuse most bytes early. None: any bytes will do.
std::vector<std::vector<u8>> fuzz_seeds();

// Numbers from an input, little endian; behind its end everything is 0.
class ByteReader {
 public:
  ByteReader(const u8* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  u64 number(u32 bytes) {
    u64 value = 0;
    const std::size_t taken = std::min<std::size_t>(bytes, left_);
    if (taken != 0) std::memcpy(&value, data_, taken);
    data_ += taken;
    left_ -= taken;
    return value;
  }

 private:
  const u8* data_;
  std::size_t left_;
};

}  // namespace pagoda::test
