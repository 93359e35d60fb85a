// SPDX-License-Identifier: MIT
// TcpCoalescer: joins consecutive TCP segments of one connection into large frames, so that the guest handles one
// packet where the network made many.
//
// Joined are only frames that cutting the large one again would reproduce: same headers but for sequence number, window
// and PSH, payloads of one size but for a shorter last one. Order is kept: at most one large frame is open, and
// whatever does not fit closes it. Threading: none of its own.
#pragma once

#include <functional>
#include <span>

#include "devices/net/net_backend.h"

namespace pagoda {

class TcpCoalescer {
 public:
  using Sink = std::function<void(NetFrame frame)>;
  explicit TcpCoalescer(Sink sink) : sink_(std::move(sink)) {}

  // A frame whose checksums are right. `join_ipv4` and `join_ipv6`: what the card takes large frames of.
  void add(std::span<const std::byte> frame, bool join_ipv4, bool join_ipv6);
  // Hands out what is open.
  void flush();

 private:
  // What there is to know of a frame that may be joined.
  struct Segment {
    bool is_ipv6;
    u16 transport;  // offset of the TCP header
    u32 payload;    // offset
    u32 end;        // behind the payload; padding may follow
    u32 sequence;
    bool is_last;  // PSH
  };
  static bool parse(std::span<const std::byte> frame, Segment* segment);
  bool continues(std::span<const std::byte> frame, const Segment& segment) const;
  void open(std::span<const std::byte> frame, const Segment& segment);
  void append(std::span<const std::byte> frame, const Segment& segment);

  Sink sink_;
  NetFrame open_frame_;
  Segment open_{};
  u32 segments_ = 0;  // in open_frame_; 0: none is open
  u16 segment_size_ = 0;
  u32 next_sequence_ = 0;
};

}  // namespace pagoda
