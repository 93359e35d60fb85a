// SPDX-License-Identifier: MIT
// Unit memory: blocks do not overlap, chunks are used again.
#include "tcg/interp/unit_memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "base/types.h"

namespace pagoda {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

TEST(UnitMemory, BlocksKeepWhatIsInThem) {
  struct Block {
    u8* memory;
    std::size_t bytes;
    u8 fill;
  };
  std::vector<Block> blocks;
  std::mt19937 random(1);
  const auto check_and_free = [&](std::size_t index) {
    const Block block = blocks[index];
    for (std::size_t i = 0; i < block.bytes; ++i) ASSERT_EQ(block.memory[i], block.fill);
    free_unit_memory(block.memory);
    blocks[index] = blocks.back();
    blocks.pop_back();
  };
  for (u32 round = 0; round < 20000; ++round) {
    const std::size_t bytes = 1 + random() % (round % 100 == 0 ? 100000 : 3000);
    auto* memory = static_cast<u8*>(allocate_unit(bytes));
    ASSERT_EQ(reinterpret_cast<u64>(memory) % 16, 0u);
    const u8 fill = static_cast<u8>(random());
    std::memset(memory, fill, bytes);
    blocks.push_back({memory, bytes, fill});
    if (blocks.size() > 1000) check_and_free(random() % blocks.size());
  }
  while (!blocks.empty()) check_and_free(blocks.size() - 1);
}

TEST(UnitMemory, ChunksAreUsedAgain) {
  const auto fill = [](std::size_t total) {
    std::vector<void*> blocks;
    for (std::size_t done = 0; done < total; done += 4096) blocks.push_back(allocate_unit(4096));
    const std::size_t held = unit_memory_bytes();
    for (void* block : blocks) free_unit_memory(block);
    return held;
  };
  const std::size_t before = unit_memory_bytes();
  const std::size_t held = fill(16 * kMiB);
  if (held == 0) GTEST_SKIP() << "this build takes units from malloc";
  EXPECT_GE(held, 16 * kMiB);
  for (u32 round = 0; round < 10; ++round) EXPECT_LE(fill(16 * kMiB), held + 2 * kMiB);
  EXPECT_LE(unit_memory_bytes(), before + 2 * kMiB);
}

}  // namespace
}  // namespace pagoda
