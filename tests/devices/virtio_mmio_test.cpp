// SPDX-License-Identifier: MIT
// The MMIO transport: identity, negotiation, status, interrupts, an empty slot.
#include <gtest/gtest.h>

#include "devices/virtio/console.h"
#include "devices/virtio/rng.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

class VirtioMmioTest : public testing::Test {
 protected:
  Bench bench;
  VirtioMmio slot{
      "virtio0",
      std::make_unique<VirtioRng>(bench.memory, "rng0",
                                  [](std::span<std::byte> out) { std::fill(out.begin(), out.end(), std::byte{0x5a}); }),
      bench.irqs.line(1)};
  VirtioDriver driver{slot, bench.memory};
};

TEST_F(VirtioMmioTest, SaysWhatItIs) {
  EXPECT_EQ(driver.read(vreg::kMagic), 0x74726976u);
  EXPECT_EQ(driver.read(vreg::kVersion), 2u);
  EXPECT_EQ(driver.read(vreg::kDeviceId), 4u);
  EXPECT_EQ(driver.device_features(), kVersion1 | kIndirect | kEventIdx);
  driver.write(vreg::kDeviceFeaturesSel, 2);
  EXPECT_EQ(driver.read(vreg::kDeviceFeatures), 0u);
}

TEST_F(VirtioMmioTest, AnEmptySlotHasNoDeviceAndIgnoresWrites) {
  VirtioMmio empty("virtio1", nullptr, bench.irqs.line(2));
  VirtioDriver probe(empty, bench.memory);
  EXPECT_EQ(probe.read(vreg::kMagic), 0x74726976u);
  EXPECT_EQ(probe.read(vreg::kVersion), 2u);
  EXPECT_EQ(probe.read(vreg::kDeviceId), 0u);
  EXPECT_EQ(probe.read(vreg::kVendor), driver.read(vreg::kVendor));
  probe.write(vreg::kStatus, 3);
  EXPECT_EQ(probe.read(vreg::kStatus), 0u);
  EXPECT_EQ(probe.read(vreg::kQueueNumMax), 0u);
  EXPECT_EQ(probe.read(vreg::kConfig), 0u);
}

TEST_F(VirtioMmioTest, SharedMemoryAndQueueResetAreNotThere) {
  for (const u32 id : {0u, 1u, 0xffffffffu}) {
    driver.write(vreg::kShmSel, id);
    for (u64 offset = vreg::kShmLen; offset < vreg::kShmLen + 16; offset += 4) EXPECT_EQ(driver.read(offset), ~0u);
  }
  EXPECT_EQ(driver.read(vreg::kQueueReset), 0u);
}

TEST_F(VirtioMmioTest, RefusesFeaturesItDidNotOffer) {
  EXPECT_FALSE(driver.negotiate(kVersion1 | u64{1} << 34));
  EXPECT_EQ(driver.read(vreg::kStatus), 3u);
  EXPECT_TRUE(driver.negotiate(kVersion1));
  EXPECT_TRUE(driver.negotiate(kEventIdx)) << "half of the features never written: nothing would differ";
}

TEST_F(VirtioMmioTest, FeaturesAreFixedOnceAccepted) {
  ASSERT_TRUE(driver.negotiate(kVersion1));
  driver.write(vreg::kDriverFeaturesSel, 0);
  driver.write(vreg::kDriverFeatures, 1u << 29);
  EXPECT_EQ(slot.device()->driver_features(), kVersion1);
}

TEST_F(VirtioMmioTest, StatusBitsOnlyGoAwayByReset) {
  driver.write(vreg::kStatus, 1);
  driver.write(vreg::kStatus, 2);
  EXPECT_EQ(driver.read(vreg::kStatus), 3u);
  driver.write(vreg::kStatus, 0x40 | 3);
  EXPECT_EQ(driver.read(vreg::kStatus), 3u) << "DEVICE_NEEDS_RESET is the device's to set";
  driver.write(vreg::kStatus, 7);
  EXPECT_EQ(driver.read(vreg::kStatus), 3u) << "DRIVER_OK without FEATURES_OK";
  driver.write(vreg::kStatus, 0x83);
  EXPECT_EQ(driver.read(vreg::kStatus), 0x83u);
  driver.write(vreg::kStatus, 0);
  EXPECT_EQ(driver.read(vreg::kStatus), 0u);
}

TEST_F(VirtioMmioTest, InterruptStaysUntilAcknowledged) {
  driver.bring_up(kVersion1);
  const u64 room = driver.allocate(32);
  driver.add(0, {{room, 32, true}});
  EXPECT_FALSE(driver.take(0)) << "without a notification nothing happens";
  driver.kick(0);
  ASSERT_TRUE(driver.take(0));
  EXPECT_EQ(driver.get(room, 32), std::string(32, '\x5a'));
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 1u);
  EXPECT_TRUE(bench.irqs.level(1));
  driver.write(vreg::kIrqAck, 2);
  EXPECT_TRUE(bench.irqs.level(1));
  driver.write(vreg::kIrqAck, 1);
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 0u);
  EXPECT_FALSE(bench.irqs.level(1));
}

TEST_F(VirtioMmioTest, ResetTakesBackQueuesAndInterrupts) {
  driver.bring_up(kVersion1);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_TRUE(bench.irqs.level(1));
  driver.write(vreg::kStatus, 0);
  EXPECT_FALSE(bench.irqs.level(1));
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 0u);
  driver.write(vreg::kQueueSel, 0);
  EXPECT_EQ(driver.read(vreg::kQueueReady), 0u);
  driver.bring_up(kVersion1);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_TRUE(driver.take(0));
}

TEST_F(VirtioMmioTest, AReadyQueueCannotBeMoved) {
  driver.bring_up(kVersion1);
  driver.write(vreg::kQueueSel, 0);
  driver.write(vreg::kQueueDesc, 0x1234);
  driver.write(vreg::kQueueNum, 2);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_TRUE(driver.take(0));
  driver.write(vreg::kQueueReady, 0);
  EXPECT_EQ(driver.read(vreg::kQueueReady), 0u);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_FALSE(driver.take(0));
}

TEST_F(VirtioMmioTest, QueuesThatDoNotExist) {
  driver.bring_up(kVersion1);
  driver.write(vreg::kQueueSel, 1);
  EXPECT_EQ(driver.read(vreg::kQueueNumMax), 0u);
  driver.write(vreg::kQueueNum, 8);
  driver.write(vreg::kQueueReady, 1);
  EXPECT_EQ(driver.read(vreg::kQueueReady), 0u);
  driver.kick(1);
  driver.kick(0xffff);
  EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioMmioTest, BuffersFromBeforeDriverOkAreSeenWhenItGoesLive) {
  ASSERT_TRUE(driver.negotiate(kVersion1));
  driver.setup_queue(0, 8);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_FALSE(driver.take(0)) << "not live yet";
  driver.start();
  EXPECT_TRUE(driver.take(0));
}

TEST_F(VirtioMmioTest, NothingGoesOnAfterFailed) {
  driver.bring_up(kVersion1);
  driver.write(vreg::kStatus, 0x8f);
  driver.add(0, {{driver.allocate(32), 32, true}});
  driver.kick(0);
  EXPECT_FALSE(driver.take(0));
}

TEST_F(VirtioMmioTest, ConfigurationChangesMoveTheGenerationAndInterrupt) {
  auto console = std::make_unique<VirtioConsole>(bench.memory, "console0", std::vector<VirtioConsole::Port>{}, 1);
  VirtioConsole* device = console.get();
  VirtioMmio console_slot("virtio2", std::move(console), bench.irqs.line(3));
  VirtioDriver console_driver(console_slot, bench.memory);
  console_driver.bring_up(kVersion1 | 1, 2);
  const u32 generation = console_driver.read(vreg::kGeneration);
  device->resize(132, 43);
  EXPECT_NE(console_driver.read(vreg::kGeneration), generation);
  EXPECT_EQ(console_driver.read(vreg::kIrqStatus), 2u);
  EXPECT_TRUE(bench.irqs.level(3));
  EXPECT_EQ(console_driver.read(vreg::kConfig, 2), 132u);
  EXPECT_EQ(console_driver.read(vreg::kConfig + 2, 2), 43u);
  EXPECT_EQ(console_driver.read(vreg::kConfig + 2, 1), 43u);
  EXPECT_EQ(console_driver.read(vreg::kConfig, 4), 43u << 16 | 132u);
  EXPECT_EQ(mmio_read(console_slot, vreg::kConfig, 8), u64{1} << 32 | 43u << 16 | 132u);
  EXPECT_EQ(console_slot.peek(vreg::kConfig, 2), 132u);
}

TEST_F(VirtioMmioTest, ALiveDeviceIsSavedAndGoesOnInAFreshOne) {
  driver.bring_up(kVersion1 | kEventIdx | kIndirect);
  for (int i = 0; i < 21; ++i) {
    driver.add(0, {{driver.allocate(32), 32, true}});
    driver.kick(0);
    ASSERT_TRUE(driver.take(0));
  }
  driver.add(0, {{driver.allocate(32), 32, true}});
  const std::vector<u8> saved = save_state(slot);
  VirtioMmio other("virtio0", std::make_unique<VirtioRng>(bench.memory, "rng0", [](std::span<std::byte>) {}),
                   bench.irqs.line(4));
  ASSERT_TRUE(restore_state(other, saved));
  EXPECT_EQ(save_state(other), saved);
  EXPECT_TRUE(bench.irqs.level(4)) << "the unacknowledged interrupt is back";
  EXPECT_EQ(mmio_read(other, vreg::kStatus, 4), 15u);
  mmio_write(other, vreg::kQueueNotify, 0);
  EXPECT_TRUE(driver.take(0));
}

}  // namespace
}  // namespace pagoda::test
