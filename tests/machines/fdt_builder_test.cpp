// SPDX-License-Identifier: MIT
// Device trees: what is built can be read back; what is no tree is refused; edits of foreign trees.
#include "machines/fdt/fdt_builder.h"

#include <gtest/gtest.h>
#include <libfdt.h>
#include <random>

namespace pagoda {
namespace {

std::vector<std::byte> finished(FdtBuilder& tree) {
  auto bytes = tree.finish();
  EXPECT_TRUE(bytes.has_value());
  EXPECT_EQ(fdt_check_full(bytes->data(), bytes->size()), 0);
  return std::move(*bytes);
}

std::string text_of(const std::vector<std::byte>& blob, const char* path, const char* name) {
  int size = 0;
  const void* value = fdt_getprop(blob.data(), fdt_path_offset(blob.data(), path), name, &size);
  return value == nullptr ? "(none)" : std::string(static_cast<const char*>(value), static_cast<std::size_t>(size));
}

TEST(FdtBuilder, ReadsBack) {
  FdtBuilder tree;
  tree.set_cells("/soc/dev@10", "cells", {0x01020304, 5});
  tree.set_u64("/soc/dev@10", "wide", 0x1122334455667788);
  tree.set_reg("/soc/dev@10", 0x10, 0x100000000);
  tree.set_string("/chosen", "bootargs", "console=ttyS0");
  tree.set_strings("/soc", "compatible", {"a", "bc"});
  tree.set_flag("/soc", "ranges");
  const auto blob = finished(tree);
  EXPECT_EQ(text_of(blob, "/soc/dev@10", "cells"), std::string("\1\2\3\4\0\0\0\5", 8));
  EXPECT_EQ(text_of(blob, "/soc/dev@10", "wide"), "\x11\x22\x33\x44\x55\x66\x77\x88");
  EXPECT_EQ(text_of(blob, "/soc/dev@10", "reg"), std::string("\0\0\0\0\0\0\0\x10\0\0\0\1\0\0\0\0", 16));
  EXPECT_EQ(text_of(blob, "/chosen", "bootargs"), std::string("console=ttyS0\0", 14));
  EXPECT_EQ(text_of(blob, "/soc", "compatible"), std::string("a\0bc\0", 5));
  EXPECT_EQ(text_of(blob, "/soc", "ranges"), "");
  EXPECT_TRUE(tree.has_node("/soc/dev@10"));
  EXPECT_FALSE(tree.has_node("/soc/dev@11"));
  EXPECT_EQ(tree.cell("/soc/dev@10", "cells", 9), 0x01020304u);
  EXPECT_EQ(tree.cell("/soc/dev@10", "none", 9), 9u);
}

TEST(FdtBuilder, NewNodesComeFirst) {
  FdtBuilder tree;
  tree.add_node("/a");
  tree.add_node("/b");
  const auto blob = finished(tree);
  EXPECT_STREQ(fdt_get_name(blob.data(), fdt_first_subnode(blob.data(), 0), nullptr), "b");
}

TEST(FdtBuilder, GrowsAndGoesOnAfterFinish) {
  FdtBuilder tree;
  const std::string big(5000, 'x');
  for (int i = 0; i < 20; ++i) tree.set_string("/n" + std::to_string(i), "text", big);
  finished(tree);
  tree.set_string("/n3", "text", "short");
  const auto blob = finished(tree);
  EXPECT_EQ(text_of(blob, "/n3", "text"), std::string("short\0", 6));
  EXPECT_EQ(text_of(blob, "/n19", "text").size(), big.size() + 1);
}

TEST(FdtBuilder, PhandlesOfForeignTreesAreNotReused) {
  FdtBuilder first;
  first.set_cells("/x", "phandle", {41});
  const auto blob = finished(first);
  auto second = FdtBuilder::from_bytes(blob);
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->new_phandle(), 42u);
  EXPECT_EQ(second->new_phandle(), 43u);
}

TEST(FdtBuilder, RefusesWhatIsNoTree) {
  FdtBuilder tree;
  tree.set_string("/chosen", "bootargs", "text");
  const auto good = finished(tree);
  EXPECT_FALSE(FdtBuilder::from_bytes({}).has_value());
  auto bytes = good;
  bytes[0] = std::byte{0};
  EXPECT_EQ(FdtBuilder::from_bytes(bytes).error().message, "it does not begin with a device tree's magic number");
  bytes = good;
  bytes.pop_back();
  EXPECT_EQ(FdtBuilder::from_bytes(bytes).error().message, "it is truncated");
  // Longer files are fine: the header says how much of them is the tree.
  bytes = good;
  bytes.resize(bytes.size() + 100);
  EXPECT_TRUE(FdtBuilder::from_bytes(bytes).has_value());
}

// A property of length -12 is followed by itself.
TEST(FdtBuilder, RefusesEndlessTrees) {
  FdtBuilder tree;
  tree.set_flag("/", "x");
  auto bytes = finished(tree);
  // Root: tag and empty name (8 bytes), then tag and length of the property.
  const auto length = static_cast<std::size_t>(fdt_off_dt_struct(bytes.data())) + 12;
  for (std::size_t i = 0; i < 4; ++i) bytes[length + i] = std::byte{i == 3 ? u8{0xf4} : u8{0xff}};
  // Later versions of libfdt notice it themselves, and say so in their own words.
  const auto tree_of_bytes = FdtBuilder::from_bytes(bytes);
  ASSERT_FALSE(tree_of_bytes.has_value());
  EXPECT_TRUE(tree_of_bytes.error().message.starts_with("it is not a valid device tree ("))
      << tree_of_bytes.error().message;
}

// Whatever the bytes: an error or a tree that can be edited.
TEST(FdtBuilder, SurvivesDamage) {
  FdtBuilder tree;
  tree.set_string("/chosen", "bootargs", "text");
  tree.set_cells("/soc/dev@10", "reg", {0, 16, 0, 16});
  tree.reserve(0x1000, 0x1000);
  const auto good = finished(tree);
  std::mt19937 random(1);
  u32 accepted = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = good;
    for (u32 i = 0; i < 1 + random() % 4; ++i) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    auto changed = FdtBuilder::from_bytes(bytes);
    if (!changed) {
      ++refused;
      continue;
    }
    ++accepted;
    changed->set_string("/chosen", "bootargs", std::string(round % 100, 'y'));
    changed->set_reg("/reserved-memory/a@1", 1, 2);
    (void)changed->finish();
  }
  EXPECT_GT(accepted, 100u);
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace pagoda
