// SPDX-License-Identifier: MIT
// Guest RAM, the physical map and the write door.
#include "memory/guest_memory.h"

#include <gtest/gtest.h>
#include <array>

namespace pagoda {
namespace {

struct RecordingObserver final : CodeWriteObserver {
  std::vector<std::pair<u64, u64>> writes;
  void code_written(GuestPhys address, u64 size) override { writes.emplace_back(address.value, size); }
};

struct NullDevice final : MmioHandler {
  u64 read(u64, const Access&) override { return 0; }
  void write(u64, u64, const Access&) override {}
  u64 peek(u64, u32) const override { return 0; }
};

TEST(GuestMemory, BulkCopiesRoundTripAtOddOffsets) {
  GuestMemory memory;
  ASSERT_TRUE(memory.add_ram(GuestPhys(0x80000000), 0x4000, "ram"));
  std::array<std::byte, 37> in{};
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<std::byte>(i + 1);
  ASSERT_TRUE(memory.write(GuestPhys(0x80000ffb), in));
  std::array<std::byte, 37> out{};
  ASSERT_TRUE(memory.read(GuestPhys(0x80000ffb), out));
  EXPECT_EQ(in, out);
}

TEST(GuestMemory, RefusesWhatIsNotWhollyRam) {
  GuestMemory memory;
  NullDevice device;
  ASSERT_TRUE(memory.add_ram(GuestPhys(0x1000), 0x1000, "ram"));
  memory.map_mmio(GuestPhys(0x2000), 0x100, &device, "dev");
  std::array<std::byte, 16> bytes{};
  EXPECT_FALSE(memory.write(GuestPhys(0x1ff8), bytes));
  EXPECT_FALSE(memory.read(GuestPhys(0x0ff8), bytes));
  EXPECT_FALSE(memory.write(GuestPhys(0xfffffffffffffff8), bytes));
  EXPECT_EQ(memory.find(GuestPhys(0x2000))->mmio, &device);
  EXPECT_EQ(memory.find(GuestPhys(0x2100)), nullptr);
}

TEST(GuestMemory, EveryWriteTellsTheCodeObserverOfMarkedPagesOnly) {
  GuestMemory memory;
  RecordingObserver observer;
  memory.set_code_observer(&observer);
  ASSERT_TRUE(memory.add_ram(GuestPhys(0), 0x3000, "ram"));
  memory.marks_of(GuestPhys(0x1000))->fetch_or(GuestMemory::kHasCode);
  std::array<std::byte, 32> bytes{};
  ASSERT_TRUE(memory.write(GuestPhys(0xff0), bytes));
  ASSERT_TRUE(memory.store<u32>(GuestPhys(0x1800), 7));
  bool swapped = false;
  ASSERT_TRUE(memory.compare_exchange<u64>(GuestPhys(0x1900), 0, 1, &swapped));
  EXPECT_TRUE(swapped);
  ASSERT_TRUE(memory.store<u32>(GuestPhys(0x2800), 7));
  ASSERT_TRUE(memory.fill(GuestPhys(0x1ffc), 8, 1));
  const std::vector<std::pair<u64, u64>> expected = {{0x1000, 16}, {0x1800, 4}, {0x1900, 8}, {0x1ffc, 4}};
  EXPECT_EQ(observer.writes, expected);
}

TEST(GuestMemory, RomIgnoresWrites) {
  GuestMemory memory;
  const std::array<std::byte, 4> content = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  ASSERT_TRUE(memory.add_rom(GuestPhys(0x1000), content, 0x1000, "rom"));
  EXPECT_TRUE(memory.store<u32>(GuestPhys(0x1000), 0));
  u32 value = 0;
  ASSERT_TRUE(memory.load<u32>(GuestPhys(0x1000), &value));
  EXPECT_EQ(value, 0x04030201u);
}

}  // namespace
}  // namespace pagoda
