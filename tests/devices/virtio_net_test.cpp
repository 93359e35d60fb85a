// SPDX-License-Identifier: MIT
// The network card: frames both ways, offloads, mergeable buffers, room that comes late, drivers that break the rules.
#include "devices/virtio/net.h"

#include <gtest/gtest.h>

#include <cstring>

#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

constexpr u64 kCsum = 1, kGuestCsum = 2, kMac = 1 << 5, kGuestTso4 = 1 << 7, kGuestTso6 = 1 << 8, kMergeable = 1 << 15,
              kStatus = 1 << 16;
constexpr u16 kReceive = 0, kTransmit = 1;

NetFrame frame_of(std::size_t size, char fill = 'f') {
  NetFrame frame;
  frame.bytes.assign(size, static_cast<std::byte>(fill));
  return frame;
}

std::string text(const NetFrame& frame) {
  return {reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size()};
}

// The header in front of a frame, virtio 1.2, 5.1.6.
std::string header(u8 flags = 0, u8 gso = 0, u16 header_size = 0, u16 segment = 0, u16 start = 0, u16 offset = 0) {
  std::string bytes = {static_cast<char>(flags), static_cast<char>(gso)};
  for (const u16 each : {header_size, segment, start, offset, u16{0}})
    bytes += {static_cast<char>(each), static_cast<char>(each >> 8)};
  return bytes;
}

class VirtioNetTest : public testing::TestWithParam<bool> {
 protected:
  Bench bench;
  RecordingNet net{GetParam()};
  VirtioNet* card = new VirtioNet(bench.memory, "net0", {0x52, 0x54, 0, 1, 2, 3}, &net);
  VirtioMmio slot{"virtio0", std::unique_ptr<VirtioDevice>(card), bench.irqs.line(1)};
  VirtioDriver driver{slot, bench.memory};
  std::map<u32, u64> room_of;

  void give_room(u32 size) {
    const u64 room = driver.allocate(size);
    room_of[driver.add(kReceive, {{room, size, true}})] = room;
  }
  void send(const std::string& bytes) {
    driver.add(kTransmit, {{driver.put(bytes), static_cast<u32>(bytes.size()), false}});
    driver.kick(kTransmit);
  }
  // What the network's thread does.
  void pull() {
    if (!net.pulls()) return;
    while (!net.client()->transmit()) {
    }
  }
};

TEST_P(VirtioNetTest, TellsAddressAndLink) {
  EXPECT_EQ(driver.read(vreg::kDeviceId), 1u);
  EXPECT_EQ(driver.device_features() & (kMac | kStatus | kMergeable), kMac | kStatus | kMergeable);
  EXPECT_EQ(driver.read(vreg::kConfig, 1), 0x52u);
  EXPECT_EQ(driver.read(vreg::kConfig + 4, 2), 0x302u);
  EXPECT_EQ(driver.read(vreg::kConfig + 6, 2), 1u);
  Bench other;
  VirtioMmio unplugged("virtio1",
                       std::make_unique<VirtioNet>(other.memory, "net1", VirtioNet::Mac{0x52, 0, 0, 0, 0, 1}, nullptr),
                       other.irqs.line(1));
  VirtioDriver second(unplugged, other.memory);
  EXPECT_EQ(second.read(vreg::kConfig + 6, 2), 0u);
  second.bring_up(kVersion1, 2);
  second.add(kTransmit, {{second.put(header() + "lost"), 16, false}});
  second.kick(kTransmit);
  EXPECT_TRUE(second.take(kTransmit));
}

TEST_P(VirtioNetTest, RefusesLegacyHeaders) {
  EXPECT_FALSE(driver.negotiate(kEventIdx));
  EXPECT_TRUE(driver.negotiate(kVersion1));
}

TEST_P(VirtioNetTest, SendsFramesInOrder) {
  driver.bring_up(kVersion1 | kEventIdx, 2, 16);
  for (int i = 0; i < 40; ++i) {
    send(header() + "frame " + std::to_string(i));
    if (i % 10 == 9) {
      pull();
      for (int n = 0; n < 10; ++n) EXPECT_TRUE(driver.take(kTransmit));
    }
  }
  EXPECT_FALSE(driver.take(kTransmit));
  const std::vector<NetFrame> sent = net.take_sent();
  ASSERT_EQ(sent.size(), 40u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(text(sent[static_cast<std::size_t>(i)]), "frame " + std::to_string(i));
  EXPECT_TRUE(bench.irqs.level(1));
}

TEST_P(VirtioNetTest, HandsOnOffloadsOfSentFrames) {
  driver.bring_up(kVersion1 | kCsum, 2);
  send(header(1, 1, 54, 1460, 34, 16) + std::string(3000, 't'));
  send(header() + std::string(60, 'p'));
  pull();
  const std::vector<NetFrame> sent = net.take_sent();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].bytes.size(), 3000u);
  EXPECT_EQ(sent[0].segment_size, 1460);
  EXPECT_EQ(sent[0].header_size, 54);
  EXPECT_EQ(sent[0].checksum_start, 34);
  EXPECT_EQ(sent[0].checksum_offset, 16);
  EXPECT_EQ(sent[1].segment_size, 0);
  EXPECT_EQ(sent[1].checksum_start, 0);
}

TEST_P(VirtioNetTest, DropsFramesWithImpossibleOffloads) {
  driver.bring_up(kVersion1 | kCsum, 2);
  send(header(1, 0, 0, 0, 34, 16) + std::string(51, 'x'));  // checksum behind the end
  send(header(1, 0, 0, 0, 0xffff, 0xffff) + std::string(60, 'x'));
  send(header(1, 3, 42, 1460, 34, 6) + std::string(3000, 'x'));   // UDP segmentation was not offered
  send(header(0, 1, 54, 1460, 34, 16) + std::string(3000, 'x'));  // segments without their checksum
  send(header());
  pull();
  EXPECT_TRUE(net.take_sent().empty());
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(driver.take(kTransmit)) << i;
  EXPECT_FALSE(driver.needs_reset());
  const u64 much = driver.allocate(70000);
  driver.add(kTransmit, {{driver.put(header()), 12, false}, {much, 70000, false}});
  driver.kick(kTransmit);
  pull();
  EXPECT_TRUE(net.take_sent().empty());
  EXPECT_FALSE(driver.needs_reset());
}

TEST_P(VirtioNetTest, AFrameWithoutAHeaderNeedsAReset) {
  driver.bring_up(kVersion1, 2);
  send("short");
  pull();
  EXPECT_TRUE(driver.needs_reset());
  driver.bring_up(kVersion1, 2);
  driver.add(kTransmit, {{driver.put(header() + "x"), 13, false}, {driver.allocate(8), 8, true}});
  driver.kick(kTransmit);
  pull();
  EXPECT_TRUE(driver.needs_reset());
  EXPECT_TRUE(net.take_sent().empty());
}

TEST_P(VirtioNetTest, ReceivesIntoOneBuffer) {
  driver.bring_up(kVersion1 | kGuestCsum, 2);
  give_room(1526);
  EXPECT_TRUE(net.arrive(frame_of(1514)));
  auto used = driver.take(kReceive);
  ASSERT_TRUE(used);
  EXPECT_EQ(used->length, 1526u);
  std::string expected = header();
  expected[10] = 1;
  EXPECT_EQ(driver.get(room_of[used->head], 12), expected);
  EXPECT_EQ(driver.get(room_of[used->head] + 12, 1514), std::string(1514, 'f'));
  EXPECT_TRUE(bench.irqs.level(1));
  // Known to be good: said so only to who asked.
  give_room(100);
  NetFrame good = frame_of(20);
  good.checksum_good = true;
  net.arrive(good);
  used = driver.take(kReceive);
  ASSERT_TRUE(used);
  EXPECT_EQ(driver.load<u8>(room_of[used->head]), 2);
}

TEST_P(VirtioNetTest, WithoutMergingATooLongFrameIsDropped) {
  driver.bring_up(kVersion1, 2);
  give_room(100);
  EXPECT_TRUE(net.arrive(frame_of(1000)));
  EXPECT_FALSE(driver.take(kReceive));
  EXPECT_TRUE(net.arrive(frame_of(60)));
  EXPECT_TRUE(driver.take(kReceive));
  EXPECT_FALSE(driver.needs_reset());
}

TEST_P(VirtioNetTest, MergesBuffersOfALargeFrame) {
  driver.bring_up(kVersion1 | kMergeable | kGuestCsum | kGuestTso4, 2, 32);
  for (int i = 0; i < 20; ++i) give_room(1000);
  NetFrame large = frame_of(9000);
  for (std::size_t i = 0; i < 9000; ++i) large.bytes[i] = static_cast<std::byte>(i * 7 >> 3);
  large.segment_size = 1460;
  large.header_size = 54;
  large.checksum_start = 34;
  large.checksum_offset = 16;
  EXPECT_TRUE(net.arrive(large));
  std::string got;
  for (int i = 0; i < 10; ++i) {
    const auto used = driver.take(kReceive);
    ASSERT_TRUE(used) << i;
    EXPECT_EQ(used->length, i < 9 ? 1000u : 12u);
    got += driver.get(room_of[used->head], used->length);
  }
  EXPECT_FALSE(driver.take(kReceive));
  std::string expected = header(1, 1, 54, 1460, 34, 16);
  expected[10] = 10;
  EXPECT_EQ(got.substr(0, 12), expected);
  EXPECT_EQ(got.substr(12), text(large));
}

TEST_P(VirtioNetTest, FramesWaitForRoomAndBuffersAreNotLost) {
  driver.bring_up(kVersion1 | kMergeable | kEventIdx, 2, 8);
  give_room(500);
  give_room(500);
  EXPECT_FALSE(net.arrive(frame_of(1400)));
  EXPECT_FALSE(driver.take(kReceive));
  const u32 kicks = net.kicks();
  give_room(500);
  driver.kick(kReceive);
  EXPECT_GT(net.kicks(), kicks);
  EXPECT_TRUE(net.arrive(frame_of(1400, 'g')));
  std::string got;
  for (int i = 0; i < 3; ++i) {
    const auto used = driver.take(kReceive);
    ASSERT_TRUE(used);
    got += driver.get(room_of[used->head], used->length);
  }
  EXPECT_EQ(got.substr(12), std::string(1400, 'g'));
  EXPECT_FALSE(driver.needs_reset());
}

TEST_P(VirtioNetTest, AFrameThatNoNumberOfBuffersHoldsIsDropped) {
  driver.bring_up(kVersion1 | kMergeable, 2, 4);
  for (int i = 0; i < 4; ++i) give_room(100);
  EXPECT_TRUE(net.arrive(frame_of(1000)));
  EXPECT_FALSE(driver.take(kReceive));
  EXPECT_TRUE(net.arrive(frame_of(300)));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(driver.take(kReceive));
}

TEST_P(VirtioNetTest, OffloadsAreForDriversThatAskForThem) {
  EXPECT_FALSE(card->takes_large_frames(false));
  driver.bring_up(kVersion1 | kMergeable | kGuestCsum | kGuestTso6, 2);
  EXPECT_FALSE(card->takes_large_frames(false));
  EXPECT_TRUE(card->takes_large_frames(true));
  driver.bring_up(kVersion1 | kMergeable | kGuestTso4, 2);
  EXPECT_FALSE(card->takes_large_frames(false)) << "there is no checksum feature";
  // What was made for another driver is not shown to this one.
  give_room(5000);
  NetFrame large = frame_of(3000);
  large.segment_size = 1460;
  large.checksum_start = 34;
  EXPECT_TRUE(net.arrive(large));
  EXPECT_FALSE(driver.take(kReceive));
  driver.write(vreg::kStatus, 0);
  EXPECT_TRUE(net.arrive(frame_of(60))) << "dropped, nobody listens";
}

TEST_P(VirtioNetTest, AHostileReceiveRingNeedsAReset) {
  driver.bring_up(kVersion1 | kMergeable, 2, 8);
  driver.write_descriptor(driver.queue(kReceive).descriptors, 0, 0x1000, 100, kDescWrite, 0);  // not RAM
  driver.offer(kReceive, 0);
  net.arrive(frame_of(60));
  EXPECT_TRUE(driver.needs_reset());
  driver.bring_up(kVersion1 | kMergeable, 2, 8);
  give_room(2000);
  EXPECT_TRUE(net.arrive(frame_of(60)));
  EXPECT_TRUE(driver.take(kReceive));
}

INSTANTIATE_TEST_SUITE_P(Threads, VirtioNetTest, testing::Bool(),
                         [](const auto& each) { return each.param ? "Pulled" : "Pushed"; });

}  // namespace
}  // namespace pagoda::test
