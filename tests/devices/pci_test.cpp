// SPDX-License-Identifier: MIT
// PCI: configuration space, sizing and moving of base addresses, shared interrupt wires, MSI-X, and the virtio
// transport on it.
#include <gtest/gtest.h>

#include <random>

#include "devices/pci/pci_function.h"
#include "devices/pci/pci_host.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/rng.h"
#include "devices/virtio/virtio_pci.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

constexpr u64 kWindow = 0x4000'0000;
constexpr u64 kCommand = 4, kBar1 = 0x14, kBar4 = 0x20, kMsixCapability = 0x98;
constexpr u32 kMemory = 2, kMaster = 4, kInterruptDisable = 0x400;

struct Message {
  u64 address;
  u32 data;
  bool operator==(const Message&) const = default;
};

class PciTest : public testing::Test {
 protected:
  Bench bench;
  std::vector<Message> messages;
  PciHost host{"pci",
               {bench.irqs.line(0), bench.irqs.line(1), bench.irqs.line(2), bench.irqs.line(3)},
               [this](u64 address, u32 data) { messages.push_back({address, data}); }};
  MmioHandler& window = host.memory_window(kWindow);

  std::unique_ptr<VirtioPci> make_rng(u32 slot) {
    return std::make_unique<VirtioPci>(fmt::format("rng{}", slot), host, slot,
                                       std::make_unique<VirtioRng>(bench.memory, "rng", [](std::span<std::byte> out) {
                                         std::ranges::fill(out, std::byte{0x5a});
                                       }));
  }
  u32 config(u32 slot, u64 offset, u8 size = 4) {
    return static_cast<u32>(mmio_read(host, u64{slot} << 15 | offset, size));
  }
  void set_config(u32 slot, u64 offset, u64 value, u8 size = 4) {
    mmio_write(host, u64{slot} << 15 | offset, value, size);
  }
  void enable(u32 slot, u64 bar1, u64 bar4) {
    set_config(slot, kBar1, bar1);
    set_config(slot, kBar4, bar4 & 0xffff'ffff);
    set_config(slot, kBar4 + 4, bar4 >> 32);
    set_config(slot, kCommand, kMemory | kMaster);
  }
};

TEST_F(PciTest, FunctionsAnswerOnlyWhereTheyAre) {
  const auto rng = make_rng(3);
  EXPECT_EQ(config(3, 0), 0x1044'1af4u);
  EXPECT_EQ(config(3, 2, 2), 0x1044u);
  EXPECT_EQ(config(3, 1, 1), 0x1au);
  EXPECT_EQ(config(3, 8), 0x00ff'0001u);
  EXPECT_EQ(config(3, 0x2c), 0x1100'1af4u);
  EXPECT_EQ(config(3, 0x3c), 0x100u);
  EXPECT_EQ(config(2, 0), 0xffff'ffffu);
  EXPECT_EQ(config(2, 0, 2), 0xffffu);
  for (const u64 elsewhere : {u64{3} << 15 | u64{1} << 12, u64{1} << 20 | u64{3} << 15, u64{255} << 20})
    EXPECT_EQ(mmio_read(host, elsewhere), 0xffff'ffffu);
  // Read-only is read-only.
  for (const u64 offset : {0x00, 0x08, 0x2c, 0x34}) {
    const u32 before = config(3, offset);
    set_config(3, offset, 0x5a5a'5a5a);
    EXPECT_EQ(config(3, offset), before);
  }
  set_config(3, 0x3c, 0xffff'ff0b);
  EXPECT_EQ(config(3, 0x3c), 0x10bu);
}

TEST_F(PciTest, CapabilitiesFormAListThatDescribesTheStructures) {
  const auto rng = make_rng(1);
  EXPECT_EQ(config(1, kCommand) >> 20 & 1, 1u);
  std::map<u32, std::vector<u32>> virtio;  // type -> bar, offset, length
  bool has_msix = false;
  u32 seen = 0;
  for (u32 at = config(1, 0x34, 1); at != 0; at = config(1, at + 1, 1)) {
    ASSERT_LT(++seen, 20u) << "the list does not end";
    ASSERT_EQ(at % 4, 0u);
    const u32 id = config(1, at, 1);
    if (id == 0x11) {
      has_msix = true;
      EXPECT_EQ(config(1, at + 2, 2), 1u) << "two vectors: one queue and the configuration";
      EXPECT_EQ(config(1, at + 4) & 7, 1u);
      EXPECT_EQ(config(1, at + 8), Msix::kPendingOffset | 1);
      continue;
    }
    ASSERT_EQ(id, 9u);
    EXPECT_GE(config(1, at + 2, 1), 16u);
    virtio[config(1, at + 3, 1)] = {config(1, at + 4, 1), config(1, at + 8), config(1, at + 12)};
    if (config(1, at + 3, 1) == 2) {
      EXPECT_EQ(config(1, at + 16), 4u);
    }
  }
  EXPECT_TRUE(has_msix);
  EXPECT_EQ(virtio[1], (std::vector<u32>{4, 0, 0x38}));
  EXPECT_EQ(virtio[3], (std::vector<u32>{4, 0x1000, 1}));
  EXPECT_EQ(virtio[4], (std::vector<u32>{4, 0x2000, 0x1000}));
  EXPECT_EQ(virtio[2], (std::vector<u32>{4, 0x3000, 0x1000}));
  EXPECT_EQ(virtio.count(5), 1u);
}

TEST_F(PciTest, BaseAddressesTellTheirSizeAndMoveAtWill) {
  const auto rng = make_rng(1);
  EXPECT_EQ(config(1, kBar4), 0xcu);
  for (u64 bar = 0x10; bar < 0x28; bar += 4) set_config(1, bar, 0xffff'ffff);
  EXPECT_EQ(config(1, 0x10), 0u);
  EXPECT_EQ(config(1, kBar1), 0xffff'f000u);
  EXPECT_EQ(config(1, kBar4), 0xffff'c00cu);
  EXPECT_EQ(config(1, kBar4 + 4), 0xffff'ffffu);
  // Byte by byte as well.
  set_config(1, kBar1 + 1, 0x20, 1);
  EXPECT_EQ(config(1, kBar1), 0xffff'2000u);
  const auto queues = [&](u64 at) { return mmio_read(window, at - kWindow + 0x12, 2); };
  enable(1, kWindow, kWindow + 0x4000);
  EXPECT_EQ(queues(kWindow + 0x4000), 1u);
  set_config(1, kBar4, kWindow + 0x10'0000);
  EXPECT_EQ(queues(kWindow + 0x4000), 0xffffu);
  EXPECT_EQ(queues(kWindow + 0x10'0000), 1u);
  set_config(1, kCommand, kMaster);
  EXPECT_EQ(queues(kWindow + 0x10'0000), 0xffffu);
  set_config(1, kCommand, kMemory);
  // Above 4 GiB through another window.
  MmioHandler& high = host.memory_window(u64{16} << 30);
  set_config(1, kBar4, 0x8000);
  set_config(1, kBar4 + 4, 4);
  EXPECT_EQ(mmio_read(high, 0x8012, 2), 1u);
  // Where no window leads, at 0, and where it would wrap, it is not in the way.
  for (const u64 address : {u64{0}, ~u64{0} << 14, u64{1} << 60}) {
    set_config(1, kBar4, address & 0xffff'ffff);
    set_config(1, kBar4 + 4, address >> 32);
    EXPECT_EQ(mmio_read(window, 0x12, 2), 0u) << "the MSI-X table";
    EXPECT_EQ(mmio_read(high, 0x8012, 2), 0xffffu);
  }
}

TEST_F(PciTest, OverlappingBaseAddressesHarmNobody) {
  const auto first = make_rng(1), second = make_rng(2);
  enable(1, kWindow, kWindow);
  enable(2, kWindow, kWindow);
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    const u8 size = static_cast<u8>(1u << random() % 4);
    const u64 offset = random() % 0x5000 & ~u64{size - 1u};
    mmio_write(window, offset, random(), size);
    mmio_read(window, offset, size);
  }
  first->reset();
  second->reset();
  EXPECT_EQ(mmio_read(window, 0, 4), 0xffff'ffffu);
}

// Both functions on wire 1: slots 1 and 5.
TEST_F(PciTest, SharedWireIsHighWhileAnyWantsIt) {
  struct Probe : PciFunction {
    using PciFunction::PciFunction;
    using PciFunction::set_interrupt;
  };
  const PciIdentity identity{.vendor = 1, .device = 2, .has_interrupt = true};
  Probe first("first", host, 1, identity, {}, {}), second("second", host, 5, identity, {}, {});
  first.set_interrupt(true);
  second.set_interrupt(true);
  EXPECT_EQ(config(1, kCommand) >> 19 & 1, 1u);
  first.set_interrupt(false);
  EXPECT_TRUE(bench.irqs.level(1));
  set_config(5, kCommand, kInterruptDisable);
  EXPECT_FALSE(bench.irqs.level(1));
  EXPECT_EQ(config(5, kCommand) >> 19 & 1, 1u) << "pending all the same";
  set_config(5, kCommand, 0);
  EXPECT_TRUE(bench.irqs.level(1));
  second.set_interrupt(false);
  for (u32 i = 0; i < 4; ++i) EXPECT_FALSE(bench.irqs.level(i));
}

TEST(MsixTest, MasksHoldMessagesBack) {
  std::vector<Message> sent;
  Msix msix("msix", 3, [&](u64 address, u32 data) { sent.push_back({address, data}); });
  for (u32 vector = 0; vector < 3; ++vector) {
    mmio_write(msix, 16 * vector, 0x1000'0003 + 0x100 * vector);
    mmio_write(msix, 16 * vector + 4, 7);
    mmio_write(msix, 16 * vector + 8, 40 + vector);
  }
  msix.notify(0);
  EXPECT_TRUE(sent.empty()) << "off";
  msix.set_control(true, false);
  msix.notify(1);
  EXPECT_TRUE(sent.empty()) << "vectors begin masked";
  EXPECT_EQ(mmio_read(msix, Msix::kPendingOffset, 8), 2u);
  EXPECT_EQ(mmio_read(msix, Msix::kPendingOffset, 4), 2u);
  mmio_write(msix, 16 + 12, 0);
  EXPECT_EQ(sent, (std::vector<Message>{{0x7'1000'0100, 41}}));
  EXPECT_EQ(mmio_read(msix, Msix::kPendingOffset, 8), 0u);
  mmio_write(msix, 32 + 12, 0);
  msix.set_control(true, true);
  msix.notify(2);
  msix.notify(2);
  EXPECT_EQ(sent.size(), 1u);
  mmio_write(msix, Msix::kPendingOffset, 0, 8);
  msix.set_control(true, false);
  EXPECT_EQ(sent.size(), 2u) << "once, however often it was asked for";
  EXPECT_EQ(sent.back(), (Message{0x7'1000'0200, 42}));
  msix.notify(3);
  msix.notify(0xffff);
  EXPECT_EQ(sent.size(), 2u);
}

// Shows a VirtioPci as the registers of the MMIO transport, so that the test driver can drive it.
class AsMmio final : public MmioHandler {
 public:
  explicit AsMmio(VirtioPci& pci) : pci_(pci) {}
  u64 read(u64 offset, const Access& access) override {
    if (offset >= vreg::kConfig) return bar(VirtioPci::kDevice + offset - vreg::kConfig, access.size);
    switch (offset) {
      case vreg::kDeviceFeatures:
        return bar(4, 4);
      case vreg::kQueueNumMax:
      case vreg::kQueueNum:
        return bar(0x18, 2);
      case vreg::kQueueReady:
        return bar(0x1c, 2);
      case vreg::kIrqStatus:
        return bar(VirtioPci::kIsr, 1);
      case vreg::kStatus:
        return bar(0x14, 1);
      default:
        ADD_FAILURE() << offset;
        return 0;
    }
  }
  void write(u64 offset, u64 value, const Access& access) override {
    struct Row {
      u64 from, to;
      u8 size;
    };
    constexpr Row kRows[] = {
        {vreg::kDeviceFeaturesSel, 0x00, 4}, {vreg::kDriverFeaturesSel, 0x08, 4},
        {vreg::kDriverFeatures, 0x0c, 4},    {vreg::kStatus, 0x14, 1},
        {vreg::kQueueSel, 0x16, 2},          {vreg::kQueueNum, 0x18, 2},
        {vreg::kQueueReady, 0x1c, 2},        {vreg::kQueueDesc, 0x20, 4},
        {vreg::kQueueDesc + 4, 0x24, 4},     {vreg::kQueueDriver, 0x28, 4},
        {vreg::kQueueDriver + 4, 0x2c, 4},   {vreg::kQueueDevice, 0x30, 4},
        {vreg::kQueueDevice + 4, 0x34, 4},
    };
    if (offset >= vreg::kConfig) return set_bar(VirtioPci::kDevice + offset - vreg::kConfig, value, access.size);
    if (offset == vreg::kQueueNotify) return set_bar(VirtioPci::kNotify + 4 * value, value, 2);
    for (const Row& row : kRows) {
      if (row.from == offset) return set_bar(row.to, value, row.size);
    }
    ADD_FAILURE() << offset;
  }
  u64 peek(u64, u32) const override { return 0; }

 private:
  u64 bar(u64 offset, u8 size) { return mmio_read(pci_.structures(), offset, size); }
  void set_bar(u64 offset, u64 value, u8 size) { mmio_write(pci_.structures(), offset, value, size); }
  VirtioPci& pci_;
};

TEST_F(PciTest, EntropyByWire) {
  const auto rng = make_rng(6);
  enable(6, kWindow, kWindow + 0x4000);
  AsMmio mmio(*rng);
  VirtioDriver driver(mmio, bench.memory);
  driver.bring_up(kVersion1 | kEventIdx);
  const u64 room = driver.allocate(8);
  driver.add(0, {{room, 8, true}});
  driver.kick(0);
  const auto used = driver.take(0);
  ASSERT_TRUE(used);
  EXPECT_EQ(driver.get(room, 8), std::string(8, 0x5a));
  EXPECT_TRUE(bench.irqs.level(2));
  EXPECT_EQ(rng->structures().peek(VirtioPci::kIsr, 1), 1u);
  EXPECT_TRUE(bench.irqs.level(2));
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 1u);
  EXPECT_FALSE(bench.irqs.level(2)) << "reading acknowledges";
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 0u);
  EXPECT_TRUE(messages.empty());
}

TEST_F(PciTest, EntropyByMessage) {
  const auto rng = make_rng(6);
  enable(6, kWindow, kWindow + 0x4000);
  AsMmio mmio(*rng);
  VirtioDriver driver(mmio, bench.memory);
  driver.bring_up(kVersion1);
  MmioHandler& common = rng->common();
  EXPECT_EQ(mmio_read(common, 0x1a, 2), 0xffffu);
  mmio_write(common, 0x1a, 2, 2);
  EXPECT_EQ(mmio_read(common, 0x1a, 2), 0xffffu) << "there are two vectors";
  mmio_write(common, 0x1a, 1, 2);
  EXPECT_EQ(mmio_read(common, 0x1a, 2), 1u);
  mmio_write(window, 16, 0x2800'0000);
  mmio_write(window, 16 + 8, 33);
  mmio_write(window, 16 + 12, 0);
  const auto ask = [&] {
    driver.add(0, {{driver.allocate(8), 8, true}});
    driver.kick(0);
    EXPECT_TRUE(driver.take(0));
  };
  set_config(6, kMsixCapability + 3, 0x80, 1);
  ask();
  EXPECT_EQ(messages, (std::vector<Message>{{0x2800'0000, 33}}));
  EXPECT_FALSE(bench.irqs.level(2));
  set_config(6, kMsixCapability + 3, 0xc0, 1);
  ask();
  EXPECT_EQ(messages.size(), 1u);
  set_config(6, kMsixCapability + 3, 0x80, 1);
  EXPECT_EQ(messages.size(), 2u);
  // No mastering, no messages; a reset of the device forgets the vectors.
  set_config(6, kCommand, kMemory);
  ask();
  EXPECT_EQ(messages.size(), 2u);
  set_config(6, kCommand, kMemory | kMaster);
  driver.write(vreg::kStatus, 0);
  EXPECT_EQ(mmio_read(common, 0x1a, 2), 0xffffu);
}

TEST_F(PciTest, TheWindowInConfigurationSpaceReachesTheStructures) {
  const auto rng = make_rng(1);
  const auto aim = [&](u32 bar, u32 offset, u32 length) {
    set_config(1, 0x88, bar, 1);
    set_config(1, 0x8c, offset);
    set_config(1, 0x90, length);
  };
  aim(4, 0x12, 2);
  EXPECT_EQ(config(1, 0x94), 1u);
  aim(4, 0x14, 1);
  set_config(1, 0x94, 3);
  EXPECT_EQ(config(1, 0x94), 3u);
  EXPECT_EQ(mmio_read(rng->common(), 0x14, 1), 3u);
  const std::array<std::array<u32, 3>, 7> nonsense = {
      {{4, 0x12, 4}, {4, 0x3fff, 2}, {4, 0xffff'fffc, 4}, {0, 0, 4}, {200, 0, 4}, {4, 0, 0}, {4, 0, 0xffff'ffff}}};
  for (const auto& [bar, offset, length] : nonsense) {
    aim(bar, offset, length);
    set_config(1, 0x94, 0xffff'ffff);
    EXPECT_EQ(config(1, 0x94), 0u) << bar << " " << offset << " " << length;
  }
}

TEST_F(PciTest, DiskWithSeveralQueuesAndAVectorForEach) {
  VirtioBlk::Options options;
  options.queues = 3;
  VirtioPci disk("disk", host, 4,
                 std::make_unique<VirtioBlk>(bench.memory, "disk0", make_disk(std::string(8 * 512, 'd')),
                                             std::make_unique<TimedExecutor>(bench.clock, 1000), options));
  enable(4, kWindow, kWindow + 0x4000);
  AsMmio mmio(disk);
  VirtioDriver driver(mmio, bench.memory);
  driver.bring_up(kVersion1 | kEventIdx | 1 << 12, 3);
  EXPECT_EQ(disk.msix().vectors(), 4u);
  for (u16 queue = 0; queue < 3; ++queue) {
    mmio_write(disk.common(), 0x16, queue, 2);
    mmio_write(disk.common(), 0x1a, queue + 1, 2);
    EXPECT_EQ(mmio_read(disk.common(), 0x1e, 2), queue);
    mmio_write(disk.msix(), 16 * (queue + 1u) + 8, 100 + queue);
    mmio_write(disk.msix(), 16 * (queue + 1u) + 12, 0);
  }
  set_config(4, kMsixCapability + 3, 0x80, 1);
  for (u16 queue = 0; queue < 3; ++queue) {
    const u64 data = driver.allocate(512), status = driver.allocate(1);
    driver.add(queue, {{driver.put(std::string(16, '\0')), 16, false}, {data, 512, true}, {status, 1, true}});
    driver.kick(queue);
    bench.now_ns += 1'000'000;
    bench.clock.run_due();
    EXPECT_TRUE(driver.take(queue));
    EXPECT_EQ(driver.get(data, 512), std::string(512, 'd'));
    EXPECT_EQ(messages, (std::vector<Message>{{0, 100u + queue}}));
    messages.clear();
  }
}

}  // namespace
}  // namespace pagoda::test
