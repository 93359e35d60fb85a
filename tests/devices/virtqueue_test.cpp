// SPDX-License-Identifier: MIT
// Split queues: indirect descriptors, event index, and drivers that are broken or hostile.
#include <gtest/gtest.h>

#include "devices/virtio/rng.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

constexpr u64 kMmioWindow = 0x1000'0000;
constexpr u64 kRamEnd = Bench::kRamBase + Bench::kRamSize;

class VirtqueueTest : public testing::Test {
 protected:
  VirtqueueTest() { bench.memory.map_mmio(GuestPhys(kMmioWindow), VirtioMmio::kWindowSize, &slot, "virtio0"); }

  // One buffer goes through.
  bool works() {
    const u64 room = driver.allocate(16);
    driver.add(0, {{room, 16, true}});
    driver.kick(0);
    return driver.take(0).has_value() && driver.get(room, 1) == "\x5a";
  }
  // The device gave up the way it must, and a reset makes it whole again.
  void expect_broken(const char* what) {
    EXPECT_TRUE(driver.needs_reset()) << what;
    EXPECT_EQ(driver.read(vreg::kIrqStatus) & 2, 2u) << what << ": no configuration interrupt";
    EXPECT_TRUE(bench.irqs.level(1)) << what;
    driver.kick(0);
    EXPECT_TRUE(driver.needs_reset()) << what;
    driver.bring_up(kVersion1 | kIndirect | kEventIdx);
    EXPECT_TRUE(works()) << what;
  }

  Bench bench;
  u64 bytes_asked = 0;
  VirtioMmio slot{"virtio0",
                  std::make_unique<VirtioRng>(bench.memory, "rng0",
                                              [this](std::span<std::byte> out) {
                                                bytes_asked += out.size();
                                                std::fill(out.begin(), out.end(), std::byte{0x5a});
                                              }),
                  bench.irqs.line(1)};
  VirtioDriver driver{slot, bench.memory};
};

TEST_F(VirtqueueTest, ChainsOfSeveralBuffersAreFilledInOrder) {
  driver.bring_up(kVersion1);
  const u64 a = driver.allocate(64);
  const u64 b = driver.allocate(64);
  driver.add(0, {{a, 3, true}, {b + 1, 5, true}});
  driver.kick(0);
  EXPECT_EQ(driver.take(0)->length, 8u);
  EXPECT_EQ(driver.get(a, 4), std::string("\x5a\x5a\x5a\0", 4));
  EXPECT_EQ(driver.get(b, 7), std::string("\0\x5a\x5a\x5a\x5a\x5a\0", 7));
}

TEST_F(VirtqueueTest, IndicesWrapAroundTheRingAndSixteenBits) {
  driver.bring_up(kVersion1, 1, 4);
  const u64 room = driver.allocate(16);
  for (u32 i = 0; i < 70'000; ++i) {
    driver.add(0, {{room, 1, true}});
    if (i % 3 != 0) continue;
    driver.kick(0);
    while (driver.take(0)) {
    }
  }
  EXPECT_FALSE(driver.needs_reset());
  EXPECT_EQ(bytes_asked, 70'000u);
}

TEST_F(VirtqueueTest, IndirectTables) {
  driver.bring_up(kVersion1 | kIndirect, 1, 2);
  std::vector<Piece> pieces;
  for (int i = 0; i < 20; ++i) pieces.push_back({driver.allocate(8), 8, true});
  driver.add(0, pieces, true);
  driver.kick(0);
  EXPECT_EQ(driver.take(0)->length, 160u) << "longer than the queue, as Linux makes them";
  // A direct descriptor may come first.
  const u64 direct = driver.allocate(8);
  const u64 table = driver.allocate(16);
  driver.write_descriptor(driver.queue(0).descriptors, 0, direct, 8, kDescNext | kDescWrite, 1);
  driver.write_descriptor(driver.queue(0).descriptors, 1, table, 16, kDescIndirect, 0);
  driver.write_descriptor(table, 0, driver.allocate(8), 8, kDescWrite, 0);
  driver.queue(0).used_by[0] = {0, 1};
  driver.offer(0, 0);
  driver.kick(0);
  EXPECT_EQ(driver.take(0)->length, 16u);
  EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtqueueTest, TheDriverCanAskForNoInterrupts) {
  driver.bring_up(kVersion1);
  driver.store<u16>(driver.queue(0).driver, 1);
  EXPECT_TRUE(works());
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 0u);
  driver.store<u16>(driver.queue(0).driver, 0);
  EXPECT_TRUE(works());
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 1u);
}

TEST_F(VirtqueueTest, EventIndexSaysWhenToInterrupt) {
  driver.bring_up(kVersion1 | kEventIdx, 1, 8);
  const u64 used_event = driver.queue(0).driver + 4 + 2 * 8;
  const u64 avail_event = driver.queue(0).device + 4 + 8 * 8;
  driver.store<u16>(driver.queue(0).driver, 1);  // the flag means nothing now
  driver.store<u16>(used_event, 2);
  const std::vector<u32> expected = {1, 0, 1, 0, 0};  // the first is always told
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(works());
    EXPECT_EQ(driver.read(vreg::kIrqStatus), expected[i]) << i;
    EXPECT_EQ(driver.load<u16>(avail_event), i + 1) << "tell me of the next";
    driver.write(vreg::kIrqAck, 1);
  }
  driver.store<u16>(used_event, 6);
  for (int i = 0; i < 3; ++i) driver.add(0, {{driver.allocate(8), 8, true}});
  driver.kick(0);  // used index 5 -> 8 passes 6
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 1u);
}

TEST_F(VirtqueueTest, NotificationsAreSuppressedOnlyWhileTheDeviceLooks) {
  driver.bring_up(kVersion1);
  EXPECT_TRUE(works());
  EXPECT_EQ(driver.load<u16>(driver.queue(0).device), 0u);
}

TEST_F(VirtqueueTest, HugeEntropyRequestsAreServedInPart) {
  driver.bring_up(kVersion1);
  driver.add(0, {{Bench::kRamBase + 0x80000, 0x80000, true}});
  driver.kick(0);
  const auto used = driver.take(0);
  ASSERT_TRUE(used);
  EXPECT_GT(used->length, 0u);
  EXPECT_LE(used->length, 65536u);
  EXPECT_EQ(bytes_asked, used->length);
}

TEST_F(VirtqueueTest, QueuesThatCannotBe) {
  struct Bad {
    const char* what;
    u64 offset;
    u64 value;
  };
  const u64 desc = vreg::kQueueDesc, avail = vreg::kQueueDriver, used = vreg::kQueueDevice;
  const std::vector<Bad> all = {
      {"size 0", vreg::kQueueNum, 0},
      {"size 3", vreg::kQueueNum, 3},
      {"size above the limit", vreg::kQueueNum, 16},
      {"size above 16 bits", vreg::kQueueNum, 0x10008},
      {"descriptors unaligned", desc, 0x80020008},
      {"available ring unaligned", avail, 0x80020001},
      {"used ring unaligned", used, 0x80020002},
      {"descriptors outside RAM", desc, 0x70000000},
      {"descriptors end outside RAM", desc, kRamEnd - 64},
      {"available ring ends outside RAM", avail, kRamEnd - 8},
      {"used ring ends outside RAM", used, kRamEnd - 32},
      {"descriptors in an MMIO window", desc, kMmioWindow},
      {"available ring in an MMIO window", avail, kMmioWindow},
      {"used ring in an MMIO window", used, kMmioWindow},
      {"used ring at the end of the address space", used + 4, 0xffffffff},
  };
  for (const Bad& bad : all) {
    ASSERT_TRUE(driver.negotiate(kVersion1)) << bad.what;
    driver.setup_queue(0, 8);
    driver.write(vreg::kQueueReady, 0);
    driver.write(bad.offset, bad.value);
    EXPECT_FALSE(driver.needs_reset());
    driver.write(vreg::kQueueReady, 1);
    EXPECT_EQ(driver.read(vreg::kQueueReady), 0u) << bad.what;
    EXPECT_TRUE(driver.needs_reset()) << bad.what;
    driver.start();
    driver.kick(0);
  }
  driver.bring_up(kVersion1);
  driver.write(vreg::kQueueReady, 0);
  driver.write(vreg::kQueueNum, 3);
  driver.write(vreg::kQueueReady, 1);
  expect_broken("a live device is told a bad queue");
}

TEST_F(VirtqueueTest, HostileDescriptors) {
  struct Bad {
    const char* what;
    u64 address;
    u64 size;
    u16 flags;
    u16 next;
  };
  const u64 ok = Bench::kRamBase + 0x80000;
  const std::vector<Bad> all = {
      {"points to itself", ok, 16, kDescNext | kDescWrite, 0},
      {"next out of range", ok, 16, kDescNext | kDescWrite, 8},
      {"next far out of range", ok, 16, kDescNext | kDescWrite, 0xffff},
      {"outside RAM", 0x7000'0000, 16, kDescWrite, 0},
      {"runs out of RAM", kRamEnd - 8, 16, kDescWrite, 0},
      {"wraps around the address space", ~u64{0} - 7, 16, kDescWrite, 0},
      {"in an MMIO window", kMmioWindow, 16, kDescWrite, 0},
      {"larger than RAM", ok, 0xffffffff, kDescWrite, 0},
      {"indirect and next", ok, 16, kDescIndirect | kDescNext, 1},
      {"indirect of size 0", ok, 0, kDescIndirect, 0},
      {"indirect of odd size", ok, 24, kDescIndirect, 0},
      {"indirect outside RAM", kRamEnd - 16, 32, kDescIndirect, 0},
      {"indirect in an MMIO window", kMmioWindow, 32, kDescIndirect, 0},
      {"huge indirect", ok, 0xfffffff0, kDescIndirect, 0},
      {"no room for entropy", ok, 16, 0, 0},
      {"nothing at all", ok, 0, kDescWrite, 0},
  };
  driver.bring_up(kVersion1 | kIndirect | kEventIdx);
  for (const Bad& bad : all) {
    const u64 asked = bytes_asked;
    driver.write_descriptor(driver.queue(0).descriptors, 0, bad.address, static_cast<u32>(bad.size), bad.flags,
                            bad.next);
    driver.offer(0, 0);
    driver.kick(0);
    EXPECT_EQ(bytes_asked, asked) << bad.what;
    EXPECT_FALSE(driver.take(0)) << bad.what;
    expect_broken(bad.what);
  }
}

TEST_F(VirtqueueTest, HostileIndirectTables) {
  driver.bring_up(kVersion1 | kIndirect);
  const u64 ok = Bench::kRamBase + 0x80000;
  const auto try_table = [&](const char* what, auto fill) {
    const u64 table = driver.allocate(64);
    fill(table);
    driver.write_descriptor(driver.queue(0).descriptors, 0, table, 64, kDescIndirect, 0);
    driver.offer(0, 0);
    driver.kick(0);
    EXPECT_FALSE(driver.take(0)) << what;
    expect_broken(what);
  };
  try_table("indirect in indirect", [&](u64 t) { driver.write_descriptor(t, 0, ok, 16, kDescIndirect, 0); });
  try_table("loop of two", [&](u64 t) {
    driver.write_descriptor(t, 0, ok, 16, kDescNext | kDescWrite, 1);
    driver.write_descriptor(t, 1, ok, 16, kDescNext | kDescWrite, 0);
  });
  try_table("next out of the table", [&](u64 t) { driver.write_descriptor(t, 0, ok, 16, kDescNext | kDescWrite, 4); });
  try_table("readable after writable", [&](u64 t) {
    driver.write_descriptor(t, 0, ok, 16, kDescNext | kDescWrite, 1);
    driver.write_descriptor(t, 1, ok, 16, 0, 0);
  });
  // A big table of nothing, looping: it must end soon.
  const u64 big = Bench::kRamBase + 0x40000;
  for (u16 i = 0; i < 0x2000; ++i)
    driver.write_descriptor(big, i, ok, 0, kDescNext, static_cast<u16>((i + 1) & 0x1fff));
  driver.write_descriptor(driver.queue(0).descriptors, 0, big, 0x2000 * 16, kDescIndirect, 0);
  driver.offer(0, 0);
  driver.kick(0);
  expect_broken("loop of empty descriptors");
}

TEST_F(VirtqueueTest, IndirectDescriptorsMustBeNegotiated) {
  driver.bring_up(kVersion1);
  driver.add(0, {{driver.allocate(16), 16, true}}, true);
  driver.kick(0);
  expect_broken("indirect without the feature");
}

TEST_F(VirtqueueTest, ChainsOfFourGigabytes) {
  driver.bring_up(kVersion1 | kIndirect);
  const u64 table = driver.allocate(1024 * 16);
  // 64 buffers that lie over each other.
  ASSERT_TRUE(bench.memory.add_ram(GuestPhys(0x1'0000'0000), 64 << 20, "high"));
  for (u16 i = 0; i < 64; ++i)
    driver.write_descriptor(table, i, 0x1'0000'0000, 64 << 20, kDescWrite | (i < 63 ? kDescNext : 0), i + 1);
  driver.write_descriptor(driver.queue(0).descriptors, 0, table, 64 * 16, kDescIndirect, 0);
  driver.offer(0, 0);
  driver.kick(0);
  EXPECT_EQ(bytes_asked, 0u);
  expect_broken("4 GiB");
}

TEST_F(VirtqueueTest, HostileAvailableRing) {
  driver.bring_up(kVersion1 | kIndirect | kEventIdx);
  driver.offer(0, 8);
  driver.kick(0);
  expect_broken("head out of range");
  driver.offer(0, 0xffff);
  driver.kick(0);
  expect_broken("head far out of range");
  driver.store<u16>(driver.queue(0).driver + 2, 10);
  driver.kick(0);
  expect_broken("index ahead by more than the ring");
  driver.store<u16>(driver.queue(0).driver + 2, 0xfff0);
  driver.kick(0);
  expect_broken("index behind");
}

TEST_F(VirtqueueTest, WritesOfTheDeviceReachTheCodeObserver) {
  struct Observer final : CodeWriteObserver {
    std::vector<u64> pages;
    void code_written(GuestPhys address, u64) override { pages.push_back(address.page().value); }
  } observer;
  bench.memory.set_code_observer(&observer);
  driver.bring_up(kVersion1);
  const u64 room = Bench::kRamBase + 0x80000;
  bench.memory.marks_of(GuestPhys(room))->fetch_or(GuestMemory::kHasCode);
  driver.add(0, {{room, 16, true}});
  driver.kick(0);
  EXPECT_EQ(observer.pages, std::vector<u64>{room});
}

}  // namespace
}  // namespace pagoda::test
