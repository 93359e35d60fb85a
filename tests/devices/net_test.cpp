// SPDX-License-Identifier: MIT
// Checksums and the joining of TCP segments.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "devices/net/checksum.h"
#include "devices/net/tcp_coalescer.h"

namespace pagoda::test {
namespace {

using Bytes = std::vector<std::byte>;

// RFC 1071 to the letter: big-endian words, end-around carry.
u16 plain_sum(std::span<const std::byte> bytes) {
  u32 sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += std::to_integer<u32>(bytes[i]) << 8;
    if (i + 1 < bytes.size()) sum += std::to_integer<u32>(bytes[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<u16>(sum);
}
u16 swap(u16 value) { return static_cast<u16>(value << 8 | value >> 8); }

TEST(InternetChecksum, AgreesWithThePlainSum) {
  std::mt19937 random(1);
  for (std::size_t size : {0, 1, 2, 3, 7, 8, 9, 15, 16, 63, 1460, 65535}) {
    for (const u8 fill : {0x00, 0xff, 0x01}) {
      Bytes bytes(size, std::byte{fill});
      if (fill == 1) {
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      }
      EXPECT_EQ(swap(internet_sum(bytes)), plain_sum(bytes)) << size;
    }
  }
}

TEST(InternetChecksum, CompletesAPartialOne) {
  Bytes frame(60, std::byte{3});
  frame[50] = std::byte{0x12};  // the pseudo header's sum
  frame[51] = std::byte{0x34};
  const u16 expected = static_cast<u16>(~plain_sum(std::span(frame).subspan(34)));
  ASSERT_TRUE(complete_checksum(frame, 34, 16));
  EXPECT_EQ(std::to_integer<u32>(frame[50]) << 8 | std::to_integer<u32>(frame[51]), expected);
  EXPECT_FALSE(complete_checksum(frame, 34, 25));
  EXPECT_FALSE(complete_checksum(frame, 0xffff, 0xffff));
}

// A TCP segment with right checksums.
Bytes segment(bool ipv6, u32 sequence, std::size_t size, u8 flags = 0x10, u16 port = 80, char fill = 'd') {
  const std::size_t ip = 14, tcp = ipv6 ? 54 : 34;
  Bytes frame(tcp + 20 + size);
  const auto put16 = [&](std::size_t at, u32 value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  };
  for (std::size_t i = 0; i < 12; ++i) frame[i] = static_cast<std::byte>(i);
  const u32 length = static_cast<u32>(20 + size);
  Bytes pseudo;
  if (ipv6) {
    put16(12, 0x86dd);
    frame[ip] = std::byte{0x60};
    put16(ip + 4, length);
    frame[ip + 6] = std::byte{6};
    for (std::size_t i = 8; i < 40; ++i) frame[ip + i] = static_cast<std::byte>(i);
    pseudo.assign(frame.begin() + 22, frame.begin() + 54);
  } else {
    put16(12, 0x0800);
    frame[ip] = std::byte{0x45};
    put16(ip + 2, 20 + length);
    put16(ip + 4, sequence);  // identification
    frame[ip + 8] = std::byte{64};
    frame[ip + 9] = std::byte{6};
    for (std::size_t i = 12; i < 20; ++i) frame[ip + i] = static_cast<std::byte>(i);
    put16(ip + 10, static_cast<u16>(~plain_sum(std::span(frame).subspan(ip, 20))));
    pseudo.assign(frame.begin() + 26, frame.begin() + 34);
  }
  put16(tcp, port);
  put16(tcp + 2, 5000);
  put16(tcp + 4, sequence >> 16);
  put16(tcp + 6, sequence);
  frame[tcp + 12] = std::byte{0x50};
  frame[tcp + 13] = static_cast<std::byte>(flags);
  put16(tcp + 14, 1000 + sequence % 7);  // window
  std::fill(frame.begin() + static_cast<std::ptrdiff_t>(tcp) + 20, frame.end(), static_cast<std::byte>(fill));
  for (const u32 word : {u32{0}, u32{6}, u32{0}, length}) {
    pseudo.push_back(static_cast<std::byte>(word >> 8));
    pseudo.push_back(static_cast<std::byte>(word));
  }
  pseudo.insert(pseudo.end(), frame.begin() + static_cast<std::ptrdiff_t>(tcp), frame.end());
  put16(tcp + 16, static_cast<u16>(~plain_sum(pseudo)));
  return frame;
}

struct Coalesced : testing::TestWithParam<bool> {
  std::vector<NetFrame> out;
  TcpCoalescer coalescer{[this](NetFrame frame) { out.push_back(std::move(frame)); }};
  void add(const Bytes& frame) { coalescer.add(frame, true, true); }
};

TEST_P(Coalesced, JoinsARunAndMakesItsHeaders) {
  const bool ipv6 = GetParam();
  for (u32 i = 0; i < 5; ++i) add(segment(ipv6, 1000 + i * 100, i < 4 ? 100 : 30, i < 4 ? 0x10 : 0x18));
  ASSERT_EQ(out.size(), 1u);
  NetFrame& frame = out[0];
  EXPECT_EQ(frame.segment_size, 100);
  EXPECT_EQ(frame.header_size, ipv6 ? 74 : 54);
  EXPECT_EQ(frame.is_ipv6, ipv6);
  EXPECT_FALSE(frame.checksum_good);
  // With its checksum completed it is the segment that would have carried all of it, but for the IPv4 identification.
  ASSERT_TRUE(complete_checksum(frame.bytes, frame.checksum_start, frame.checksum_offset));
  Bytes expected = segment(ipv6, 1000, 430, 0x18);
  const std::size_t tcp = ipv6 ? 54 : 34;
  Bytes last = segment(ipv6, 1400, 30, 0x18);
  // The window is the last segment's; the checksum takes the difference.
  u32 sum =
      static_cast<u16>(~(std::to_integer<u32>(expected[tcp + 16]) << 8 | std::to_integer<u32>(expected[tcp + 17])));
  sum += static_cast<u16>(~(1000u + 1000 % 7)) + (1000u + 1400 % 7);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  expected[tcp + 14] = last[tcp + 14];
  expected[tcp + 15] = last[tcp + 15];
  expected[tcp + 16] = static_cast<std::byte>(~sum >> 8);
  expected[tcp + 17] = static_cast<std::byte>(~sum);
  EXPECT_EQ(frame.bytes, expected);
}

TEST_P(Coalesced, KeepsOrderAndWhatDoesNotBelong) {
  const bool ipv6 = GetParam();
  const Bytes first = segment(ipv6, 1000, 100), hole = segment(ipv6, 1300, 100),
              other = segment(ipv6, 1400, 100, 0x10, 81), fin = segment(ipv6, 1500, 100, 0x11, 81),
              bare = segment(ipv6, 1600, 0, 0x10, 81);
  const Bytes arp(42, std::byte{6});
  const std::vector<Bytes> frames = {first, hole, other, fin, bare, arp};
  for (const Bytes& frame : frames) add(frame);
  coalescer.flush();
  ASSERT_EQ(out.size(), frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    EXPECT_EQ(out[i].bytes, frames[i]) << i;
    EXPECT_EQ(out[i].segment_size, 0);
    EXPECT_TRUE(out[i].checksum_good);
  }
}

TEST_P(Coalesced, AShorterSegmentEndsTheRunALongerOneBeginsAnother) {
  const bool ipv6 = GetParam();
  add(segment(ipv6, 1000, 100));
  add(segment(ipv6, 1100, 60));
  add(segment(ipv6, 1160, 100));
  add(segment(ipv6, 1260, 101));
  coalescer.flush();
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].segment_size, 100);
  EXPECT_EQ(out[1].segment_size, 0);
  EXPECT_EQ(out[2].segment_size, 0);
}

TEST_P(Coalesced, NoFrameIsLongerThanAnIpPacket) {
  const bool ipv6 = GetParam();
  for (u32 i = 0; i < 100; ++i) add(segment(ipv6, i * 1460, 1460));
  coalescer.flush();
  std::size_t payload = 0;
  for (const NetFrame& frame : out) {
    EXPECT_LE(frame.bytes.size(), 65535u + 14);
    payload += frame.bytes.size() - (ipv6 ? 74 : 54);
  }
  EXPECT_EQ(payload, 146000u);
  EXPECT_EQ(out.size(), 3u);
}

TEST_P(Coalesced, NothingIsJoinedForACardThatCannot) {
  for (u32 i = 0; i < 3; ++i) coalescer.add(segment(GetParam(), i * 100, 100), GetParam(), !GetParam());
  EXPECT_EQ(out.size(), 3u);
}

TEST_P(Coalesced, RandomBytesComeOutAsTheyWere) {
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    Bytes frame = segment(GetParam(), 1, random() % 40);
    frame.resize(random() % (frame.size() + 1));
    for (int change = 0; change < 3 && !frame.empty(); ++change)
      frame[random() % frame.size()] = static_cast<std::byte>(random());
    out.clear();
    add(frame);
    coalescer.flush();
    ASSERT_EQ(out.size(), 1u);
    ASSERT_LE(out[0].bytes.size(), frame.size());
    ASSERT_TRUE(std::equal(out[0].bytes.begin(), out[0].bytes.end(), frame.begin()));
  }
}

INSTANTIATE_TEST_SUITE_P(Ip, Coalesced, testing::Bool(), [](const auto& each) { return each.param ? "V6" : "V4"; });

}  // namespace
}  // namespace pagoda::test
