// SPDX-License-Identifier: MIT
// The user network as a card sees it: an answer to ARP, in real time and through the machine's input, and forwarded
// ports.
#include "devices/net/user_net.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>

namespace pagoda::test {
namespace {

class Card final : public NetClient {
 public:
  bool takes_large_frames(bool) const override { return false; }
  std::size_t receive(std::span<const NetFrame> frames) override {
    const std::lock_guard lock(mutex);
    const std::size_t taken = std::min(room, frames.size());
    arrived.insert(arrived.end(), frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(taken));
    room -= taken;
    changed.notify_all();
    return taken;
  }
  bool transmit() override {
    std::vector<NetFrame> frames;
    {
      const std::lock_guard lock(mutex);
      frames.swap(outgoing);
    }
    for (const NetFrame& frame : frames) net->send(frame);
    return true;
  }
  void put_out(const NetFrame& frame) {
    if (!net->pulls()) return net->send(frame);
    {
      const std::lock_guard lock(mutex);
      outgoing.push_back(frame);
    }
    net->kick();
  }
  // Waits for a frame of this Ethernet type.
  bool wait_for(u16 type) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(120), [&] {
      return std::ranges::any_of(arrived, [&](const NetFrame& frame) {
        return frame.bytes.size() >= 14 && std::to_integer<u16>(frame.bytes[12]) == type >> 8 &&
               std::to_integer<u16>(frame.bytes[13]) == (type & 0xff);
      });
    });
  }

  UserNet* net = nullptr;
  std::size_t room = 1000;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<NetFrame> arrived, outgoing;
};

// Who has 10.0.2.2?
NetFrame arp_request() {
  const u8 bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2,  3, 8, 6, 0, 1, 8, 0,  6, 4, 0,
                      1,    0x52, 0x54, 0,    1,    2,    3,    10,   0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2};
  NetFrame frame;
  for (const u8 byte : bytes) frame.bytes.push_back(std::byte{byte});
  frame.bytes.resize(60);
  return frame;
}

TEST(UserNet, AnswersOnItsOwnThread) {
  Card card;
  auto net = UserNet::open(UserNetSpec{}, {});
  ASSERT_TRUE(net) << net.error().message;
  card.net = net->get();
  EXPECT_TRUE(card.net->pulls());
  card.net->connect(&card);
  card.put_out(arp_request());
  EXPECT_TRUE(card.wait_for(0x0806));
  card.net->connect(nullptr);
}

TEST(UserNet, DeliversThroughTheMachinesInput) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::function<void()>> events;
  Card card;
  auto net = UserNet::open(UserNetSpec{}, [&](std::function<void()> event) {
    const std::lock_guard lock(mutex);
    events.push_back(std::move(event));
    changed.notify_all();
  });
  ASSERT_TRUE(net) << net.error().message;
  card.net = net->get();
  EXPECT_FALSE(card.net->pulls());
  card.net->connect(&card);
  card.room = 0;
  card.put_out(arp_request());
  std::vector<std::function<void()>> posted;
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(120), [&] { return !events.empty(); }));
    posted.swap(events);
  }
  EXPECT_TRUE(card.arrived.empty());
  for (const auto& event : posted) event();
  EXPECT_TRUE(card.arrived.empty()) << "there was no room";
  card.room = 10;
  card.net->kick();
  EXPECT_FALSE(card.arrived.empty());
  card.net->connect(nullptr);
}

TEST(UserNet, ForwardsAPortAndSaysWhichIsTaken) {
  Card card;
  const int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  UserNetSpec spec;
  spec.origin = "-netdev user,id=n";
  spec.forwards.push_back({.udp = false,
                           .host_address = INADDR_LOOPBACK,
                           .host_port = ntohs(address.sin_port),
                           .guest_address = 0,
                           .guest_port = 22,
                           .text = "tcp:..."});
  const auto refused = UserNet::open(spec, {});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("-netdev user,id=n: hostfwd=tcp:...: ")) << refused.error().message;
  close(taken);
  auto net = UserNet::open(spec, {});
  ASSERT_TRUE(net) << net.error().message;
  card.net = net->get();
  card.net->connect(&card);
  card.put_out(arp_request());
  ASSERT_TRUE(card.wait_for(0x0806));
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), size), 0);
  // The guest is asked where it is, or gets the SYN.
  EXPECT_TRUE(card.wait_for(0x0800) || card.wait_for(0x0806));
  close(client);
  card.net->connect(nullptr);
}

TEST(UserNet, RefusesAFolderThatIsNotThere) {
  UserNetSpec spec;
  spec.origin = "-netdev user,id=n";
  spec.tftp = "/nonexistent/folder";
  const auto net = UserNet::open(spec, {});
  ASSERT_FALSE(net);
  EXPECT_EQ(net.error().message, "-netdev user,id=n: tftp=/nonexistent/folder: there is no such folder");
}

}  // namespace
}  // namespace pagoda::test
