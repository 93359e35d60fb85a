// SPDX-License-Identifier: MIT
// Choice of a backend by what it has to be able to do.
#include <gtest/gtest.h>

#include "tcg/tier/backend.h"

namespace pagoda::tier {
namespace {

using Aim = Requirements::Aim;

std::string name_of(const Requirements& needs) {
  const Backend* found = select(needs);
  return found != nullptr ? found->name : "none";
}

TEST(Select, ByAimAndTier) {
  EXPECT_EQ(name_of({.aim = Aim::latency}), "interpreter");
  EXPECT_EQ(name_of({.max_tier = 0}), "interpreter");
  EXPECT_EQ(name_of({.is_built_in = true}), default_backend().name);
  if (is_available(*find_backend("lightweight"))) {
    EXPECT_EQ(name_of({.max_tier = 1, .is_built_in = true}), "lightweight");
    EXPECT_EQ(name_of({.features = kHostCode, .is_built_in = true, .aim = Aim::latency}), "lightweight");
  }
}

TEST(Select, ByFeaturesLevelAndGuest) {
  static constexpr const char* kGuests[] = {"arm64", "x86_64"};
  static const Backend row{.name = "select-test",
                           .tier = 7,
                           .features = kPersistent | kBatch | kFloat,
                           .opt_levels = 3,
                           .guests = kGuests,
                           .fallback = "interpreter",
                           .summary = "for a test",
                           .create = make_interpreter};
  EXPECT_EQ(name_of({.features = kPersistent | kBatch}), "none");
  ASSERT_TRUE(add_backend(row, "a test"));
  EXPECT_EQ(name_of({.features = kPersistent | kBatch}), "select-test");
  EXPECT_EQ(name_of({.features = kPersistent | kSimd | kBatch}), "none");
  EXPECT_EQ(name_of({.features = kPersistent, .is_built_in = true}), "none");
  EXPECT_EQ(name_of({.opt_level = 3, .guest = "riscv64"}), "optimizing");
  EXPECT_EQ(name_of({.opt_level = 4}), "none");
  EXPECT_EQ(name_of({.guest = "x86_64"}), "select-test");
  EXPECT_NE(name_of({.guest = "riscv64"}), "select-test");
  EXPECT_NE(name_of({.guest = "arm64", .max_tier = 6}), "select-test");
  EXPECT_EQ(name_of({.guest = "arm64", .aim = Aim::latency}), "interpreter");
  EXPECT_NE(std::string(default_backend().name), "select-test");
}

}  // namespace
}  // namespace pagoda::tier
