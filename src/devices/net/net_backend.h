// SPDX-License-Identifier: MIT
// NetBackend and NetClient: what a network card is plugged into, and what the network sees of the card.
//
// A frame begins with its Ethernet header and has no checksum sequence at its end. Besides plain frames there are what
// cards with offloads know: a transport checksum that is still partial, and a TCP frame that stands for many.
// Threading: each side states its own below. Neither calls the other under a lock that the other may want: a card calls
// kick() and send() under its own lock, a back end calls its client with none but the one connect() takes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/types.h"

namespace pagoda {

// Largest frame either side hands over: an IP packet of 64 KiB behind an Ethernet header and a VLAN tag.
inline constexpr std::size_t kMaxNetFrame = 65535 + 18;

struct NetFrame {
  std::vector<std::byte> bytes;
  // The transport checksum at checksum_start + checksum_offset holds the sum of the pseudo header only: whoever sends
  // the frame on adds the bytes from checksum_start. 0: no checksum is partial.
  u16 checksum_start = 0;
  u16 checksum_offset = 0;
  // The checksums are known to be right.
  bool checksum_good = false;
  // Not 0: a TCP frame that stands for many, each with this much payload (the last with the rest).
  u16 segment_size = 0;
  u16 header_size = 0;  // all headers, if segment_size is not 0
  bool is_ipv6 = false;
};

// The card's side.
class NetClient {
 public:
  virtual ~NetClient() = default;
  // May frames have a segment_size? Any thread.
  virtual bool takes_large_frames(bool is_ipv6) const = 0;
  // Frames for the guest, in order; returns how many were taken. Fewer than all: there is no room, kick() follows when
  // there is. On one thread at a time.
  virtual std::size_t receive(std::span<const NetFrame> frames) = 0;
  // Calls NetBackend::send() for the frames the guest has put out, up to a limit; false: there are more. Only if the
  // back end pulls().
  virtual bool transmit() = 0;
};

// The network's side.
class NetBackend {
 public:
  virtual ~NetBackend() = default;
  // Null disconnects: when this returns no call to the old client is under way or follows. Not from within such a call.
  virtual void connect(NetClient* client) = 0;
  // True: the client leaves frames where they are and calls kick(); the back end calls transmit() on a thread of its
  // own. False: the client sends at once.
  virtual bool pulls() const = 0;
  // A frame to the network; copied as far as it is kept. pulls(): only from within transmit(), else from any thread.
  virtual void send(const NetFrame& frame) = 0;
  // The guest has put out frames (if pulls()) or made room for some. Any thread.
  virtual void kick() = 0;
};

}  // namespace pagoda
