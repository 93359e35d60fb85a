// SPDX-License-Identifier: MIT
// Ten thousand damaged images, the same each time; tests/fuzz/qcow2_fuzz.cpp goes on from there.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "disk/qcow2_input.h"

namespace pagoda::test {
namespace {

TEST(Qcow2Smoke, TenThousandDamagedImages) {
  std::mt19937_64 random(2026);
  for (int i = 0; i < 10000; ++i) {
    std::vector<u8> input(random() % 120 + 8);
    for (u8& byte : input) byte = static_cast<u8>(random());
    SCOPED_TRACE(i);
    run_qcow2_input(input);
  }
}

}  // namespace
}  // namespace pagoda::test
