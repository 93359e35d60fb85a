// SPDX-License-Identifier: MIT
// Spelling help.
#include "base/suggest.h"

#include <gtest/gtest.h>

#include <array>

namespace pagoda {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"machine", "kernel", "m", "smp"};

TEST(Suggest, NearestName) {
  EXPECT_EQ(nearest_name("mahcine", kNames), "machine");
  EXPECT_EQ(nearest_name("KERNAL", kNames), "kernel");
  EXPECT_EQ(nearest_name("spm", kNames), "smp");
  EXPECT_EQ(nearest_name("kern", kNames), "");  // two of four letters
  EXPECT_EQ(nearest_name("x", kNames), "");     // a single letter resembles everything
  EXPECT_EQ(nearest_name("", kNames), "");
  EXPECT_EQ(nearest_name(std::string(100'000, 'm'), kNames), "");
}

TEST(Suggest, Text) {
  EXPECT_EQ(suggestion("kernle", kNames, "-"), "; did you mean '-kernel'?");
  EXPECT_EQ(suggestion("zzzzz", kNames), "");
}

}  // namespace
}  // namespace pagoda
