// SPDX-License-Identifier: MIT
// Joining TCP segments: what may be joined, and the headers of the result.
#include "devices/net/tcp_coalescer.h"

#include <cstring>
#include <utility>

#include "devices/net/checksum.h"

namespace pagoda {
namespace {

constexpr u16 kEthernetHeader = 14;
constexpr u16 kIpv4Header = 20;
constexpr u16 kIpv6Header = 40;
constexpr u16 kTcpHeader = 20;
constexpr u8 kTcp = 6;
constexpr u16 kTcpChecksum = 16;  // offset in the TCP header
constexpr u8 kFlagPsh = 0x08;
constexpr u8 kFlagAck = 0x10;
constexpr u32 kMaxIpPacket = 65535;

u16 get16(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<u16>(std::to_integer<u16>(bytes[at]) << 8 | std::to_integer<u16>(bytes[at + 1]));
}
u32 get32(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<u32>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}
void put16(std::span<std::byte> bytes, std::size_t at, u32 value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}
bool same(std::span<const std::byte> a, std::span<const std::byte> b, std::size_t from, std::size_t to) {
  return std::memcmp(a.data() + from, b.data() + from, to - from) == 0;
}
// A sum in memory order, of a value in network order.
u16 network_word(u32 value) { return static_cast<u16>((value & 0xff) << 8 | (value >> 8 & 0xff)); }

}  // namespace

bool TcpCoalescer::parse(std::span<const std::byte> frame, Segment* segment) {
  if (frame.size() < kEthernetHeader + kIpv4Header + kTcpHeader) return false;
  const u16 type = get16(frame, 12);
  std::size_t end = 0;
  if (type == 0x0800) {
    const u16 length = get16(frame, kEthernetHeader + 2);
    const bool is_fragment = (get16(frame, kEthernetHeader + 6) & 0x3fff) != 0;
    if (frame[kEthernetHeader] != std::byte{0x45} || is_fragment || frame[kEthernetHeader + 9] != std::byte{kTcp})
      return false;
    segment->is_ipv6 = false;
    segment->transport = kEthernetHeader + kIpv4Header;
    end = std::size_t{kEthernetHeader} + length;
  } else if (type == 0x86dd) {
    if (frame.size() < kEthernetHeader + kIpv6Header + kTcpHeader) return false;
    if (frame[kEthernetHeader + 6] != std::byte{kTcp}) return false;
    segment->is_ipv6 = true;
    segment->transport = kEthernetHeader + kIpv6Header;
    end = std::size_t{segment->transport} + get16(frame, kEthernetHeader + 4);
  } else {
    return false;
  }
  const std::size_t header = static_cast<std::size_t>(std::to_integer<u32>(frame[segment->transport + 12u]) >> 4) * 4;
  const u8 flags = std::to_integer<u8>(frame[segment->transport + 13u]);
  const std::size_t payload = segment->transport + header;
  if (header < kTcpHeader || payload >= end || end > frame.size() || end - kEthernetHeader > kMaxIpPacket) return false;
  if ((flags & ~kFlagPsh) != kFlagAck) return false;
  segment->payload = static_cast<u32>(payload);
  segment->end = static_cast<u32>(end);
  segment->sequence = get32(frame, segment->transport + 4u);
  segment->is_last = (flags & kFlagPsh) != 0;
  return true;
}

bool TcpCoalescer::continues(std::span<const std::byte> frame, const Segment& segment) const {
  const u32 size = segment.end - segment.payload;
  const std::span<const std::byte> base = open_frame_.bytes;
  if (segments_ == 0 || segment.is_ipv6 != open_.is_ipv6 || segment.payload != open_.payload ||
      segment.sequence != next_sequence_ || size > segment_size_ || base.size() + size - kEthernetHeader > kMaxIpPacket)
    return false;
  const std::size_t ip = kEthernetHeader;
  const std::size_t tcp = segment.transport;
  // Addresses, type and what else of the IP header does not go with length, identification and checksum.
  const bool same_ip = segment.is_ipv6 ? same(base, frame, ip, ip + 4) && same(base, frame, ip + 6, ip + kIpv6Header)
                                       : same(base, frame, ip, ip + 2) && same(base, frame, ip + 6, ip + 10) &&
                                             same(base, frame, ip + 12, ip + kIpv4Header);
  return same(base, frame, 0, kEthernetHeader) && same_ip && same(base, frame, tcp, tcp + 4) &&
         same(base, frame, tcp + 8, tcp + 13) && same(base, frame, tcp + 18, segment.payload);
}

void TcpCoalescer::open(std::span<const std::byte> frame, const Segment& segment) {
  open_frame_ = NetFrame{};
  open_frame_.bytes.reserve(16 << 10);
  open_frame_.bytes.assign(frame.begin(), frame.begin() + segment.end);
  open_ = segment;
  segments_ = 1;
  segment_size_ = static_cast<u16>(segment.end - segment.payload);
  next_sequence_ = segment.sequence + segment_size_;
}

void TcpCoalescer::append(std::span<const std::byte> frame, const Segment& segment) {
  const auto payload = frame.subspan(segment.payload, segment.end - segment.payload);
  open_frame_.bytes.insert(open_frame_.bytes.end(), payload.begin(), payload.end());
  // The last word on flags and window is the newest segment's.
  std::memcpy(open_frame_.bytes.data() + segment.transport + 13, frame.data() + segment.transport + 13, 3);
  ++segments_;
  next_sequence_ += static_cast<u32>(payload.size());
  if (segment.is_last || payload.size() < segment_size_) flush();
}

void TcpCoalescer::add(std::span<const std::byte> frame, bool join_ipv4, bool join_ipv6) {
  Segment segment;
  if (parse(frame, &segment) && (segment.is_ipv6 ? join_ipv6 : join_ipv4)) {
    if (continues(frame, segment)) return append(frame, segment);
    flush();
    open(frame, segment);
    if (segment.is_last) flush();
    return;
  }
  flush();
  NetFrame plain;
  plain.bytes.assign(frame.begin(), frame.end());
  plain.checksum_good = true;
  sink_(std::move(plain));
}

void TcpCoalescer::flush() {
  if (segments_ == 0) return;
  if (std::exchange(segments_, 0) == 1) {
    open_frame_.checksum_good = true;
    return sink_(std::move(open_frame_));
  }
  NetFrame& frame = open_frame_;
  const std::span<std::byte> bytes = frame.bytes;
  const u32 transport_size = static_cast<u32>(bytes.size() - open_.transport);
  u16 sum = 0;
  if (open_.is_ipv6) {
    put16(bytes, kEthernetHeader + 4, transport_size);
    sum = internet_sum(bytes.subspan(kEthernetHeader + 8, 32));
  } else {
    put16(bytes, kEthernetHeader + 2, transport_size + kIpv4Header);
    put16(bytes, kEthernetHeader + 10, 0);
    const u16 checksum = static_cast<u16>(~internet_sum(bytes.subspan(kEthernetHeader, kIpv4Header)));
    std::memcpy(bytes.data() + kEthernetHeader + 10, &checksum, sizeof checksum);
    sum = internet_sum(bytes.subspan(kEthernetHeader + 12, 8));
  }
  // The rest of the pseudo header: protocol and length.
  const u16 rest[] = {network_word(kTcp), network_word(transport_size & 0xffff), network_word(transport_size >> 16)};
  sum = internet_sum(std::as_bytes(std::span(rest)), sum);
  std::memcpy(bytes.data() + open_.transport + kTcpChecksum, &sum, sizeof sum);
  frame.checksum_start = open_.transport;
  frame.checksum_offset = kTcpChecksum;
  frame.segment_size = segment_size_;
  frame.header_size = static_cast<u16>(open_.payload);
  frame.is_ipv6 = open_.is_ipv6;
  sink_(std::move(frame));
}

}  // namespace pagoda
