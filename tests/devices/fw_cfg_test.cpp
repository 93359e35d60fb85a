// SPDX-License-Identifier: MIT
// fw_cfg: both ways of reading, the directory, requests that make no sense.
#include "devices/firmware/fw_cfg.h"

#include <gtest/gtest.h>

#include <cstring>

#include "devices/device_factories.h"

namespace pagoda::test {
namespace {

constexpr u64 kData = 0, kSelector = 8, kDma = 16;
constexpr u32 kRead = 2, kSkip = 4, kSelect = 8, kWrite = 16;

struct FwCfgTest : testing::Test {
  Bench bench;
  std::unique_ptr<FwCfg> device;

  void SetUp() override {
    FwCfg::Content content;
    content.add_number(FwCfg::kRamSize, 0x1122'3344'5566'7788, 8);
    content.add_text(FwCfg::kCmdlineData, "quiet");
    content.add_file("opt/b", "second");
    content.add_file("opt/a", "first");
    device = std::make_unique<FwCfg>("fw_cfg", bench.memory, std::move(content));
  }
  void select(u16 key) { mmio_write(*device, kSelector, __builtin_bswap16(key), 2); }
  std::string take(std::size_t count) {
    std::string text;
    while (count-- != 0) text += static_cast<char>(mmio_read(*device, kData, 1));
    return text;
  }
  // Runs a DMA request that lies at the start of RAM; returns its control word afterwards.
  u32 dma(u32 control, u32 length, u64 address, bool in_halves = false) {
    std::array<std::byte, 16> raw;
    const u32 words[2] = {__builtin_bswap32(control), __builtin_bswap32(length)};
    const u64 target = __builtin_bswap64(address);
    std::memcpy(raw.data(), words, 8);
    std::memcpy(raw.data() + 8, &target, 8);
    EXPECT_TRUE(bench.memory.write(GuestPhys(Bench::kRamBase), raw));
    if (in_halves) {
      mmio_write(*device, kDma, __builtin_bswap32(Bench::kRamBase >> 32), 4);
      mmio_write(*device, kDma + 4, __builtin_bswap32(static_cast<u32>(Bench::kRamBase)), 4);
    } else {
      mmio_write(*device, kDma, __builtin_bswap64(Bench::kRamBase), 8);
    }
    u32 result = 0;
    EXPECT_TRUE(bench.memory.load<u32>(GuestPhys(Bench::kRamBase), &result));
    return __builtin_bswap32(result);
  }
  std::string ram(u64 offset, std::size_t size) {
    std::string text(size, 0);
    EXPECT_TRUE(bench.memory.read(GuestPhys(Bench::kRamBase + offset), std::as_writable_bytes(std::span(text))));
    return text;
  }
};

TEST_F(FwCfgTest, ItemsAreReadByteByByteAndEndInZeros) {
  EXPECT_EQ(take(6), std::string("QEMU\0\0", 6));
  select(FwCfg::kId);
  EXPECT_EQ(mmio_read(*device, kData, 4), 3u);  // data register and DMA
  select(FwCfg::kRamSize);
  EXPECT_EQ(mmio_read(*device, kData, 2), 0x7788u);
  EXPECT_EQ(device->peek(kData, 4), 0x3344'5566u);
  EXPECT_EQ(mmio_read(*device, kData, 8), 0x1122'3344'5566u);
  EXPECT_EQ(mmio_read(*device, kData, 8), 0u);
  select(0x3fff);
  EXPECT_EQ(take(2), std::string(2, 0));
  EXPECT_EQ(mmio_read(*device, kDma, 8), 0x4746'4320'554d'4551u);  // "QEMU CFG"
}

TEST_F(FwCfgTest, DirectoryNamesTheFilesInOrder) {
  select(FwCfg::kFileDirectory);
  EXPECT_EQ(take(4), std::string("\0\0\0\2", 4));
  EXPECT_EQ(take(8), std::string("\0\0\0\5\0\x20\0\0", 8));
  EXPECT_EQ(take(56), std::string("opt/a") + std::string(51, 0));
  EXPECT_EQ(take(8), std::string("\0\0\0\6\0\x21\0\0", 8));
  EXPECT_EQ(take(56), std::string("opt/b") + std::string(51, 0));
  EXPECT_EQ(take(1), std::string(1, 0));
  select(0x21);
  EXPECT_EQ(take(6), "second");
}

TEST_F(FwCfgTest, DmaReadsSelectsAndSkips) {
  const u64 target = Bench::kRamBase + 0x1003;
  EXPECT_EQ(dma(kSelect | kRead | u32{FwCfg::kCmdlineData} << 16, 8, target), 0u);
  EXPECT_EQ(ram(0x1003, 9), std::string("quiet\0\0\0\0", 9));
  EXPECT_EQ(dma(kSelect | kSkip | u32{FwCfg::kCmdlineData} << 16, 2, 0, true), 0u);
  EXPECT_EQ(dma(kRead, 3, target, true), 0u);
  EXPECT_EQ(ram(0x1003, 3), "iet");
  EXPECT_EQ(dma(kRead, 0, 0), 0u);
}

TEST_F(FwCfgTest, BadRequestsAreRefused) {
  const u64 end = Bench::kRamBase + Bench::kRamSize;
  EXPECT_EQ(dma(kSelect | kRead | u32{FwCfg::kCmdlineData} << 16, 8, end - 4), 1u);
  EXPECT_EQ(dma(kRead, 0xffff'ffff, Bench::kRamBase), 1u);
  EXPECT_EQ(dma(kRead, 8, ~u64{0} - 3), 1u);
  EXPECT_EQ(dma(kSelect | kWrite | 0x20'0000, 4, Bench::kRamBase + 0x100), 1u);
  // Nothing of the file changed, and a request outside of RAM changes nothing at all.
  select(0x20);
  EXPECT_EQ(take(5), "first");
  mmio_write(*device, kDma, __builtin_bswap64(end - 8), 8);
  mmio_write(*device, kDma, ~u64{0}, 8);
}

TEST_F(FwCfgTest, HugeReadsEndInZerosToTheLastByteOfRam) {
  std::vector<std::byte> noise(Bench::kRamSize - 0x1000, std::byte{0xee});
  ASSERT_TRUE(bench.memory.write(GuestPhys(Bench::kRamBase + 0x1000), noise));
  EXPECT_EQ(dma(kSelect | kRead | 0x20'0000, static_cast<u32>(noise.size()), Bench::kRamBase + 0x1000), 0u);
  EXPECT_EQ(ram(0x1000, 6), std::string("first\0", 6));
  EXPECT_EQ(ram(Bench::kRamSize - 5, 5), std::string(5, 0));
}

}  // namespace
}  // namespace pagoda::test
