// SPDX-License-Identifier: MIT
// Console ports: plain and multiport drivers, named ports, input that waits, window size, emergency write.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "devices/virtio/console.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

constexpr u64 kSize = 1, kMultiport = 2;
constexpr u16 kControlIn = 2, kControlOut = 3;

class VirtioConsoleTest : public testing::Test {
 protected:
  Bench bench;
  RecordingBackend channel;
  VirtioConsole* console = new VirtioConsole(bench.memory, "console0",
                                             {{0, true, "", &bench.backend}, {2, false, "org.pagoda.0", &channel}}, 3);
  VirtioMmio slot{"virtio0", std::unique_ptr<VirtioDevice>(console), bench.irqs.line(1)};
  VirtioDriver driver{slot, bench.memory};
  std::map<u32, u64> room_of;  // head -> address, for receive queues

  void give_room(u16 queue, u32 size = 64) {
    const u64 room = driver.allocate(size);
    room_of[queue * 0x10000u + driver.add(queue, {{room, size, true}})] = room;
    driver.kick(queue);
  }
  // What came in on a receive queue next.
  std::string received(u16 queue) {
    const auto used = driver.take(queue);
    return used ? driver.get(room_of[queue * 0x10000u + used->head], used->length) : "";
  }
  void send(u16 queue, const std::string& text) {
    driver.add(queue, {{driver.put(text), static_cast<u32>(text.size()), false}});
    driver.kick(queue);
    EXPECT_TRUE(driver.take(queue));
  }
  static std::string control(u32 port, u16 event, u16 value, const std::string& extra = "") {
    std::string bytes;
    for (int i = 0; i < 4; ++i) bytes += static_cast<char>(port >> (8 * i));
    for (const u16 each : {event, value}) bytes += {static_cast<char>(each), static_cast<char>(each >> 8)};
    return bytes + extra;
  }
  void bring_up_multiport() {
    driver.bring_up(kVersion1 | kSize | kMultiport | kEventIdx, 8, 32);
    for (int i = 0; i < 10; ++i) give_room(kControlIn);
  }
};

TEST_F(VirtioConsoleTest, OnePortWithoutMultiport) {
  EXPECT_EQ(driver.read(vreg::kDeviceId), 3u);
  EXPECT_EQ(driver.device_features() & 7, 7u);
  EXPECT_EQ(driver.read(vreg::kConfig + 4), 3u);
  driver.bring_up(kVersion1, 2);
  send(1, "hello\n");
  EXPECT_EQ(bench.backend.sent(), "hello\n");
  EXPECT_EQ(driver.read(vreg::kIrqStatus), 1u);
  give_room(0);
  bench.backend.type("typed");
  EXPECT_EQ(received(0), "typed");
}

TEST_F(VirtioConsoleTest, InputWaitsForRoomAndNothingIsLost) {
  driver.bring_up(kVersion1 | kEventIdx, 2);
  bench.backend.type("abcdefgh");
  EXPECT_EQ(bench.backend.waiting(), 8u);
  give_room(0, 3);
  bench.backend.deliver();
  EXPECT_EQ(received(0), "abc");
  EXPECT_EQ(bench.backend.waiting(), 5u);
  give_room(0, 3);
  give_room(0, 3);
  bench.backend.deliver();
  EXPECT_EQ(received(0), "def");
  EXPECT_EQ(received(0), "gh");
  EXPECT_EQ(bench.backend.waiting(), 0u);
}

TEST_F(VirtioConsoleTest, InputBeforeTheDriverStays) {
  bench.backend.type("early");
  EXPECT_EQ(bench.backend.waiting(), 5u);
  driver.bring_up(kVersion1, 2);
  give_room(0);
  bench.backend.deliver();
  EXPECT_EQ(received(0), "early");
}

TEST_F(VirtioConsoleTest, PortsAreAnnouncedNamedAndOpened) {
  bring_up_multiport();
  send(kControlOut, control(0xffffffff, 0, 1));
  EXPECT_EQ(received(kControlIn), control(0, 1, 0));
  EXPECT_EQ(received(kControlIn), control(2, 1, 0));
  EXPECT_EQ(received(kControlIn), "");
  send(kControlOut, control(0, 3, 1));
  EXPECT_EQ(received(kControlIn), control(0, 4, 1)) << "port 0 is a console";
  EXPECT_EQ(received(kControlIn), control(0, 6, 1));
  send(kControlOut, control(2, 3, 1));
  EXPECT_EQ(received(kControlIn), control(2, 7, 1, "org.pagoda.0"));
  EXPECT_EQ(received(kControlIn), control(2, 6, 1));
  EXPECT_EQ(received(kControlIn), "");
}

TEST_F(VirtioConsoleTest, PortsHaveQueuesOfTheirOwn) {
  bring_up_multiport();
  send(1, "to the console");
  send(7, "to the channel");
  EXPECT_EQ(bench.backend.sent(), "to the console");
  EXPECT_EQ(channel.sent(), "to the channel");
  send(5, "to nobody");
  give_room(6);
  channel.type("from outside");
  EXPECT_EQ(channel.waiting(), 12u) << "the guest has not opened it";
  send(kControlOut, control(2, 6, 1));
  channel.deliver();
  EXPECT_EQ(received(6), "from outside");
  send(kControlOut, control(2, 6, 0));
  give_room(6);
  channel.type("more");
  EXPECT_EQ(channel.waiting(), 4u);
}

TEST_F(VirtioConsoleTest, ControlMessagesWaitForBuffersWithinLimits) {
  driver.bring_up(kVersion1 | kMultiport, 8, 32);
  send(kControlOut, control(0, 0, 1));
  give_room(kControlIn);
  EXPECT_EQ(received(kControlIn), control(0, 1, 0));
  EXPECT_EQ(received(kControlIn), "");
  give_room(kControlIn, 4);
  EXPECT_EQ(received(kControlIn), control(2, 1, 0).substr(0, 4)) << "cut, not beyond the buffer";
  const std::size_t before = save_state(slot).size();
  for (int i = 0; i < 2000; ++i) {
    driver.add(kControlOut, {{Bench::kRamBase + 0x8000, 8, false}});
    driver.store<u64>(Bench::kRamBase + 0x8000, u64{1} << 48);
    driver.kick(kControlOut);
    driver.take(kControlOut);
  }
  EXPECT_LT(save_state(slot).size() - before, 10'000u) << "a driver that takes nothing cannot fill the host";
  EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioConsoleTest, BadControlMessagesDoNothing) {
  bring_up_multiport();
  send(kControlOut, "short");
  send(kControlOut, control(1, 3, 1));
  send(kControlOut, control(0xdeadbeef, 6, 1));
  send(kControlOut, control(0, 99, 1));
  send(kControlOut, control(0, 3, 0));
  EXPECT_EQ(received(kControlIn), "");
  EXPECT_FALSE(driver.needs_reset());
}

TEST_F(VirtioConsoleTest, WindowSizeGoesToOpenConsoles) {
  bring_up_multiport();
  send(kControlOut, control(0, 6, 1));
  console->resize(100, 40);
  EXPECT_EQ(received(kControlIn), control(0, 5, 0, std::string("\x64\0\x28\0", 4)));
  EXPECT_EQ(driver.read(vreg::kConfig), 40u << 16 | 100u);
}

TEST_F(VirtioConsoleTest, ChannelsFollowTheHostEnd) {
  bring_up_multiport();
  channel.raise(CharEvent::closed);
  EXPECT_EQ(received(kControlIn), control(2, 6, 0));
  send(kControlOut, control(2, 3, 1));
  EXPECT_EQ(received(kControlIn), control(2, 7, 1, "org.pagoda.0"));
  EXPECT_EQ(received(kControlIn), "") << "nobody is there to open it";
  channel.raise(CharEvent::opened);
  channel.raise(CharEvent::opened);
  EXPECT_EQ(received(kControlIn), control(2, 6, 1));
  bench.backend.raise(CharEvent::closed);
  EXPECT_EQ(received(kControlIn), "") << "a console stays open";
}

TEST_F(VirtioConsoleTest, EmergencyWriteWorksFromTheStart) {
  driver.write(vreg::kConfig + 8, '!', 4);
  driver.write(vreg::kConfig + 8, '?', 1);
  EXPECT_EQ(bench.backend.sent(), "!?");
  driver.write(vreg::kConfig + 9, 'x', 1);
  driver.write(vreg::kConfig + 4, 'x', 4);
  driver.write(vreg::kConfig + 12, 'x', 4);
  EXPECT_EQ(bench.backend.sent(), "!?");
}

TEST_F(VirtioConsoleTest, OutputInManyPiecesAndTooMuchOutput) {
  driver.bring_up(kVersion1 | kIndirect, 2);
  std::vector<Piece> pieces;
  std::string expected;
  for (u32 i = 1; i <= 40; ++i) {
    const std::string text(i * 7, static_cast<char>('a' + i % 26));
    expected += text;
    pieces.push_back({driver.put(text), static_cast<u32>(text.size()), false});
  }
  driver.add(1, pieces, true);
  driver.kick(1);
  EXPECT_TRUE(driver.take(1));
  EXPECT_EQ(bench.backend.sent(), expected);
  // 1024 times half of RAM in one buffer chain: taken, but not all of it sent.
  const u64 table = driver.allocate(1024 * 16);
  for (u16 i = 0; i < 1024; ++i)
    driver.write_descriptor(table, i, Bench::kRamBase, 0x80000, i < 1023 ? kDescNext : 0, i + 1);
  driver.write_descriptor(driver.queue(1).descriptors, 0, table, 1024 * 16, kDescIndirect, 0);
  driver.queue(1).used_by[0] = {};
  driver.offer(1, 0);
  driver.kick(1);
  EXPECT_TRUE(driver.take(1));
  EXPECT_EQ(bench.backend.sent().size(), expected.size() + (16 << 20));
}

TEST_F(VirtioConsoleTest, ResetClosesPortsAndForgetsMessages) {
  bring_up_multiport();
  send(kControlOut, control(2, 6, 1));
  driver.bring_up(kVersion1 | kMultiport, 8, 32);
  give_room(6);
  channel.type("x");
  EXPECT_EQ(channel.waiting(), 1u);
}

TEST_F(VirtioConsoleTest, OpenPortsAndWaitingMessagesAreSaved) {
  driver.bring_up(kVersion1 | kMultiport, 8, 32);
  send(kControlOut, control(2, 6, 1));
  send(kControlOut, control(2, 3, 1));  // two messages without a buffer
  console->resize(80, 25);
  const std::vector<u8> saved = save_state(slot);
  send(kControlOut, control(2, 6, 0));
  give_room(kControlIn);
  give_room(kControlIn);
  EXPECT_EQ(received(kControlIn), control(2, 7, 1, "org.pagoda.0"));
  ASSERT_TRUE(restore_state(slot, saved));
  EXPECT_EQ(save_state(slot), saved);
}

// The main loop types and resizes while a vcpu gives buffers: nothing is lost, doubled or out of order.
TEST_F(VirtioConsoleTest, InputFromAnotherThread) {
  driver.bring_up(kVersion1 | kEventIdx | kSize, 2, 16);
  constexpr u32 kBytes = 20'000;
  std::thread main_loop([&] {
    for (u32 i = 0; i < kBytes; ++i) {
      const u8 byte = static_cast<u8>(i % 251);
      bench.backend.type({&byte, 1});
      if (i % 1000 == 0) console->resize(static_cast<u16>(80 + i / 1000), 25);
    }
    while (bench.backend.waiting() != 0) {
      bench.backend.deliver();
      std::this_thread::yield();
    }
  });
  std::string all;
  const u64 room = driver.allocate(16 * 32);
  std::map<u32, u64> at;
  for (u32 i = 0; i < 15; ++i) at[driver.add(0, {{room + 32 * i, 16, true}})] = room + 32 * i;
  driver.kick(0);
  while (all.size() < kBytes) {
    const Used used = driver.wait(0);
    if (used.length == 0) break;
    all += driver.get(at[used.head], used.length);
    const u64 free_room = at[used.head];
    at[driver.add(0, {{free_room, 16, true}})] = free_room;
    driver.kick(0);
  }
  main_loop.join();
  ASSERT_EQ(all.size(), kBytes);
  for (u32 i = 0; i < kBytes; ++i) ASSERT_EQ(static_cast<u8>(all[i]), i % 251) << i;
}

}  // namespace
}  // namespace pagoda::test
