// SPDX-License-Identifier: MIT
// VirtioNet: the virtio network card (virtio 1.2, 5.1), one pair of queues, with checksum and TCP segmentation offload
// both ways and mergeable receive buffers.
//
// Frames out are copied from guest memory and given back at once, so nothing stays in flight. If the back end pulls(),
// its thread empties the transmit queue; the vcpu that notifies only wakes it, and is asked not to notify meanwhile.
// Threading: see VirtioDevice and NetBackend. NetBackend::send() is called without the device's lock if the back end
// pulls(), else under it.
#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "devices/net/net_backend.h"
#include "devices/virtio/virtio_device.h"

namespace pagoda {

class VirtioNet final : public VirtioDevice, public NetClient {
 public:
  using Mac = std::array<u8, 6>;
  static constexpr u16 kQueueSize = 256;

  // `backend` may be null: the link is down. It outlives the device.
  VirtioNet(GuestMemory& memory, std::string name, const Mac& mac, NetBackend* backend);
  ~VirtioNet() override;

  bool takes_large_frames(bool is_ipv6) const override;
  std::size_t receive(std::span<const NetFrame> frames) override;
  bool transmit() override;

 private:
  enum class Fetch : u8 { frame, none, skipped };
  enum class Put : u8 { taken, no_room, broken };

  void process_queue(u16 index) override;
  void features_negotiated() override;
  bool needs_version_1() const override { return true; }  // its header is longer than a legacy one
  void reset_model() override;
  void visit_model(StateVisitor& visitor) override;

  Fetch fetch(NetFrame* frame);
  bool read_frame(const VirtqChain& chain, NetFrame* frame);
  Put put(const NetFrame& frame);
  bool collect(u64 size, bool mergeable);
  void send_all();

  NetBackend* const backend_;
  std::atomic<bool> large_ipv4_{false};
  std::atomic<bool> large_ipv6_{false};
  bool wants_room_ = false;  // the back end holds frames; follows from it, not saved

  // Buffers kept for their room; under the lock.
  VirtqChain chain_;
  std::vector<VirtqUsed> used_;
  std::vector<VirtqUsed> given_back_;
  std::vector<GuestBuffer> buffers_;
  NetFrame outgoing_;  // one thread at a time sends
};

}  // namespace pagoda
