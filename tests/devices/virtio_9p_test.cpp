// SPDX-License-Identifier: MIT
// The 9P transport: messages through the queue, answers in virtual time, resets while requests are under way, chains
// that make no sense.
#include "devices/virtio/p9.h"

#include "devices/p9_client.h"
#include "devices/virtio_driver.h"

namespace pagoda::test {
namespace {

std::string message(u8 type, const std::function<void(p9::Writer&)>& fill) {
  std::vector<u8> bytes;
  p9::Writer out(bytes);
  out.word(0);
  out.byte(type);
  out.half(1);
  fill(out);
  for (u32 i = 0; i < 4; ++i) bytes[i] = static_cast<u8>(bytes.size() >> (8 * i));
  return {bytes.begin(), bytes.end()};
}

std::string version(u32 size = 8192) {
  return message(100, [=](p9::Writer& out) { out.word(size), out.text("9P2000.L"); });
}
std::string attach(u32 fid) {
  return message(104, [=](p9::Writer& out) { out.word(fid), out.word(~0u), out.text(""), out.text(""), out.word(0); });
}

struct Share {
  SharedFolder folder;
  Bench bench;
  VirtioMmio slot;
  VirtioDriver driver{slot, bench.memory};

  explicit Share(bool in_virtual_time = false) : slot("virtio0", make(*this, in_virtual_time), bench.irqs.line(1)) {
    driver.bring_up(kVersion1 | 1, 1, 16);
  }
  static std::unique_ptr<VirtioDevice> make(Share& share, bool in_virtual_time) {
    auto opened = p9::HostFolder::open(share.folder.shared().string(), p9::Security::none, false);
    EXPECT_TRUE(opened.has_value());
    return std::make_unique<VirtioP9>(share.bench.memory, "share0", "tag", std::move(*opened),
                                      in_virtual_time ? &share.bench.clock : nullptr);
  }
  u64 post(const std::string& text, u32 room = 256) {
    const u64 answer = driver.allocate(room);
    driver.add(0, {{driver.put(text), static_cast<u32>(text.size()), false}, {answer, room, true}});
    driver.kick(0);
    return answer;
  }
  // Type of the answer and what follows the header.
  std::pair<u8, std::string> ask(const std::string& text, u32 room = 256) {
    const u64 answer = post(text, room);
    const Used used = driver.wait(0);
    const std::string bytes = driver.get(answer, used.length);
    if (bytes.size() < 7) return {0, bytes};
    return {static_cast<u8>(bytes[4]), bytes.substr(7)};
  }
};

TEST(Virtio9p, ServesMessages) {
  Share share;
  EXPECT_EQ(share.driver.read(vreg::kDeviceId), 9u);
  EXPECT_EQ(share.driver.device_features() & 1, 1u);
  EXPECT_EQ(share.driver.read(vreg::kConfig, 2), 3u);
  EXPECT_EQ(share.driver.read(vreg::kConfig + 2, 1), u32{'t'});
  EXPECT_EQ(share.ask(version()).first, 101);
  EXPECT_EQ(share.ask(attach(0)).first, 105);
  EXPECT_EQ(share.ask(attach(0)).first, 7);  // used twice
  const auto created = share.ask(
      message(14, [](p9::Writer& out) { out.word(0), out.text("file"), out.word(2), out.word(0644), out.word(0); }));
  EXPECT_EQ(created.first, 15);
  const std::string data(5000, 'z');
  const auto written = share.ask(message(118, [&](p9::Writer& out) {
    out.word(0), out.wide(0), out.word(5000),
        out.bytes(std::span(reinterpret_cast<const u8*>(data.data()), data.size()));
  }));
  EXPECT_EQ(written.first, 119);
  EXPECT_EQ(share.folder.get("file"), data);
  const auto read = share.ask(message(116, [](p9::Writer& out) { out.word(0), out.wide(0), out.word(5000); }), 6000);
  EXPECT_EQ(read.second.substr(4), data);
  EXPECT_TRUE(share.bench.irqs.level(1));
}

TEST(Virtio9p, ManyMessagesAtOnceAreAnsweredInOrder) {
  Share share;
  EXPECT_EQ(share.ask(version()).first, 101);
  std::vector<u64> answers;
  for (u32 fid = 0; fid < 8; ++fid) answers.push_back(share.post(attach(fid), 64));
  for (u32 fid = 0; fid < 8; ++fid) EXPECT_EQ(share.driver.wait(0).length, 20u);
  for (const u64 answer : answers) EXPECT_EQ(share.driver.load<u8>(answer + 4), 105);
}

TEST(Virtio9p, AResetForgetsEverything) {
  Share share;
  for (int i = 0; i < 50; ++i) {
    share.post(version());
    share.post(attach(7));
    share.driver.bring_up(kVersion1 | 1, 1, 16);
  }
  EXPECT_EQ(share.ask(version()).first, 101);
  EXPECT_EQ(share.ask(attach(7)).first, 105);
}

TEST(Virtio9p, BadChainsAndSizes) {
  for (const std::string& text : {std::string("\x07\0\0\0", 4), std::string()}) {
    Share share;
    const u64 answer = share.driver.allocate(64);
    std::vector<Piece> pieces = {{answer, 64, true}};
    if (!text.empty()) pieces.insert(pieces.begin(), {share.driver.put(text), 4, false});
    share.driver.add(0, pieces);
    share.driver.kick(0);
    EXPECT_TRUE(share.driver.needs_reset());
  }
  {
    Share share;
    share.post(version(), 10);  // no room for any answer
    EXPECT_TRUE(share.driver.needs_reset());
  }
  Share share;
  EXPECT_EQ(share.ask(version()).first, 101);
  std::string lies = attach(1);
  lies[3] = '\x7f';  // longer than it is
  EXPECT_EQ(share.ask(lies).first, 7);
  lies = attach(1);
  lies[0] = 3;
  EXPECT_EQ(share.ask(lies).first, 7);
  // Longer than a message may be.
  lies = attach(1) + std::string(9000, 'x');
  lies[0] = static_cast<char>(lies.size());
  lies[1] = static_cast<char>(lies.size() >> 8);
  EXPECT_EQ(share.ask(lies).first, 7);
  EXPECT_EQ(share.ask(attach(1) + std::string(100, 'x')).first, 105);  // what follows a message is not part of it
}

TEST(Virtio9p, AnswersComeAtTheirVirtualTime) {
  Share share(true);
  share.post(version());
  EXPECT_FALSE(share.driver.take(0));
  share.bench.now_ns += 99'999;
  share.bench.clock.run_due();
  EXPECT_FALSE(share.driver.take(0));
  share.bench.now_ns += 1;
  share.bench.clock.run_due();
  EXPECT_TRUE(share.driver.take(0));
}

TEST(Virtio9p, AnswersInFlightAreSavedAndRestored) {
  Share first(true), second(true);
  first.post(version());
  const u64 answer = first.post(attach(9));
  const std::vector<u8> saved = save_state(first.slot);
  std::vector<std::byte> ram(Bench::kRamSize);
  ASSERT_TRUE(first.bench.memory.read(GuestPhys(Bench::kRamBase), ram));
  ASSERT_TRUE(second.bench.memory.write(GuestPhys(Bench::kRamBase), ram));
  ASSERT_TRUE(restore_state(second.slot, saved));
  EXPECT_EQ(save_state(second.slot), saved);
  second.bench.now_ns += 1'000'000;
  second.bench.clock.run_due();
  u32 size = 0;
  ASSERT_TRUE(second.bench.memory.load<u32>(GuestPhys(answer), &size));
  EXPECT_EQ(size, 20u);
}

}  // namespace
}  // namespace pagoda::test
